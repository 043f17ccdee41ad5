//! Rocket.Chat: pages of its API, collections as JSON lines or lists, and the dump of its database in BSON.

use std::io::Read;

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "rocketchat",
    claims: |peek| {
        peek.keys(&["rid", "msg", "u"])
            || peek.keys(&["rid", "_id", "u"])
            || peek.keys(&["username", "emails", "_id"])
            || peek.keys(&["_id", "t", "usernames"])
            || peek.keys(&["_id", "msgs", "usersCount"])
    },
    learn: Some(|input, known| records(input, &mut |value, _| learn(value, known))),
    hand: |input, known, out| records(input, &mut |value, pointer| one(value, pointer, known, out)),
};

/// Name of a collection in a dump.
pub(super) fn dumped(name: &str) -> bool {
    let base = name.rsplit(['/', '!']).next().unwrap_or(name);
    base.starts_with("rocketchat_") && base.ends_with(".bson") || base == "users.bson"
}

fn records(input: &mut Input<'_>, each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    if dumped(input.name) {
        return documents(input.read, each);
    }
    json::records(input.read, &["messages", "users", "channels", "groups", "ims", "rooms"], &mut |found| {
        each(&plain(found.value), &found.pointer);
    })
}

/// One BSON document after the other, each preceded by its length.
fn documents(read: &mut dyn Read, each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    for number in 0usize.. {
        let mut length = [0; 4];
        match super::super::super::windows::fill(read, &mut length).map_err(|error| error.to_string())? {
            0 => break,
            4 => {}
            _ => return Err("the dump is cut off".to_owned()),
        }
        let size = u32::from_le_bytes(length) as usize;
        if !(5..=json::LARGEST).contains(&size) {
            return Err(format!("document {number} has an impossible length"));
        }
        let mut bytes = length.to_vec();
        bytes.resize(size, 0);
        let got = super::super::super::windows::fill(read, &mut bytes[4..]).map_err(|error| error.to_string())?;
        if got + 4 < size {
            return Err("the dump is cut off".to_owned());
        }
        let document =
            bson::Document::from_reader(bytes.as_slice()).map_err(|error| format!("document {number}: {error}"))?;
        each(&json_of(bson::Bson::Document(document)), &format!("document {number}"));
    }
    Ok(())
}

fn json_of(value: bson::Bson) -> Value {
    use bson::Bson;
    match value {
        Bson::Document(inner) => inner.into_iter().map(|(name, value)| (name, json_of(value))).collect(),
        Bson::Array(all) => all.into_iter().map(json_of).collect(),
        Bson::String(text) | Bson::Symbol(text) | Bson::JavaScriptCode(text) => Value::String(text),
        Bson::Boolean(flag) => Value::Bool(flag),
        Bson::Int32(number) => number.into(),
        Bson::Int64(number) => number.into(),
        Bson::Double(number) => number.into(),
        Bson::DateTime(time) => time.timestamp_millis().into(),
        Bson::ObjectId(id) => Value::String(id.to_hex()),
        Bson::Binary(bytes) => Value::String(String::from_utf8_lossy(&bytes.bytes).into_owned()),
        _ => Value::Null,
    }
}

/// `{"$date": …}`, `{"$oid": …}` and their like become what they stand for.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.keys().all(|name| name.starts_with('$')) => {
            map.into_iter().next().map_or(Value::Null, |pair| plain(pair.1))
        }
        Value::Object(map) => Value::Object(map.into_iter().map(|(name, inner)| (name, plain(inner))).collect()),
        Value::Array(all) => Value::Array(all.into_iter().map(plain).collect()),
        other => other,
    }
}

