//! Telegram: the desktop program's `result.json`, of one chat or of all, and what its interface for bots answers.

use std::io::Read;

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json};
use crate::source::{Container, ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "telegram",
    claims: |peek| {
        let chat = peek.keys(&["messages", "type"])
            && (peek.keys(&["date_unixtime"]) || peek.keys(&["from_id"]) || peek.keys(&["text_entities"]));
        let whole = peek.keys(&["personal_information"])
            && (peek.keys(&["about"]) || peek.keys(&["chats"]) || peek.keys(&["contacts"]));
        let bots = peek.keys(&["update_id", "message"]) && peek.keys(&["chat"]);
        super::telegram_page::claims(peek) || chat || whole || bots || peek.keys(&["from_id", "date", "text", "type"])
    },
    learn: Some(learn),
    hand,
};

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    if input.name.to_ascii_lowercase().ends_with(".html") {
        return Ok(());
    }
    // Whoever exported is the only one whose number the file holds.
    json::members(input.read, &["personal_information"], &mut |found| match found.key.as_str() {
        "name" | "type" | "id" => known.note(
            format!("chat {}", found.key),
            found.value.as_str().map_or_else(|| found.value.to_string(), str::to_owned),
        ),
        key if key.starts_with("personal_information/") => {
            if let Some(text) = own(&found.value, "")
                .or_else(|| found.value.as_str().map(str::to_owned))
                .or_else(|| Some(found.value.to_string()))
            {
                known.note(key, text);
            }
        }
        _ => {}
    })?;
    let fact = |name: &str| known.fact(&format!("personal_information/{name}")).map(str::to_owned);
    if let Some(id) = fact("user_id") {
        let name = [fact("first_name"), fact("last_name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let handle = fact("username").or_else(|| fact("phone_number"));
        if let Some(who) = listed(person("telegram", Some(format!("user{id}")), handle, None, Some(name)), None) {
            known.add(&[Some(format!("user{id}"))], who);
        }
    }
    Ok(())
}

fn chat(id: String, name: String, kind: &str) -> Container {
    let (sort, public) = match kind {
        "personal_chat" | "bot_chat" | "saved_messages" | "private" => (ContainerKind::Dm, false),
        "private_group" | "group" => (ContainerKind::GroupDm, false),
        other => (ContainerKind::Channel, other.starts_with("public")),
    };
    container(sort, id, name, public)
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let fact = |name: &str| known.fact(&format!("chat {name}")).unwrap_or_default().to_owned();
    let of = chat(fact("id"), fact("name"), &fact("type"));
    let mut lead = [0u8; 16];
    let got = input.read.read(&mut lead).map_err(|error| error.to_string())?;
    let mut read = lead[..got].chain(&mut *input.read);
    if lead[..got].contains(&b'<') {
        return super::telegram_page::hand(input.name, &mut read, out);
    }
    json::members(&mut read, &["chats", "left_chats"], &mut |found| {
        let (value, pointer) = (&found.value, found.pointer.as_str());
        let record = Rec::new(value, pointer);
        if value["messages"].is_array() {
            let of = chat(
                own(value, "id").unwrap_or_default(),
                own(value, "name").unwrap_or_default(),
                value["type"].as_str().unwrap_or_default(),
            );
            for (n, inner) in list(value, "messages").enumerate() {
                record.skip(inner);
                let place = format!("{pointer}/messages/{n}");
                message(&Rec::new(inner, &place), &of, known, out);
            }
            return out.rest(Draft::new(of, ItemKind::Field, "").pointer(pointer), &record);
        }
        let sent = ["message", "edited_message", "channel_post"].iter().find(|name| value[**name].is_object());
        if let (Some(name), true) = (sent, value.get("update_id").is_some()) {
            let place = format!("{pointer}/{name}");
            return update(&Rec::new(&value[*name], &place), out);
        }
        if value.get("date").is_some() && value.get("type").is_some() {
            return message(&record, &of, known, out);
        }
        out.rest(Draft::new(of.clone(), ItemKind::Field, "").pointer(pointer), &record);
    })
}

/// Text, or a list of texts and marked texts; links of marked texts come below.
fn joined<'v>(record: &Rec<'v>, value: &'v Value) -> String {
    let (mut text, mut links) = (String::new(), String::new());
    match value {
        Value::Array(all) => {
            for part in all {
                text.push_str(if part.is_object() { record.take(&part["text"]) } else { record.take(part) });
                let link = record.take(&part["href"]);
                if !link.is_empty() {
                    links.push('\n');
                    links.push_str(link);
                }
            }
        }
        one => text.push_str(record.take(one)),
    }
    text + &links
}

