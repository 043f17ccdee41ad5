//! Google Chat as Takeout gives it: a folder for each space or direct message, with its members and messages.

use std::sync::Arc;

use serde_json::Value;

use super::super::dates;
use super::super::known::{Known, list, own, person};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json};
use crate::source::{Container, ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "google-chat",
    claims: |peek| {
        peek.keys(&["creator", "created_date"])
            || peek.keys(&["creator", "message_id", "topic_id"])
            || peek.keys(&["members", "user_type", "email"])
            || peek.keys(&["membership_info", "user"])
    },
    learn: Some(learn),
    hand,
};

/// `…/Groups/Space AAAA/messages.json` → `Space AAAA`.
fn folder(name: &str) -> &str {
    name.rsplit(['/', '!']).nth(1).unwrap_or("chat")
}

fn space(folder: &str, name: Option<String>) -> Container {
    let (kind, id) = match folder.split_once(' ') {
        Some(("DM", id)) => (ContainerKind::Dm, id),
        Some((_, id)) => (ContainerKind::Channel, id),
        None => (ContainerKind::Channel, folder),
    };
    container(kind, id, name.unwrap_or_else(|| folder.to_owned()), false)
}

fn who(value: &Value) -> Option<PersonRef> {
    person("google-chat", None, None, own(value, "email"), own(value, "name"))
}

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    let folder = folder(input.name).to_owned();
    let mut members = Vec::new();
    let mut name = None;
    let result = json::members(input.read, &[], &mut |found| match found.key.as_str() {
        "members" => members.extend(who(&found.value)),
        "name" => name = found.value.as_str().map(str::to_owned),
        "user" => {
            if let Some(who) = who(&found.value) {
                known.add(std::slice::from_ref(&who.email.clone()), who);
            }
        }
        _ => {}
    });
    if !members.is_empty() {
        for who in &members {
            known.add(std::slice::from_ref(&who.email), who.clone());
        }
        let mut of = space(&folder, name);
        if of.kind == ContainerKind::Dm && members.len() > 2 {
            of.kind = ContainerKind::GroupDm;
        }
        known.hold(folder, of, members);
    }
    result
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let folder = folder(input.name).to_owned();
    let (of, readers) =
        known.container(&folder).unwrap_or_else(|| (space(&folder, None), Arc::<[PersonRef]>::from([])));
    json::gather(input.read, &["messages"], &mut |found| {
        let value = &found.value;
        let record = Rec::new(value, &found.pointer);
        if !value["creator"].is_object() && found.key != "messages" {
            let draft = Draft::new(of.clone(), ItemKind::Field, "").pointer(found.pointer.as_str());
            return out.rest(draft, &record);
        }
        message(&record, &of, &readers, known, out);
    })
}

fn message(record: &Rec<'_>, of: &Container, readers: &Arc<[PersonRef]>, known: &Known, out: &mut Out<'_>) {
    let value = record.value;
    let mut author = who(&value["creator"]);
    // A bot, or an account that is gone: the name alone, or what the space's list says.
    if let Some(listed) = author.as_ref().and_then(|one| known.find(one.email.as_deref()?)) {
        author = author.map(|mut one| {
            one.display = one.display.or_else(|| listed.display.clone());
            one
        });
    }
    let bot = value["creator"]["user_type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bot"));
    let id = own(value, "message_id").or_else(|| own(value, "topic_id")).unwrap_or_default();
    let peers: Vec<PersonRef> = if of.kind == ContainerKind::Channel {
        Vec::new()
    } else {
        readers.iter().filter(|one| author.as_ref().is_none_or(|author| author.email != one.email)).cloned().collect()
    };
    let draft = Draft::new(of.clone(), ItemKind::Message, id.as_str())
        .by(author)
        .via(if bot { Via::Bot } else { Via::Direct })
        .at(value["created_date"].as_str().map(dates::spelled))
        .edited(value["updated_date"].as_str().map(dates::spelled))
        .link(link(&id, of.kind))
        .to(peers)
        .readers(Arc::clone(readers));
    out.item(draft.clone().pointer(format!("{}/text", record.pointer)), record.at("text"));
    for (n, old) in list(value, "previous_message_versions").enumerate() {
        let draft = draft.clone().kind(ItemKind::History).at(old["created_date"].as_str().map(dates::spelled));
        let shown = record.take(&old["text"]);
        out.item(draft.pointer(format!("{}/previous_message_versions/{n}/text", record.pointer)), shown);
    }
    let quoted = &value["quoted_message_metadata"];
    if quoted.is_object() {
        let draft = draft.clone().by(who(&quoted["creator"])).via(Via::Quoted).edited(None);
        let shown = record.take(&quoted["text"]);
        out.item(draft.pointer(format!("{}/quoted_message_metadata/text", record.pointer)), shown);
    }
    out.others(draft.pointer(record.pointer), record);
}

/// `space/topic/message` → the address of the message.
fn link(id: &str, kind: ContainerKind) -> Option<String> {
    let mut parts = id.split('/');
    let (space, topic) = (parts.next()?, parts.next()?);
    let room = if kind == ContainerKind::Channel { "room" } else { "dm" };
    let message = parts.next().map(|message| format!("/{message}")).unwrap_or_default();
    Some(format!("https://chat.google.com/{room}/{space}/{topic}{message}"))
}