fn learn(value: &Value, known: &mut Known) {
    let Some(id) = own(value, "_id") else { return };
    let email = list(value, "emails").find_map(|one| own(one, "address"));
    let is_room = value["t"].is_string() && !value["msg"].is_string();
    if is_room {
        let names: Vec<PersonRef> =
            list(value, "usernames").filter_map(|name| who(known, None, name.as_str()?)).collect();
        let (kind, public) = match value["t"].as_str() {
            Some("d") if names.len() > 2 => (ContainerKind::GroupDm, false),
            Some("d") => (ContainerKind::Dm, false),
            other => (ContainerKind::Channel, other == Some("c")),
        };
        let joined = names.iter().filter_map(|one| one.handle.clone()).collect::<Vec<_>>().join("--");
        let name = own(value, "fname").or_else(|| own(value, "name")).unwrap_or(joined);
        known.hold(id.as_str(), container(kind, id.as_str(), name, public), names);
    } else if value["username"].is_string()
        && (email.is_some() || !value["emails"].is_null() || !value["services"].is_null())
    {
        let handle = own(value, "username");
        let who = person("rocketchat", Some(id.clone()), handle.clone(), email, own(value, "name"));
        if let Some(who) = listed(who, value["active"].as_bool()) {
            known.add(&[Some(id), handle], who);
        }
    }
}

fn who(known: &Known, id: Option<String>, name: &str) -> Option<PersonRef> {
    let listed = id.as_deref().and_then(|id| known.find(id)).or_else(|| known.find(name)).cloned();
    listed.or_else(|| person("rocketchat", id, Some(name.to_owned()), None, None))
}

fn one(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    if !value["u"].is_object() || value["rid"].is_null() {
        // Users keep hashes and tokens of log-ins: the server's, not the poster's.
        let own_secret = !value["services"].is_null();
        let kind = if own_secret { ItemKind::Artefact } else { ItemKind::Field };
        let id = own(value, "_id").unwrap_or_default();
        let draft = Draft::new(container(ContainerKind::File, "", "records", false), kind, id).pointer(pointer);
        return out.rest(if own_secret { draft.via(Via::System) } else { draft }, &record);
    }
    let room = own(value, "rid").unwrap_or_default();
    let unknown = || (container(ContainerKind::Channel, room.as_str(), room.as_str(), false), Vec::new().into());
    let (of, readers) = known.container(&room).unwrap_or_else(unknown);
    let author = who(known, own(value, "u._id"), &own(value, "u.username").unwrap_or_default());
    let system = value["t"].is_string();
    let via = if !value["bot"].is_null() && value["bot"] != false {
        Via::Bot
    } else if system {
        Via::System
    } else {
        Via::Direct
    };
    let direct = matches!(of.kind, ContainerKind::Dm | ContainerKind::GroupDm);
    let to =
        if direct { readers.iter().filter(|one| author.as_ref() != Some(*one)).cloned().collect() } else { Vec::new() };
    // Somebody else may have changed the text; the record does not hold the first one.
    let draft = Draft::new(of, ItemKind::Message, own(value, "_id").unwrap_or_default())
        .by(author)
        .via(via)
        .at(when(&value["ts"]))
        .edited(when(&value["editedAt"]))
        .to(to)
        .readers(readers);
    out.item(draft.clone().pointer(format!("{pointer}/msg")), record.at("msg"));
    for (n, attached) in list(value, "attachments").enumerate() {
        let mut text: Vec<String> = ["title", "title_link", "text", "description", "message_link"]
            .map(|name| record.take(&attached[name]).to_owned())
            .into();
        text.extend(
            list(attached, "fields")
                .map(|one| format!("{}: {}", record.take(&one["title"]), record.take(&one["value"]))),
        );
        let mine = draft.clone().pointer(format!("{pointer}/attachments/{n}"));
        // A quoted message is an attachment with the name of its author.
        let mine = match own(attached, "author_name") {
            Some(name) => mine.by(who(known, None, &name)).via(Via::Quoted),
            None => mine,
        };
        out.item(mine, &text.join("\n"));
    }
    out.others(draft.pointer(pointer), &record);
}
