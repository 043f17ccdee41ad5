//! Trackers whose exports are small: Linear, Asana, Freshdesk, Redmine and Bugzilla.

use std::io::Read;

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::{html, merged};
use super::super::{Format, Input, json, table, xml};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

/// Linear's table: people are addresses.
pub(super) const LINEAR: Format = Format {
    id: "linear",
    claims: |peek| {
        let line = peek.head.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().replace('"', "");
        line.starts_with("ID,Team,Title") && line.contains("Creator")
    },
    learn: None,
    hand: |input, _, out| {
        table::rows(input.read, &mut |found| {
            let (value, record) = (&found.value, Rec::new(&found.value, &found.pointer));
            let who = |name: &str| {
                let text = own(value, name)?;
                let mail = text.contains('@').then(|| text.clone());
                person("linear", None, None, mail, Some(text).filter(|text| !text.contains('@')))
            };
            let id = own(value, "ID").unwrap_or_default();
            let of = container(ContainerKind::Issue, id.as_str(), id.as_str(), false);
            let draft = Draft::new(of, ItemKind::Description, id.as_str())
                .at(own(value, "Created").map(|time| super::super::dates::spelled(&time)))
                .edited(own(value, "Updated").map(|time| super::super::dates::spelled(&time)))
                .link(own(value, "URL").or_else(|| own(value, "Url")))
                .pointer(found.pointer.as_str());
            let text = format!("{}\n{}", record.at("Title"), record.at("Description"));
            out.item(draft.clone().by(who("Creator")).to(who("Assignee").into_iter().collect()), &text);
            out.rest(draft, &record);
        })
    },
};

/// Asana: JSON of a project or an organisation, and the table.
pub(super) const ASANA: Format = Format {
    id: "asana",
    claims: |peek| {
        let line = peek.head.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().replace('"', "");
        peek.keys(&["gid", "resource_type"]) || line.starts_with("Task ID,") && line.contains("Assignee")
    },
    learn: Some(|input, known| {
        asana(input, &mut |value, _| {
            if value["resource_type"] == "user" {
                let id = own(value, "gid");
                let who = person("asana", id.clone(), None, own(value, "email"), own(value, "name"));
                if let Some(who) = listed(who, None) {
                    known.add(&[id], who);
                }
            }
        })
    }),
    hand: |input, known, out| {
        asana(input, &mut |value, pointer| {
            let record = Rec::new(value, pointer);
            task(&record, value, pointer, known, out, 0);
            let of = container(
                ContainerKind::Issue,
                own(value, "gid").unwrap_or_default(),
                own(value, "name").unwrap_or_default(),
                false,
            );
            out.rest(Draft::new(of, ItemKind::Field, "").pointer(pointer), &record);
        })
    },
};

fn asana(input: &mut Input<'_>, each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    let mut lead = [0u8; 3];
    let got = input.read.read(&mut lead).map_err(|error| error.to_string())?;
    let markup = lead[..got].contains(&b'{') || lead[..got].contains(&b'[');
    let mut read = lead[..got].chain(&mut *input.read);
    if markup {
        return json::records(&mut read, &["*"], &mut |found| each(&found.value, &found.pointer));
    }
    table::rows(&mut read, &mut |found| each(&found.value, &found.pointer))
}

