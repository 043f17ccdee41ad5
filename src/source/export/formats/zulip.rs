//! Zulip: `realm.json` with the people and `messages-000001.json` with what they wrote.

use super::super::known::{Known, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::html;
use super::super::{Format, Input, json};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "zulip",
    claims: |peek| {
        let tables = [
            "zerver_message",
            "zerver_userprofile",
            "zerver_realm",
            "zerver_usermessage",
            "zerver_recipient",
            "zerver_stream",
        ];
        tables.iter().any(|table| peek.keys(&[table])) || peek.keys(&["sender", "recipient", "rendered_content"])
    },
    learn: Some(learn),
    hand,
};

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    json::members(input.read, &[], &mut |found| {
        let value = &found.value;
        let id = || own(value, "id").unwrap_or_default();
        match found.key.as_str() {
            "zerver_userprofile" | "zerver_userprofile_mirrordummy" | "zerver_userprofile_crossrealm" => {
                // `email` may be a made-up address that hides the real one.
                let masked = own(value, "email").filter(|mail| !mail.starts_with("user"));
                let email = own(value, "delivery_email").or(masked);
                let who = person("zulip", Some(id()), None, email, own(value, "full_name"));
                if let Some(who) = listed(who, value["is_active"].as_bool()) {
                    if value["is_bot"] == true {
                        known.note(format!("bot {}", id()), "yes");
                    }
                    known.add(&[Some(format!("user {}", id()))], who);
                }
            }
            "zerver_stream" => known.note(
                format!("stream {}", id()),
                format!(
                    "{}\n{}",
                    if value["invite_only"] == true { "private" } else { "public" },
                    own(value, "name").unwrap_or_default()
                ),
            ),
            "zerver_recipient" => known.note(
                format!("recipient {}", id()),
                format!("{} {}", own(value, "type").unwrap_or_default(), own(value, "type_id").unwrap_or_default()),
            ),
            "zerver_subscription" => {
                if let (Some(who), Some(to)) = (own(value, "user_profile"), own(value, "recipient")) {
                    let list = known.fact(&format!("members {to}")).map(str::to_owned).unwrap_or_default();
                    known.replace(format!("members {to}"), format!("{list}{who} "));
                }
            }
            "zerver_realm" => {
                if let Some(name) = own(value, "string_id") {
                    known.note("realm", name);
                }
            }
            _ => {}
        }
    })
}

fn who(known: &Known, id: &str) -> Option<PersonRef> {
    (!id.is_empty())
        .then(|| known.find(&format!("user {id}")).cloned().unwrap_or_else(|| PersonRef::by_id("zulip", id)))
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let file = input.name.to_owned();
    json::members(input.read, &[], &mut |found| {
        let (value, pointer) = (&found.value, found.pointer.as_str());
        let record = Rec::new(value, pointer);
        if value.get("sender").is_some() && value.get("content").is_some() {
            return message(&record, known, out);
        }
        // Rows of people hold password hashes and keys of the API.
        let own_secret = found.key.starts_with("zerver_userprofile") || found.key == "zerver_realm";
        let kind = if own_secret { ItemKind::Artefact } else { ItemKind::Field };
        let of = container(ContainerKind::File, "", file.rsplit('/').next().unwrap_or_default(), false);
        let draft = Draft::new(of, kind, own(value, "id").unwrap_or_default()).pointer(pointer);
        out.rest(if own_secret { draft.via(Via::System) } else { draft }, &record);
    })
}

fn message(record: &Rec<'_>, known: &Known, out: &mut Out<'_>) {
    let value = record.value;
    let to = own(value, "recipient").unwrap_or_default();
    let target = known.fact(&format!("recipient {to}")).unwrap_or_default();
    let (kind, id) = target.split_once(' ').unwrap_or_default();
    let members: Vec<PersonRef> = known
        .fact(&format!("members {to}"))
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter_map(|id| who(known, id))
        .collect();
    let topic = own(value, "subject").unwrap_or_default();
    let (of, sent_to) = match kind {
        "2" => {
            let stream = known.fact(&format!("stream {id}")).unwrap_or("private\n");
            let (access, name) = stream.split_once('\n').unwrap_or_default();
            (container(ContainerKind::Channel, id, format!("{name}/{topic}"), access == "public"), Vec::new())
        }
        "1" => (
            container(ContainerKind::Dm, to.as_str(), format!("direct message {to}"), false),
            who(known, id).into_iter().collect(),
        ),
        _ => (container(ContainerKind::GroupDm, to.as_str(), format!("conversation {to}"), false), members.clone()),
    };
    let sender = own(value, "sender").unwrap_or_default();
    let id = own(value, "id").unwrap_or_default();
    let bot = known.fact(&format!("bot {sender}")).is_some();
    let link = known.fact("realm").filter(|name| !name.is_empty());
    let draft = Draft::new(of, ItemKind::Message, id.as_str())
        .by(who(known, &sender))
        .via(if bot { Via::Bot } else { Via::Direct })
        .at(when(&value["date_sent"]).or_else(|| when(&value["pub_date"])))
        .edited(when(&value["last_edit_time"]))
        .link(link.map(|realm| format!("https://{realm}.zulipchat.com/#narrow/near/{id}")))
        .to(sent_to)
        .readers(members.into());
    out.item(draft.clone().pointer(format!("{}/content", record.pointer)), record.at("content"));
    record.at("rendered_content");
    // The history of a message is JSON inside of a string.
    let history = record.take(&value["edit_history"]);
    let edits = if history.is_empty() {
        value["edit_history"].clone()
    } else {
        serde_json::from_str(history).unwrap_or_default()
    };
    for (n, edit) in edits.as_array().into_iter().flatten().enumerate() {
        let text = [own(edit, "prev_content"), own(edit, "prev_rendered_content").map(|text| html::decode(&text))];
        let text = text.into_iter().flatten().next().unwrap_or_default();
        let mine = draft.clone().kind(ItemKind::History).edited(None);
        out.item(mine.pointer(format!("{}/edit_history/{n}/prev_content", record.pointer)), &text);
    }
    record.skip(&value["edit_history"]);
    out.others(draft.pointer(record.pointer), record);
}
