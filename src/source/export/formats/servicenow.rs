//! ServiceNow: XML unloads, JSON records and CSV lists. A journal field is one text with a head before each entry.

use std::io::Read;

use serde_json::Value;

use super::super::known::{Known, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::html;
use super::super::{Format, Input, json, table, xml};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "servicenow",
    claims: |peek| {
        let line = peek.head.lines().next().unwrap_or_default();
        let columns = |names: &[&str]| names.iter().all(|name| line.contains(name));
        let listed = !peek.starts("{")
            && !peek.starts("<")
            && !peek.starts("[")
            && (columns(&["sys_id"]) || columns(&["number", "sys_created_by"]) || columns(&["number", "work_notes"]));
        peek.starts("<") && (peek.has(&["<unload"]) || peek.has(&["<sys_id>", "<sys_created_by"]))
            || peek.keys(&["sys_id"])
                && (peek.keys(&["sys_created_by"])
                    || peek.keys(&["sys_created_on"])
                    || peek.keys(&["user_name"])
                    || peek.keys(&["number"]))
            || listed
    },
    learn: Some(|input, known| records(input, &mut |_, value, _| user(value, known))),
    hand: |input, known, out| {
        let name = input.name.to_owned();
        records(input, &mut |table, value, pointer| {
            let of = if table.is_empty() { name.rsplit('/').next().unwrap_or_default() } else { table };
            one(of, value, pointer, known, out);
        })
    },
};

fn records(input: &mut Input<'_>, each: &mut dyn FnMut(&str, &Value, &str)) -> Result<(), String> {
    let mut lead = vec![0; 256];
    let got = input.read.read(&mut lead).map_err(|error| error.to_string())?;
    lead.truncate(got);
    let first = lead.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&lead).trim_ascii_start().first().copied();
    let mut read = lead.as_slice().chain(&mut *input.read);
    match first {
        Some(b'<') => xml::elements(&mut read, 1, &mut |found| each(&found.key, &found.value, &found.pointer)),
        Some(b'{' | b'[') => json::records(&mut read, &["records", "result"], &mut |found| {
            let table =
                own(&found.value, "sys_class_name").or_else(|| own(&found.value, "__table")).unwrap_or_default();
            each(&table, &found.value, &found.pointer);
        }),
        _ => table::rows(&mut read, &mut |found| each("", &found.value, &found.pointer)),
    }
}

/// A value, or what a reference shows: `{"display_value": "Abel Tuter", "value": "…"}`, in XML attribute and text.
fn shown(value: &Value, name: &str) -> Option<String> {
    let inner = &value[name];
    own(inner, "display_value").or_else(|| own(value, name))
}

fn key(value: &Value, name: &str) -> Option<String> {
    let inner = &value[name];
    own(inner, "value").or_else(|| own(value, name))
}

fn user(value: &Value, known: &mut Known) {
    let (Some(login), Some(_)) = (shown(value, "user_name"), shown(value, "email").or_else(|| shown(value, "name")))
    else {
        return;
    };
    let id = key(value, "sys_id");
    let name = shown(value, "name")
        .or_else(|| Some(format!("{} {}", shown(value, "first_name")?, shown(value, "last_name")?)));
    let active = shown(value, "active").map(|active| active == "true" || active == "1");
    let who = person("servicenow", id.clone(), Some(login.clone()), shown(value, "email"), name.clone());
    if let Some(who) = listed(who, active) {
        known.add(&[id, Some(login)], who.clone());
        // Journals name people by what is shown; two of one name stay apart.
        let display = format!("shown {}", name.unwrap_or_default().to_lowercase());
        match known.fact(&display).map(str::to_owned) {
            Some(_) => known.note(format!("twice {display}"), "yes"),
            None => known.note(display, who.handle.clone().unwrap_or_default()),
        }
    }
}

/// Somebody by login or id.
fn by(known: &Known, value: &Value, name: &str) -> Option<PersonRef> {
    let id = key(value, name)?;
    let mut who = known.find(&id).cloned().or_else(|| {
        let display = own(&value[name], "display_value");
        let hex = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let (id, handle) = if hex { (Some(id.clone()), None) } else { (None, Some(id.clone())) };
        person("servicenow", id, handle, None, display)
    })?;
    who.display = who.display.or_else(|| own(&value[name], "display_value"));
    Some(who)
}

/// Somebody as a journal shows them.
fn named(known: &Known, name: &str) -> Option<PersonRef> {
    let fact = format!("shown {}", name.to_lowercase());
    let login = known.fact(&fact).filter(|_| known.fact(&format!("twice {fact}")).is_none());
    let found = login.and_then(|login| known.find(login)).or_else(|| known.find(name)).cloned();
    found.or_else(|| person("servicenow", None, None, None, Some(name.to_owned())))
}