fn task<'v>(record: &Rec<'v>, value: &'v Value, pointer: &str, known: &Known, out: &mut Out<'_>, depth: usize) {
    let who = |value: &Value| {
        person("asana", own(value, "gid"), None, own(value, "email"), own(value, "name")).map(|who| known.complete(who))
    };
    let id = own(value, "gid").or_else(|| own(value, "Task ID")).unwrap_or_default();
    let name = own(value, "name").or_else(|| own(value, "Name")).unwrap_or_else(|| id.clone());
    let link =
        own(value, "permalink_url").or_else(|| (!id.is_empty()).then(|| format!("https://app.asana.com/0/0/{id}")));
    let of = container(ContainerKind::Issue, id.as_str(), name, false);
    let to = match own(value, "Assignee Email") {
        Some(mail) => person("asana", None, None, Some(mail), own(value, "Assignee")),
        None => who(&value["assignee"]),
    };
    let draft = Draft::new(of, ItemKind::Description, id.as_str())
        .at(when(&value["created_at"]).or_else(|| when(&value["Created At"])))
        .edited(when(&value["modified_at"]).or_else(|| when(&value["Last Modified"])))
        .link(link);
    let notes = [&value["notes"], &value["Notes"]].map(|text| record.take(text)).join("\n");
    let rich = html::decode(record.take(&value["html_notes"]));
    let title = [&value["name"], &value["Name"]].map(|text| record.take(text)).join("");
    // Who wrote the notes is said only where the export has the creator.
    let first =
        draft.clone().by(who(&value["created_by"])).to(to.into_iter().collect()).pointer(format!("{pointer}/notes"));
    if value["resource_type"] != "story" {
        out.item(first, &format!("{title}\n{}", merged(notes, &rich)));
    }
    let story = |value: &'v Value, draft: Draft, pointer: String, out: &mut Out<'_>| {
        let comment =
            matches!(value["type"].as_str(), None | Some("comment")) && value["resource_subtype"] != "notes_changed";
        let draft = draft
            .kind(if comment { ItemKind::Comment } else { ItemKind::History })
            .id(own(value, "gid").unwrap_or_default())
            .by(who(&value["created_by"]))
            .at(when(&value["created_at"]))
            .edited(None);
        let text = merged(record.take(&value["text"]).to_owned(), &html::decode(record.take(&value["html_text"])));
        out.item(draft.clone().pointer(format!("{pointer}/text")), &text);
        for name in ["old_value", "old_name", "old_text_value"] {
            let old = record.take(&value[name]);
            out.item(draft.clone().kind(ItemKind::History).by(None).pointer(format!("{pointer}/{name}")), old);
        }
    };
    if value["resource_type"] == "story" {
        story(value, draft.clone(), pointer.to_owned(), out);
    }
    for (n, one) in list(value, "stories").enumerate() {
        story(one, draft.clone(), format!("{pointer}/stories/{n}"), out);
    }
    for (n, one) in list(value, "subtasks").enumerate().filter(|_| depth < 20) {
        task(record, one, &format!("{pointer}/subtasks/{n}"), known, out, depth + 1);
    }
}

/// Freshdesk: pages of its API and the files of its export, JSON or XML.
pub(super) const FRESHDESK: Format = Format {
    id: "freshdesk",
    claims: |peek| {
        peek.keys(&["requester_id", "responder_id"])
            || peek.keys(&["helpdesk_ticket"])
            || peek.keys(&["body_text", "user_id", "incoming"])
            || peek.keys(&["email", "job_title", "time_zone"]) && !peek.keys(&["suspended"])
            || peek.starts("<") && peek.has(&["<helpdesk-ticket"])
            || peek.starts("<?xml") && peek.has(&["<user>", "<job-title", "<email"])
    },
    learn: Some(|input, known| {
        freshdesk(input, &mut |value, _| {
            let one = ["user", "contact", "agent"]
                .iter()
                .map(|name| &value[*name])
                .find(|one| one.is_object())
                .unwrap_or(value);
            let contact = if one["contact"].is_object() { &one["contact"] } else { one };
            let Some(email) = own(contact, "email") else { return };
            let who = person("freshdesk", own(one, "id"), None, Some(email), own(contact, "name"));
            let active = if one["deleted"] == true { Some(false) } else { contact["active"].as_bool() };
            if let Some(who) = listed(who, active) {
                known.add(&[own(one, "id")], who);
            }
        })
    }),
    hand: |input, known, out| freshdesk(input, &mut |value, pointer| ticket(value, pointer, known, out)),
};

fn freshdesk(input: &mut Input<'_>, each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    xml_or_json(input, &["tickets", "contacts", "agents", "conversations", "results"], each)
}

