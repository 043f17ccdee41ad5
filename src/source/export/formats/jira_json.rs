//! Jira's REST pages, single issues and comment pages, of Server and Cloud.

use serde_json::Value;

use super::super::known::{Known, at, list, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::{adf, html, wiki};
use super::super::{Format, Input, json};
use crate::source::{Container, ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "jira-json",
    claims: |peek| {
        let issue =
            peek.keys(&["fields", "key"]) && (peek.keys(&["issues"]) || peek.keys(&["self"]) || peek.keys(&["expand"]));
        let comments = peek.keys(&["comments", "updateAuthor"]) || peek.keys(&["worklogs", "updateAuthor"]);
        let changes = peek.keys(&["items", "fromString", "toString", "author"]);
        issue || comments || changes
    },
    learn: None,
    hand,
};

fn hand(input: &mut Input<'_>, _: &Known, out: &mut Out<'_>) -> Result<(), String> {
    json::gather(input.read, &["issues", "comments", "worklogs", "values", "histories"], &mut |found| {
        let record = Rec::new(&found.value, &found.pointer);
        if found.value["fields"].is_object() {
            issue(&record, out);
        } else if found.value["items"][0]["field"].is_string() {
            // A page of changes alone does not say of which issue; what was there before is nobody's.
            let of = container(ContainerKind::Issue, "unknown issue", "unknown issue", false);
            let draft = Draft::new(of, ItemKind::History, "");
            history(&record, vec![(found.pointer.clone(), &found.value)], &draft, None, out);
            out.rest(draft.by(None).pointer(found.pointer.as_str()), &record);
        } else if found.key == "comments" || found.key == "worklogs" {
            // A page of comments alone: the issue is known by its number in the address.
            let id = found.value["self"].as_str().and_then(|link| link.split("/issue/").nth(1)?.split('/').next());
            let id = id.unwrap_or("unknown issue");
            let of = container(ContainerKind::Issue, id, id, false);
            comment(&record, &found.value, &Draft::new(of, ItemKind::Comment, ""), &found.pointer, None, out);
        } else {
            // Some tools put issues under their keys.
            for (key, one) in found.value.as_object().into_iter().flatten().filter(|pair| pair.1["fields"].is_object())
            {
                let place = format!("{}/{key}", found.pointer);
                issue(&Rec::new(one, &place), out);
                record.skip(one);
            }
            out.rest(
                Draft::new(container(ContainerKind::File, "", "Jira page", false), ItemKind::Field, ".")
                    .pointer(found.pointer.as_str()),
                &record,
            );
        }
    })
}

/// A user of Server (`name`, `key`) or Cloud (`accountId`, address mostly hidden).
pub(super) fn user(value: &Value) -> Option<PersonRef> {
    let id = own(value, "accountId").or_else(|| own(value, "key"));
    let mut who = person("jira", id, own(value, "name"), own(value, "emailAddress"), own(value, "displayName"))?;
    who.active = value["active"].as_bool();
    Some(who)
}

/// A field that may be wiki markup or a document tree.
pub(super) fn rich<'v>(record: &Rec<'v>, value: &'v Value) -> String {
    if adf::is(value) {
        record.skip(value);
        adf::decode(value)
    } else {
        wiki::decode(record.take(value))
    }
}

