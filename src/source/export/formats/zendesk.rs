//! Zendesk: pages of tickets, comments, audits and users, exports with an object a line, and the XML export.

use std::io::Read;

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::{html, merged};
use super::super::{Format, Input, json, xml};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "zendesk",
    claims: |peek| {
        let people =
            peek.keys(&["email", "role", "suspended"]) || peek.keys(&["email", "role", "time_zone", "verified"]);
        let tickets = peek.keys(&["requester_id", "submitter_id"]);
        let comments = peek.keys(&["author_id", "html_body"]) || peek.keys(&["author_id", "plain_body"]);
        let audits = peek.keys(&["ticket_id", "events", "author_id"]);
        let rows = peek.has(&["<ticket"]) && peek.has(&["requester-id"]) || peek.has(&["<users", "<is-active"]);
        (people || tickets || comments || audits || rows) && !peek.keys(&["http_interactions"])
    },
    learn: Some(|input, known| {
        records(input, &mut |value, _| {
            if value["email"].is_string() || value["role"].is_string() {
                user(value, known);
            }
            for one in list(value, "users") {
                user(one, known);
            }
            sender(value, known);
        })
    }),
    hand: |input, known, out| records(input, &mut |value, pointer| any(value, pointer, known, out)),
};

/// Lists that pages of the API consist of.
const LISTS: &[&str] = &[
    "tickets",
    "users",
    "comments",
    "audits",
    "ticket_audits",
    "results",
    "ticket_events",
    "organizations",
    "suspended_tickets",
    "deleted_tickets",
];

/// Every record of a page, of a file of lines or of an XML file.
fn records(input: &mut Input<'_>, each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    let mut lead = vec![0; 256];
    let got = input.read.read(&mut lead).map_err(|error| error.to_string())?;
    lead.truncate(got);
    let markup = lead.trim_ascii_start().starts_with(b"<") || lead.starts_with(b"\xef\xbb\xbf<");
    let mut read = lead.as_slice().chain(&mut *input.read);
    if markup {
        return xml::elements(&mut read, 1, &mut |found| each(&dashes(found.value), &found.pointer));
    }
    json::records(&mut read, LISTS, &mut |found| each(&found.value, &found.pointer))
}

/// Names of the XML export have dashes where JSON has underscores; lists are elements inside an element.
pub(super) fn dashes(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let listed = map.get("type").is_some_and(|kind| kind == "array") && map.len() <= 2;
            if listed {
                let inner = map.into_iter().find(|pair| pair.0 != "type").map(|pair| pair.1);
                return match inner {
                    Some(Value::Array(all)) => Value::Array(all.into_iter().map(dashes).collect()),
                    Some(one) => Value::Array(vec![dashes(one)]),
                    None => Value::Array(Vec::new()),
                };
            }
            Value::Object(map.into_iter().map(|(name, inner)| (name.replace('-', "_"), dashes(inner))).collect())
        }
        Value::Array(all) => Value::Array(all.into_iter().map(dashes).collect()),
        other => other,
    }
}

fn user(value: &Value, known: &mut Known) {
    let Some(id) = own(value, "id") else { return };
    let active = value["suspended"].as_bool().map(|suspended| !suspended).or_else(|| value["active"].as_bool());
    let active = if value["active"] == false { Some(false) } else { active };
    let who = person("zendesk", Some(id.clone()), None, own(value, "email"), own(value, "name"));
    if let Some(who) = listed(who, active) {
        known.add(&[Some(id)], who);
    }
}

/// A ticket that came as mail names its sender's address, whom no list of users may hold.
fn sender(value: &Value, known: &mut Known) {
    for one in [value, &value["ticket"]].into_iter().filter(|one| one["via"]["channel"] == "email") {
        let from = &one["via"]["source"]["from"];
        let id = own(one, "requester_id").or_else(|| own(one, "author_id"));
        let who = person("zendesk", id.clone(), None, own(from, "address"), own(from, "name"));
        if let (Some(who), Some(id)) = (listed(who, None), id) {
            known.add(&[Some(id)], who);
        }
    }
}

fn who(known: &Known, value: &Value, name: &str) -> Option<PersonRef> {
    known.person("zendesk", &own(value, name)?).filter(|who| who.id.as_deref() != Some("-1"))
}