/// Records of a tracker that writes its lists as XML or as JSON.
fn xml_or_json(input: &mut Input<'_>, lists: &[&str], each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    let mut lead = [0u8; 16];
    let got = input.read.read(&mut lead).map_err(|error| error.to_string())?;
    let markup = lead[..got].contains(&b'<');
    let mut read = lead[..got].chain(&mut *input.read);
    if markup {
        return xml::elements(&mut read, 1, &mut |found| each(&super::zendesk::dashes(found.value), &found.pointer));
    }
    json::records(&mut read, lists, &mut |found| each(&found.value, &found.pointer))
}

fn ticket(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let one = if value["helpdesk_ticket"].is_object() { &value["helpdesk_ticket"] } else { value };
    let who = |value: &Value, name: &str| known.person("freshdesk", &own(value, name)?);
    let id = own(one, "display_id").or_else(|| own(one, "ticket_id")).or_else(|| own(one, "id")).unwrap_or_default();
    let name = own(one, "subject").unwrap_or_else(|| format!("ticket {id}"));
    let draft = Draft::new(container(ContainerKind::Ticket, id.as_str(), name, false), ItemKind::Field, id.as_str());
    let body = |value: &Value, plain: &[&str], rich: &[&str], record: &Rec<'_>| {
        let _ = record;
        let plain: Vec<String> = plain.iter().filter_map(|name| own(value, name)).collect();
        let rich: Vec<String> =
            rich.iter().filter_map(|name| own(value, name)).map(|text| html::decode(&text)).collect();
        merged(plain.join("\n"), &rich.join("\n"))
    };
    let notes = ["conversations", "notes", "helpdesk_notes"];
    if one.get("requester_id").is_some() {
        let draft = draft
            .clone()
            .kind(ItemKind::Description)
            .by(who(one, "requester_id"))
            .to(who(one, "responder_id").into_iter().collect())
            .at(when(&one["created_at"]))
            .edited(when(&one["updated_at"]));
        let text = body(one, &["subject", "description_text"], &["description", "description_html"], &record);
        for name in ["subject", "description_text", "description", "description_html"] {
            record.take(&one[name]);
        }
        out.item(draft.pointer(format!("{pointer}/description")), &text);
    }
    let alone = one.get("body_text").is_some() || one.get("body").is_some();
    let all = notes
        .iter()
        .flat_map(|name| list(one, name).enumerate().map(move |(n, inner)| (format!("/{name}/{n}"), inner)));
    for (step, inner) in all.chain(alone.then(|| (String::new(), one))) {
        let inner = if inner["helpdesk_note"].is_object() { &inner["helpdesk_note"] } else { inner };
        let draft = draft
            .clone()
            .kind(ItemKind::Comment)
            .id(own(inner, "id").unwrap_or_default())
            .by(who(inner, "user_id"))
            .at(when(&inner["created_at"]));
        let text = body(inner, &["body_text"], &["body", "body_html"], &record);
        for name in ["body_text", "body", "body_html"] {
            record.take(&inner[name]);
        }
        out.item(draft.pointer(format!("{pointer}{step}/body")), &text);
    }
    out.rest(draft.pointer(pointer), &record);
}

/// Redmine: pages of its API with journals, JSON or XML.
pub(super) const REDMINE: Format = Format {
    id: "redmine",
    claims: |peek| {
        peek.keys(&["tracker", "subject", "created_on"])
            || peek.keys(&["issues", "done_ratio"])
            || peek.keys(&["journals", "details", "notes"])
            || peek.keys(&["user", "login", "mail"])
            || peek.keys(&["users", "login", "mail"])
            || peek.starts("<?xml") && peek.has(&["<issues", "<tracker"])
    },
    learn: Some(|input, known| {
        redmine(input, &mut |value, _| {
            let one = if value["user"].is_object() { &value["user"] } else { value };
            let Some(id) = own(one, "id").filter(|_| one["mail"].is_string() || one["login"].is_string()) else {
                return;
            };
            let name =
                [own(one, "firstname"), own(one, "lastname")].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let who = person("redmine", Some(id.clone()), own(one, "login"), own(one, "mail"), Some(name));
            let active = one["status"].as_i64().map(|status| status == 1);
            if let Some(who) = listed(who, active) {
                known.add(&[Some(id), own(one, "login")], who);
            }
        })
    }),
    hand: |input, known, out| redmine(input, &mut |value, pointer| redmine_issue(value, pointer, known, out)),
};