fn issue(record: &Rec<'_>, out: &mut Out<'_>) {
    let (value, fields, rendered) = (record.value, &record.value["fields"], &record.value["renderedFields"]);
    let key = own(value, "key").or_else(|| own(value, "id")).unwrap_or_default();
    let base = value["self"].as_str().and_then(|link| link.split("/rest/").next());
    let link = base.map(|base| format!("{base}/browse/{key}"));
    let reporter = user(&fields["reporter"]).or_else(|| user(&fields["creator"]));
    let of: Container = container(ContainerKind::Issue, key.as_str(), key.as_str(), false);
    let draft = Draft::new(of, ItemKind::Description, key.as_str())
        .by(reporter.clone())
        .at(when(&fields["created"]))
        .edited(when(&fields["updated"]))
        .link(link.clone())
        .to(user(&fields["assignee"]).into_iter().collect());
    for name in ["summary", "description", "environment"] {
        let text = rich(record, &fields[name]);
        out.item(draft.clone().pointer(format!("{}/fields/{name}", record.pointer)), &text);
        // The same as a page, if the export was asked for it; what it says beside the text is handed on, too.
        let shown = html::decode(record.take(&rendered[name]));
        let shown = if shown.trim() == text.trim() { "" } else { &shown };
        out.item(draft.clone().pointer(format!("{}/renderedFields/{name}", record.pointer)), shown);
    }
    let plain = draft.clone().to(Vec::new()).edited(None);
    for (name, path) in [("comment", "comment.comments"), ("worklog", "worklog.worklogs")] {
        for (n, one) in list(rendered, path).enumerate() {
            // Its times are worded; the comment itself has the time.
            let twin = list(fields, path).find(|twin| twin["id"] == one["id"]).unwrap_or(one);
            let body = if one["body"].is_null() { &one["comment"] } else { &one["body"] };
            let text = html::decode(record.take(body));
            let pointer = format!("{}/renderedFields/{name}/{n}", record.pointer);
            let id = own(one, "id").unwrap_or_default();
            let linked = link.as_ref().map(|link| format!("{link}?focusedCommentId={id}"));
            let draft = plain.clone().kind(ItemKind::Comment).id(id).link(linked);
            out.item(draft.by(user(&twin["author"])).at(when(&twin["created"])).pointer(pointer), &text);
        }
        for (n, one) in list(fields, path).enumerate() {
            comment(
                record,
                one,
                &plain,
                &format!("{}/fields/{name}/{}/{n}", record.pointer, path.split('.').nth(1).unwrap_or_default()),
                link.as_deref(),
                out,
            );
        }
        let (total, held) = (at(fields, &format!("{name}.total")).as_u64(), list(fields, path).count() as u64);
        if total.is_some_and(|total| total > held) {
            out.fail(&key, format!("the export holds {held} of {} {name}s", total.unwrap_or_default()));
        }
    }
    for (n, file) in list(fields, "attachment").enumerate() {
        let text = format!("{}\n{}", record.take(&file["filename"]), record.take(&file["content"]));
        let draft =
            plain.clone().kind(ItemKind::File).id(own(file, "id").unwrap_or_default()).by(user(&file["author"]));
        out.item(draft.at(when(&file["created"])).pointer(format!("{}/fields/attachment/{n}", record.pointer)), &text);
    }
    let changes = list(value, "changelog.histories").enumerate();
    let changes = changes.map(|(n, change)| (format!("{}/changelog/histories/{n}", record.pointer), change)).collect();
    history(record, changes, &plain, reporter, out);
    // What the exporter may do hangs on links that hold a token of the exporter's session.
    for name in ["operations", "editmeta"] {
        let made = Rec::new(&value[name], record.pointer);
        out.rest(plain.clone().kind(ItemKind::Artefact).via(Via::System).by(None).pointer_below(name), &made);
        record.skip(&value[name]);
    }
    out.rest(plain.by(None).pointer(record.pointer), record);
}

fn comment<'v>(record: &Rec<'v>, one: &'v Value, draft: &Draft, pointer: &str, link: Option<&str>, out: &mut Out<'_>) {
    let id = own(one, "id").unwrap_or_default();
    let body = if one["body"].is_null() { &one["comment"] } else { &one["body"] };
    let text = rich(record, body);
    let link = link.map(|link| format!("{link}?focusedCommentId={id}"));
    let draft = draft.clone().kind(ItemKind::Comment).id(id).by(user(&one["author"])).at(when(&one["created"]));
    out.item(draft.edited(when(&one["updated"])).link(link).pointer(pointer), &text);
}

/// Old and new values of fields. An old value is credited to whoever set it: the change before, or the reporter.
fn history<'v>(
    record: &Rec<'v>,
    mut changes: Vec<(String, &'v Value)>,
    draft: &Draft,
    reporter: Option<PersonRef>,
    out: &mut Out<'_>,
) {
    changes.sort_by_key(|(_, change)| change["created"].as_str().unwrap_or_default());
    let mut last: std::collections::HashMap<&str, Option<PersonRef>> = std::collections::HashMap::new();
    for (place, change) in changes {
        let author = user(&change["author"]);
        for (m, item) in list(change, "items").enumerate() {
            let field = item["field"].as_str().unwrap_or_default();
            let before = last.get(field).cloned().unwrap_or_else(|| reporter.clone());
            let draft = draft
                .clone()
                .kind(ItemKind::History)
                .id(own(change, "id").unwrap_or_default())
                .at(when(&change["created"]));
            let pointer = format!("{place}/items/{m}");
            let old = wiki::decode(record.take(&item["fromString"]));
            out.item(draft.clone().by(before).pointer(format!("{pointer}/fromString")), &old);
            let new = wiki::decode(record.take(&item["toString"]));
            out.item(draft.by(author.clone()).pointer(format!("{pointer}/toString")), &new);
            last.insert(field, author.clone());
        }
    }
}