fn any(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    if value["ticket"].is_object() && value.get("subject").is_none() {
        return any(&value["ticket"], &format!("{pointer}/ticket"), known, out);
    }
    let base =
        ["url", "ticket_url"].iter().find_map(|name| value[*name].as_str()).and_then(|url| url.split("/api/").next());
    let is_ticket = value.get("requester_id").is_some() && value.get("ticket_id").is_none();
    let ticket = if is_ticket { own(value, "id") } else { own(value, "ticket_id") }.unwrap_or_default();
    let ticket = if is_ticket && ticket.is_empty() { own(value, "nice_id").unwrap_or_default() } else { ticket };
    let link = base.filter(|_| !ticket.is_empty()).map(|base| format!("{base}/agent/tickets/{ticket}"));
    let name = own(value, "subject").unwrap_or_else(|| format!("ticket {ticket}"));
    let draft =
        Draft::new(container(ContainerKind::Ticket, ticket.as_str(), name, false), ItemKind::Field, ticket.as_str())
            .at(when(&value["created_at"]))
            .link(link)
            .pointer(pointer);
    if is_ticket {
        let requester = who(known, value, "requester_id").or_else(|| who(known, value, "submitter_id"));
        let to = who(known, value, "assignee_id").into_iter().collect();
        let first = draft.clone().kind(ItemKind::Description).by(requester).to(to);
        let first = first.edited(when(&value["updated_at"]));
        let description = html::decode(record.at("description"));
        out.item(first.pointer(format!("{pointer}/description")), &format!("{}\n{description}", record.at("subject")));
    }
    for name in ["comments", "conversations"] {
        for (n, one) in list(value, name).enumerate() {
            comment(&record, one, None, draft.clone().pointer(format!("{pointer}/{name}/{n}")), known, out);
        }
    }
    for name in ["events", "child_events"] {
        for (n, one) in list(value, name).enumerate() {
            event(&record, one, draft.clone().pointer(format!("{pointer}/{name}/{n}")), known, out);
        }
    }
    if value.get("html_body").is_some() || value.get("plain_body").is_some() {
        comment(&record, value, None, draft.clone(), known, out);
    }
    out.rest(draft, &record);
}

/// A comment; whom the audit names is the agent, whom the comment names is the author.
fn comment<'v>(
    record: &Rec<'v>,
    one: &'v Value,
    audit: Option<PersonRef>,
    draft: Draft,
    known: &Known,
    out: &mut Out<'_>,
) {
    let bodies = ["body", "plain_body", "value"].map(|name| record.take(&one[name]));
    let shown = html::decode(record.take(&one["html_body"]));
    let body = if html::looks(bodies[0]) { html::decode(bodies[0]) } else { bodies[0].to_owned() };
    let text = merged(merged(merged(body, &shown), bodies[1]), bodies[2]);
    let author = who(known, one, "author_id");
    let stands_in = matches!((&author, &audit), (Some(author), Some(agent)) if author.id != agent.id);
    let draft = draft
        .kind(ItemKind::Comment)
        .id(own(one, "id").unwrap_or_default())
        .by(author.or(audit))
        .via(if stands_in { Via::OnBehalf } else { Via::Direct });
    let draft = match when(&one["created_at"]) {
        Some(time) => draft.at(Some(time)),
        None => draft,
    };
    out.item(draft.clone(), &text);
    for (n, file) in list(one, "attachments").enumerate() {
        let shown = format!("{}\n{}", record.take(&file["file_name"]), record.take(&file["content_url"]));
        // The address of an attachment holds a token that opens it: the instance made that one.
        let draft = draft.clone().kind(ItemKind::Artefact).via(Via::System).by(None);
        out.item(draft.id(format!("attachment {n}")), &shown);
        for name in ["mapped_content_url", "url"] {
            record.take(&file[name]);
        }
    }
}

fn event<'v>(record: &Rec<'v>, one: &'v Value, draft: Draft, known: &Known, out: &mut Out<'_>) {
    let audit = who(known, record.value, "author_id").or_else(|| who(known, record.value, "updater_id"));
    match one["type"].as_str().or_else(|| one["event_type"].as_str()).unwrap_or_default() {
        "Comment" | "FacebookComment" | "VoiceComment" | "ChatTranscript" => {
            comment(record, one, audit, draft, known, out);
        }
        "Create" | "Change" => {
            let draft = draft.kind(ItemKind::History).id(own(one, "id").unwrap_or_default());
            let field = own(one, "field_name").unwrap_or_default();
            let plain = |text: &str| if text.is_empty() { String::new() } else { format!("{field}: {text}") };
            // Who set the earlier value is not said here.
            out.item(draft.clone().pointer_below("previous_value"), &plain(record.take(&one["previous_value"])));
            out.item(draft.by(audit).pointer_below("value"), &plain(record.take(&one["value"])));
        }
        _ => {}
    }
}