fn redmine(input: &mut Input<'_>, each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    xml_or_json(input, &["issues", "users"], each)
}

fn redmine_issue(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let one = if value["issue"].is_object() { &value["issue"] } else { value };
    if one.get("subject").is_none() {
        let of = container(ContainerKind::File, "", "records", false);
        return out.rest(Draft::new(of, ItemKind::Field, "").pointer(pointer), &record);
    }
    let who = |value: &Value| {
        person("redmine", own(value, "id"), None, None, own(value, "name")).map(|who| known.complete(who))
    };
    let id = own(one, "id").unwrap_or_default();
    let of = container(
        ContainerKind::Issue,
        id.as_str(),
        own(one, "subject").unwrap_or_default(),
        one["is_private"] == false,
    );
    let draft = Draft::new(of, ItemKind::Description, id.as_str())
        .by(who(&one["author"]))
        .at(when(&one["created_on"]))
        .to(who(&one["assigned_to"]).into_iter().collect());
    let text = format!("{}\n{}", record.take(&one["subject"]), record.take(&one["description"]));
    out.item(draft.clone().edited(when(&one["updated_on"])).pointer(format!("{pointer}/description")), &text);
    let plain = draft.to(Vec::new());
    let mut last: std::collections::HashMap<String, Option<PersonRef>> = std::collections::HashMap::new();
    for (n, journal) in list(one, "journals").enumerate() {
        let at = format!("{pointer}/journals/{n}");
        let by = who(&journal["user"]);
        let mine =
            plain.clone().id(own(journal, "id").unwrap_or_default()).at(when(&journal["created_on"])).by(by.clone());
        out.item(mine.clone().kind(ItemKind::Comment).pointer(format!("{at}/notes")), record.take(&journal["notes"]));
        for (m, detail) in list(journal, "details").enumerate() {
            let field = own(detail, "name").unwrap_or_default();
            let mine = mine.clone().kind(ItemKind::History);
            // The old text is the words of whoever set it: in the change before, or in the beginning.
            let before = last.insert(field, by.clone()).unwrap_or_else(|| who(&one["author"]));
            let old = mine.clone().by(before).pointer(format!("{at}/details/{m}/old_value"));
            out.item(old, record.take(&detail["old_value"]));
            out.item(mine.pointer(format!("{at}/details/{m}/new_value")), record.take(&detail["new_value"]));
        }
    }
    out.rest(plain.by(None).pointer(pointer), &record);
}

/// Bugzilla's XML of bugs.
pub(super) const BUGZILLA: Format = Format {
    id: "bugzilla",
    claims: |peek| peek.starts("<") && peek.has(&["<bugzilla"]),
    learn: Some(|input, known| {
        // The root element says where the bugs are.
        let mut lead = vec![0; 4096];
        let got = super::super::super::windows::fill(input.read, &mut lead).map_err(|error| error.to_string())?;
        let head = String::from_utf8_lossy(&lead[..got]).into_owned();
        if let Some(base) = html::attribute(head.split("<bugzilla").nth(1).unwrap_or_default(), "urlbase") {
            known.note("base", base);
        }
        Ok(())
    }),
    hand: |input, known, out| xml::elements(input.read, 1, &mut |found| bug(&found.value, &found.pointer, known, out)),
};

/// The login is an address, except where the export was made without logging in.
fn bugzilla_person(value: &Value) -> Option<PersonRef> {
    let login = xml::text(value).trim().to_owned();
    let mail = login.contains('@').then(|| login.clone());
    person("bugzilla", None, Some(login), mail, own(value, "name"))
}