fn message(record: &Rec<'_>, of: &Container, known: &Known, out: &mut Out<'_>) {
    let value = record.value;
    let id = own(value, "from_id").or_else(|| own(value, "actor_id"));
    let id = id.map(|id| if id.bytes().all(|b| b.is_ascii_digit()) { format!("user{id}") } else { id });
    let name = own(value, "from").or_else(|| own(value, "actor"));
    let author = person("telegram", id, None, None, name).map(|who| known.complete(who));
    let forwarded = value.get("forwarded_from").is_some() || value.get("saved_from").is_some();
    let via = if value["type"] == "service" {
        Via::System
    } else if value["via_bot"].is_string() {
        Via::Bot
    } else if forwarded {
        Via::Forwarded
    } else {
        Via::Direct
    };
    // What was forwarded are somebody else's words.
    let original = || {
        let name = own(value, "forwarded_from").or_else(|| own(value, "saved_from"));
        person("telegram", own(value, "forwarded_from_id"), None, None, name)
    };
    let number = own(value, "id").unwrap_or_default();
    let public = of.id.trim_start_matches("-100");
    let link = matches!(of.kind, ContainerKind::Channel).then(|| format!("https://t.me/c/{public}/{number}"));
    let draft = Draft::new(of.clone(), ItemKind::Message, number)
        .by(if forwarded { original() } else { author })
        .via(via)
        .at(when(&value["date_unixtime"]).or_else(|| when(&value["date"])))
        .edited(when(&value["edited_unixtime"]).or_else(|| when(&value["edited"])))
        .link(link);
    let text = joined(record, &value["text"]);
    // The second form of the text can hold what the first does not.
    let second = joined(record, &value["text_entities"]);
    let text = if second.trim_matches('.').is_empty() || text.contains(&second) {
        text
    } else {
        super::super::text::merged(text, &second)
    };
    out.item(draft.clone().pointer(format!("{}/text", record.pointer)), &text);
    let mut said: Vec<&str> =
        ["file_name", "title", "performer", "address", "place_name"].map(|name| record.at(name)).into();
    said.push(record.at("poll.question"));
    said.extend(list(value, "poll.answers").map(|answer| record.take(&answer["text"])));
    said.extend(
        ["first_name", "last_name", "phone_number"].map(|name| record.take(&value["contact_information"][name])),
    );
    out.item(draft.clone().pointer(record.pointer), &said.join("\n"));
    // Buttons below a message have links of whoever made it.
    let buttons = list(value, "inline_bot_buttons").flat_map(|row| row.as_array().into_iter().flatten());
    let buttons: Vec<&str> = buttons.flat_map(|one| [record.take(&one["text"]), record.take(&one["data"])]).collect();
    out.item(draft.clone().pointer(format!("{}/inline_bot_buttons", record.pointer)), &buttons.join("\n"));
    out.others(draft.pointer(record.pointer), record);
}

/// A message as the interface for bots gives it.
fn update(record: &Rec<'_>, out: &mut Out<'_>) {
    let value = record.value;
    let of = chat(
        own(value, "chat.id").unwrap_or_default(),
        own(value, "chat.title").or_else(|| own(value, "chat.username")).unwrap_or_default(),
        value["chat"]["type"].as_str().unwrap_or_default(),
    );
    let who = |value: &Value| -> Option<PersonRef> {
        let name =
            [own(value, "first_name"), own(value, "last_name")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        person("telegram", own(value, "id").map(|id| format!("user{id}")), own(value, "username"), None, Some(name))
    };
    let forwarded = value["forward_from"].is_object();
    let draft = Draft::new(of, ItemKind::Message, own(value, "message_id").unwrap_or_default())
        .by(who(if forwarded { &value["forward_from"] } else { &value["from"] }))
        .via(if forwarded {
            Via::Forwarded
        } else if value["from"]["is_bot"] == true {
            Via::Bot
        } else {
            Via::Direct
        })
        .at(when(&value["date"]))
        .edited(when(&value["edit_date"]));
    let text = format!("{}\n{}", record.at("text"), record.at("caption"));
    out.item(draft.clone().pointer(format!("{}/text", record.pointer)), &text);
    let quoted = &value["reply_to_message"];
    if quoted.is_object() {
        let draft = draft.clone().by(who(&quoted["from"])).via(Via::Quoted).at(when(&quoted["date"])).edited(None);
        out.item(draft.pointer(format!("{}/reply_to_message/text", record.pointer)), record.take(&quoted["text"]));
    }
    out.others(draft.pointer(record.pointer), record);
}