const JOURNALS: &[&str] = &["comments", "work_notes", "comments_and_work_notes", "close_notes", "approval_history"];

fn one(table: &str, value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let id = key(value, "sys_id").unwrap_or_default();
    // A row of a journal belongs to the record that it names.
    let entry = table == "sys_journal_field" || value.get("element_id").is_some() && value.get("element").is_some();
    let owner = if entry { key(value, "element_id").unwrap_or_default() } else { id.clone() };
    let name =
        shown(value, "number").unwrap_or_else(|| if owner.is_empty() { table.to_owned() } else { owner.clone() });
    let mut draft =
        Draft::new(container(ContainerKind::Ticket, owner.as_str(), name, false), ItemKind::Field, id.as_str())
            .at(when(&Value::String(
                shown(value, "sys_created_on").or_else(|| shown(value, "opened_at")).unwrap_or_default(),
            )))
            .pointer(pointer);
    if let Some(base) = own(&value["sys_domain"], "link").or_else(|| own(&value["opened_by"], "link")) {
        let host = base.split("/api/").next().unwrap_or_default();
        draft = draft.link(Some(format!("{host}/nav_to.do?uri={table}.do?sys_id={id}")));
    }
    if entry {
        let author = by(known, value, "sys_created_by");
        let text = html::decode_if(record.take(field(value, "value")));
        let draft = draft.clone().kind(ItemKind::Comment).by(author);
        out.item(draft.pointer(format!("{pointer}/value")), &text);
        return out.rest(
            Draft::new(container(ContainerKind::Ticket, owner.as_str(), owner.as_str(), false), ItemKind::Field, id),
            &record,
        );
    }
    if value.get("user_name").is_some() && value.get("email").is_some() {
        // A user's own row: password hashes are the instance's.
        return out.rest(draft.kind(ItemKind::Artefact).via(Via::System), &record);
    }
    let author = by(known, value, "opened_by")
        .or_else(|| by(known, value, "caller_id"))
        .or_else(|| by(known, value, "sys_created_by"));
    let to = by(known, value, "assigned_to").into_iter().collect();
    let first = draft.clone().kind(ItemKind::Description).by(author).to(to);
    for name in ["short_description", "description", "text"] {
        let text = html::decode_if(record.take(field(value, name)));
        out.item(first.clone().pointer(format!("{pointer}/{name}")), &text);
    }
    for name in JOURNALS {
        for (n, part) in entries(record.take(field(value, name))).into_iter().enumerate() {
            let author = part.author.and_then(|name| named(known, name));
            let mine = draft.clone().kind(ItemKind::Comment).id(format!("{name} {n}")).by(author);
            let mine = if let Some(time) = part.time { mine.at(Some(time.to_owned())) } else { mine };
            out.item(mine.pointer(format!("{pointer}/{name}")), &html::decode_if(&part.text));
        }
    }
    out.rest(draft, &record);
}

/// The text of a field, shown value first.
fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    let inner = &value[name];
    if inner["display_value"].as_str().is_some_and(|text| !text.is_empty()) { &inner["display_value"] } else { inner }
}

struct Entry<'a> {
    time: Option<&'a str>,
    author: Option<&'a str>,
    text: String,
}

/// Cuts a journal at heads such as `2024-01-02 10:00:00 - Abel Tuter (Work notes)`. The date has the form of the instance.
fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut all: Vec<Entry<'_>> = Vec::new();
    for line in text.lines() {
        match head(line) {
            Some((time, author)) => all.push(Entry { time: Some(time), author: Some(author), text: String::new() }),
            None => match all.last_mut() {
                Some(entry) => {
                    entry.text.push_str(line);
                    entry.text.push('\n');
                }
                None => all.push(Entry { time: None, author: None, text: format!("{line}\n") }),
            },
        }
    }
    all
}

fn head(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (time, rest) = line.split_once(" - ")?;
    let open = rest.rfind(" (")?;
    let digits = time.bytes().filter(u8::is_ascii_digit).count();
    let clock = time.contains(':') && time.len() <= 24 && digits >= 8;
    (clock && rest.ends_with(')') && open > 0 && open < 100).then(|| (time, rest[..open].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_cut_at_its_heads() {
        let text = "2024-01-02 10:00:00 - Alice Moreau (Work notes)\nfirst - with (brackets)\n\n02.01.2024 09:00:00 - Bob Tanaka (Zusätzliche Kommentare)\nsecond";
        let parts = entries(text);
        let authors: Vec<_> = parts.iter().map(|part| part.author).collect();
        assert_eq!(authors, [Some("Alice Moreau"), Some("Bob Tanaka")]);
        assert_eq!(parts[0].text.trim(), "first - with (brackets)");
        assert_eq!(parts[1].time, Some("02.01.2024 09:00:00"));
    }
}
