//! Discord, as the exporter of chats writes it: one file for a channel or a part of it.

use serde_json::Value;

use super::super::known::{Known, list, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json, table};
use crate::source::{Container, ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "discord",
    claims: |peek| {
        peek.keys(&["guild", "channel", "messages"])
            || peek.keys(&["guild", "dateRange"])
            || peek.keys(&["author", "discriminator", "timestamp"])
            || peek.starts("AuthorID,Author,Date,Content")
            || peek.starts("ID,Timestamp,Contents,Attachments")
    },
    learn: Some(learn),
    hand,
};

const LISTS: &[&str] = &["messages"];

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    json::gather(input.read, LISTS, &mut |found| {
        if found.key == "." {
            for (name, path) in [
                ("guild", "guild.id"),
                ("guild name", "guild.name"),
                ("channel", "channel.id"),
                ("channel name", "channel.name"),
                ("type", "channel.type"),
            ] {
                if let Some(fact) = own(&found.value, path) {
                    known.note(format!("{name} of {}", input.name), fact);
                }
            }
        }
    })
}

fn place(known: &Known, file: &str) -> (Container, Option<String>) {
    let fact = |name: &str| known.fact(&format!("{name} of {file}"));
    let (guild, channel) = (fact("guild").unwrap_or("0"), fact("channel"));
    let kind = fact("type").unwrap_or_default();
    let direct = kind.contains("Direct") || guild == "0" && channel.is_some();
    let kind = match direct {
        true if kind.contains("Group") => ContainerKind::GroupDm,
        true => ContainerKind::Dm,
        false => ContainerKind::Channel,
    };
    let base = file.rsplit('/').next().unwrap_or(file);
    let name = match (fact("guild name"), fact("channel name")) {
        (Some(guild), Some(channel)) if !direct => format!("{guild}/{channel}"),
        (_, Some(channel)) => channel.to_owned(),
        _ => base.to_owned(),
    };
    let space = if direct { "@me" } else { guild };
    let link = channel.map(|channel| format!("https://discord.com/channels/{space}/{channel}"));
    (container(kind, channel.unwrap_or(base), name, false), link)
}

fn who(value: &Value) -> Option<PersonRef> {
    let handle = own(value, "name").map(|name| match own(value, "discriminator").as_deref() {
        None | Some("0" | "0000") => name,
        Some(number) => format!("{name}#{number}"),
    });
    person("discord", own(value, "id"), handle, None, own(value, "nickname"))
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let (of, link) = place(known, input.name);
    let mut lead = [0u8; 1];
    let got = input.read.read(&mut lead).map_err(|error| error.to_string())?;
    let mut read = std::io::Read::chain(&lead[..got], &mut *input.read);
    let mut each = |found: json::Found| {
        let record = Rec::new(&found.value, &found.pointer);
        let draft = Draft::new(of.clone(), ItemKind::Message, "").pointer(found.pointer.as_str());
        if found.value["author"].is_object() {
            message(&record, draft, link.as_deref(), out);
        } else if found.value.get("AuthorID").is_some() || found.value.get("Contents").is_some() {
            let value = &found.value;
            let by = person("discord", own(value, "AuthorID"), own(value, "Author"), None, None);
            let time = when(&value["Date"]).or_else(|| when(&value["Timestamp"]));
            let draft = draft.id(own(value, "ID").unwrap_or_default()).by(by).at(time);
            let content = if value["Content"].is_null() { &value["Contents"] } else { &value["Content"] };
            out.item(draft.clone(), record.take(content));
            out.rest(draft, &record);
        } else {
            out.rest(draft, &record);
        }
    };
    if matches!(lead[..got], [b'{' | b'[' | b' ' | b'\n' | b'\r' | 0xef]) {
        json::gather(&mut read, LISTS, &mut each)
    } else {
        table::rows(&mut read, &mut each)
    }
}

fn message(record: &Rec<'_>, draft: Draft, link: Option<&str>, out: &mut Out<'_>) {
    let value = record.value;
    let id = own(value, "id").unwrap_or_default();
    let plain = matches!(value["type"].as_str(), None | Some("Default" | "Reply" | "0" | "19"));
    let bot = value["author"]["isBot"] == true;
    let via = if bot {
        Via::Bot
    } else if plain {
        Via::Direct
    } else {
        Via::System
    };
    // An id is a time: milliseconds since 2015 before its last 22 bits.
    let born = id
        .parse::<u64>()
        .ok()
        .and_then(|id| jiff::Timestamp::from_millisecond(((id >> 22) + 1_420_070_400_000) as i64).ok());
    let time = when(&value["timestamp"]).or_else(|| born.map(|time| time.to_string()));
    let draft = draft
        .id(id.as_str())
        .by(who(&value["author"]))
        .via(via)
        .at(time)
        .edited(when(&value["timestampEdited"]))
        .link(link.map(|link| format!("{link}/{id}")));
    out.item(draft.clone().pointer(format!("{}/content", record.pointer)), record.at("content"));
    for (n, embed) in list(value, "embeds").enumerate() {
        let mut text: Vec<String> =
            ["title", "url", "description"].map(|name| record.take(&embed[name]).to_owned()).into();
        text.extend(
            list(embed, "fields").map(|one| format!("{}: {}", record.take(&one["name"]), record.take(&one["value"]))),
        );
        out.item(draft.clone().pointer(format!("{}/embeds/{n}", record.pointer)), &text.join("\n"));
    }
    let forwarded = &value["forwardedMessage"];
    if forwarded.is_object() {
        let draft = draft.clone().by(None).via(Via::Forwarded).at(when(&forwarded["timestamp"]));
        out.item(
            draft.pointer(format!("{}/forwardedMessage/content", record.pointer)),
            record.take(&forwarded["content"]),
        );
    }
    for (n, file) in list(value, "attachments").enumerate() {
        let text = format!("{}\n{}", record.take(&file["fileName"]), record.take(&file["url"]));
        out.item(draft.clone().kind(ItemKind::File).pointer(format!("{}/attachments/{n}", record.pointer)), &text);
    }
    record.skip(&value["author"]["avatarUrl"]);
    out.others(draft, record);
}
