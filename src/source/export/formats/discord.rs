//! Discord, as the exporter of chats writes it: one file for a channel or a part of it.

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json, table};
use crate::source::{Container, ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "discord",
    claims: |peek| {
        peek.keys(&["guild", "channel", "messages"])
            || peek.keys(&["guild", "dateRange"])
            || peek.keys(&["author", "discriminator", "timestamp"])
            || peek.keys(&["username", "discriminator", "email"])
            || peek.base() == "channel.json" && peek.keys(&["id", "type"])
            || peek.starts("AuthorID,Author,Date,Content")
            || peek.starts("\"AuthorID\",\"Author\"")
            || peek.starts("ID,Timestamp,Contents,Attachments")
            || peek.keys(&["ID", "Timestamp", "Contents", "Attachments"])
            || super::discord_page::claims(peek)
    },
    learn: Some(learn),
    hand,
};

const LISTS: &[&str] = &["messages"];

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    let folder = input.name.rsplit_once('/').map_or("", |pair| pair.0).to_owned();
    json::gather(input.read, LISTS, &mut |found| {
        let value = &found.value;
        if found.key == "." && value["username"].is_string() && value["email"].is_string() {
            let handle = own(value, "username");
            let who = person("discord", own(value, "id"), handle, own(value, "email"), own(value, "global_name"));
            if let Some(who) = listed(who, None) {
                known.add(&[Some("owner".to_owned()), own(value, "id")], who);
            }
        } else if found.key == "." {
            for (name, paths) in [
                ("guild", ["guild.id", "guild.id"]),
                ("guild name", ["guild.name", "guild.name"]),
                ("channel", ["channel.id", "id"]),
                ("channel name", ["channel.name", "name"]),
                ("type", ["channel.type", "type"]),
            ] {
                let whole = value["channel"].is_object();
                let place = if whole { input.name } else { folder.as_str() };
                if let Some(fact) = own(value, paths[usize::from(!whole)]) {
                    known.note(format!("{name} of {place}"), fact);
                }
            }
        }
    })
}

fn place(known: &Known, file: &str) -> (Container, Option<String>) {
    // In an account's own data the channel is told by a file beside the messages.
    let beside = file.rsplit_once('/').map_or("", |pair| pair.0);
    let fact =
        |name: &str| known.fact(&format!("{name} of {file}")).or_else(|| known.fact(&format!("{name} of {beside}")));
    let (guild, channel) = (fact("guild").unwrap_or("0"), fact("channel"));
    let kind = fact("type").unwrap_or_default();
    let direct = kind.contains("Direct") || matches!(kind, "DM" | "1" | "3") || guild == "0" && channel.is_some();
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
    let mut lead = [0u8; 4];
    let got = super::super::super::windows::fill(input.read, &mut lead).map_err(|error| error.to_string())?;
    let lead = lead[..got].strip_prefix(b"\xef\xbb\xbf").unwrap_or(&lead[..got]);
    let first = lead.first().copied().unwrap_or_default();
    let mut read = std::io::Read::chain(lead, &mut *input.read);
    let mut each = |found: json::Found| {
        let record = Rec::new(&found.value, &found.pointer);
        let draft = Draft::new(of.clone(), ItemKind::Message, "").pointer(found.pointer.as_str());
        if found.value["author"].is_object() {
            message(&record, draft, link.as_deref(), out);
        } else if found.value.get("AuthorID").is_some() || found.value.get("Contents").is_some() {
            let value = &found.value;
            // An account's own data holds what its owner wrote and nothing else.
            let owner = || known.find("owner").filter(|_| value.get("Contents").is_some()).cloned();
            let by = person("discord", own(value, "AuthorID"), own(value, "Author"), None, None).or_else(owner);
            let time = when(&value["Date"]).or_else(|| when(&value["Timestamp"]));
            let id = own(value, "ID").unwrap_or_default();
            let place = link.as_ref().filter(|_| !id.is_empty()).map(|link| format!("{link}/{id}"));
            let draft = draft.at(super::discord_page::born(&id).or(time)).id(id).by(by).link(place);
            let content = if value["Content"].is_null() { &value["Contents"] } else { &value["Content"] };
            out.item(draft.clone(), record.take(content));
            out.rest(draft, &record);
        } else {
            out.rest(draft, &record);
        }
    };
    if first == b'<' {
        return super::discord_page::page(&of, &mut read, out);
    }
    if first == b'=' {
        return super::discord_page::text(&of, &mut read, out);
    }
    if matches!(first, b'{' | b'[' | b' ' | b'\n' | b'\r') {
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
    let time = when(&value["timestamp"]).or_else(|| super::discord_page::born(&id));
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
        for (part, name) in
            [("author", "name"), ("author", "url"), ("footer", "text"), ("image", "url"), ("thumbnail", "url")]
        {
            text.push(record.take(&embed[part][name]).to_owned());
        }
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