fn bug(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let id = own(value, "bug_id").unwrap_or_default();
    let link = known.fact("base").map(|base| format!("{}/show_bug.cgi?id={id}", base.trim_end_matches('/')));
    let title = own(value, "short_desc").unwrap_or_else(|| format!("bug {id}"));
    let of = container(ContainerKind::Issue, id.as_str(), title, true);
    let draft = Draft::new(of, ItemKind::Description, id.as_str()).link(link.clone());
    let to: Vec<PersonRef> = list(value, "assigned_to").chain(list(value, "cc")).filter_map(bugzilla_person).collect();
    let first = draft.clone().by(bugzilla_person(&value["reporter"])).at(time(&value["creation_ts"])).to(to);
    out.item(first.pointer(format!("{pointer}/short_desc")), record.at("short_desc"));
    for (n, one) in list(value, "long_desc").enumerate() {
        let number = own(one, "comment_count").unwrap_or_else(|| n.to_string());
        let draft = draft
            .clone()
            .kind(ItemKind::Comment)
            .id(own(one, "commentid").unwrap_or_else(|| number.clone()))
            .by(bugzilla_person(&one["who"]))
            .at(time(&one["bug_when"]))
            .link(link.as_ref().map(|link| format!("{link}#c{number}")))
            .pointer(format!("{pointer}/long_desc[{n}]/thetext"));
        let text = record.take(&one["thetext"]);
        for piece in super::quoted::pieces(text) {
            let draft = draft.clone();
            let draft = if piece.quoted { draft.by(piece.author).via(Via::Quoted) } else { draft };
            out.item(draft, &piece.text);
        }
    }
    for (n, one) in list(value, "attachment").enumerate() {
        let draft = draft
            .clone()
            .kind(ItemKind::File)
            .id(own(one, "attachid").unwrap_or_default())
            .by(bugzilla_person(&one["attacher"]))
            .at(time(&one["date"]))
            .pointer(format!("{pointer}/attachment[{n}]"));
        let text = format!("{}\n{}", record.take(&one["desc"]), record.take(&one["filename"]));
        out.item(draft.clone(), &text);
        let data = &one["data"];
        let raw = record.take(data);
        if data["encoding"] == "base64" {
            let dense: Vec<u8> = raw.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            match data_encoding::BASE64.decode(&dense) {
                Ok(bytes) => out.file(draft, &bytes),
                Err(error) => out.fail(pointer, format!("an attachment is no base64: {error}")),
            }
        } else {
            out.item(draft, raw);
        }
        // Changing the attachment needs this mark, which the tracker made.
        let mark = draft_of(&link, &id, pointer);
        out.item(mark, record.take(&one["token"]));
    }
    out.item(draft_of(&link, &id, pointer), record.at("token"));
    out.rest(draft.pointer(pointer), &record);
}

fn draft_of(link: &Option<String>, id: &str, pointer: &str) -> Draft {
    let of = container(ContainerKind::Issue, id, format!("bug {id}"), true);
    Draft::new(of, ItemKind::Artefact, id).via(Via::System).link(link.clone()).pointer(format!("{pointer}/token"))
}

/// `2002-10-24 05:12:00 -0400`
fn time(value: &Value) -> Option<String> {
    let text = xml::text(value).trim();
    let mut parts = text.split(' ');
    let parsed = match (parts.next(), parts.next(), parts.next()) {
        (Some(day), Some(clock), Some(zone)) if zone.starts_with(['+', '-']) => {
            let clock = if clock.matches(':').count() == 1 { format!("{clock}:00") } else { clock.to_owned() };
            format!("{day}T{clock}{zone}").parse::<jiff::Timestamp>().ok()
        }
        _ => None,
    };
    (!text.is_empty()).then(|| parsed.map_or_else(|| text.to_owned(), |time| time.to_string()))
}
