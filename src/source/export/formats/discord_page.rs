//! Discord's chats as the exporter of chats writes them for readers: HTML and plain text.

use std::io::{BufRead, BufReader, Read};

use super::super::known::person;
use super::super::out::{Draft, Out};
use super::super::text::html;
use super::super::{Peek, blocks, dates, json, lines};
use crate::source::{Container, ItemKind, PersonRef, Record, Via};

pub(super) fn claims(peek: &Peek<'_>) -> bool {
    peek.starts("<") && peek.has(&["chatlog__"])
        || peek.starts("<!DOCTYPE html") && peek.has(&["DiscordChatExporter"])
        || peek.starts("=====") && peek.has(&["\nGuild: ", "\nChannel: "])
}

/// The time in an id: milliseconds since 2015 before its last 22 bits.
pub(super) fn born(id: &str) -> Option<String> {
    let id = id.parse::<u64>().ok().filter(|id| *id > 1 << 32)?;
    jiff::Timestamp::from_millisecond(((id >> 22) + 1_420_070_400_000) as i64).ok().map(|time| time.to_string())
}

/// Whether a message, or a group of messages of one author, starts here.
fn starts(tag: &str) -> bool {
    let tag = tag.trim_start_matches("<div ");
    [
        "id=\"chatlog__message-container-",
        "id=chatlog__message-container-",
        "class=\"chatlog__message-group",
        "class=chatlog__message-group",
    ]
    .iter()
    .any(|mark| tag.starts_with(mark))
        || tag.strip_prefix("class=").is_some_and(|rest| {
            let rest = rest.trim_start_matches('"').strip_prefix("chatlog__message");
            rest.is_some_and(|rest| rest.starts_with(['"', ' ', '>'])) && tag.contains("data-message-id")
        })
}

/// A page; older ones name the author once above several messages.
pub(super) fn page(of: &Container, read: &mut dyn Read, out: &mut Out<'_>) -> Result<(), String> {
    let (mut author, mut bot, mut shown): (Option<PersonRef>, bool, Option<String>) = (None, false, None);
    let mut id = String::new();
    let mut first = true;
    blocks::each(read, starts, &mut |block| {
        if std::mem::take(&mut first) {
            return out.item(Draft::new(of.clone(), ItemKind::Field, ""), &html::decode(block));
        }
        let head = block.split('>').next().unwrap_or_default();
        if head.contains("chatlog__message-group") {
            (author, bot, shown) = (None, false, None);
        }
        if let Some(own) = html::attribute(head, "data-message-id") {
            id = own;
        } else if let Some((_, own)) = head.split_once("message-container-") {
            id = own.chars().take_while(char::is_ascii_digit).collect();
        }
        if let Some((_, tag, rest)) =
            ["chatlog__author", "chatlog__author-name"].iter().find_map(|class| blocks::classed(block, class))
        {
            let name = html::decode(rest.split("</").next().unwrap_or_default()).trim().to_owned();
            let handle = html::attribute(tag, "title");
            author = person(
                "discord",
                html::attribute(tag, "data-user-id"),
                handle.or(Some(name.clone())),
                None,
                Some(name),
            );
            bot = blocks::classed(block, "chatlog__author-tag")
                .or_else(|| blocks::classed(block, "chatlog__bot-tag"))
                .is_some();
        }
        let stamp =
            ["chatlog__timestamp", "chatlog__short-timestamp"].iter().find_map(|class| blocks::classed(block, class));
        if let Some((_, tag, rest)) = stamp {
            shown = html::attribute(tag, "title")
                .or_else(|| Some(html::decode(rest.split("</").next()?).trim().to_owned()));
        }
        let parts = ["chatlog__content", "chatlog__attachment", "chatlog__embed", "chatlog__edited-timestamp"];
        let body = parts.iter().filter_map(|class| blocks::classed(block, class)).map(|found| found.0).min();
        let (around, body) = block.split_at(body.unwrap_or(block.len()));
        let draft = Draft::new(of.clone(), ItemKind::Message, id.as_str()).pointer(format!("message {id}"));
        let draft = draft.at(born(&id).or_else(|| shown.as_deref().map(dates::spelled)));
        // Above the text stands what is answered, in the words of another.
        out.item(draft.clone().kind(ItemKind::Field).via(Via::System), &html::decode(around));
        let via = if bot { Via::Bot } else { Via::Direct };
        out.item(draft.by(author.clone()).via(via), &html::decode(body));
    })
}

/// `[05-Mar-24 09:05 AM] alice#1234` above each message.
fn stamped(line: &str) -> Option<(String, &str)> {
    let (stamp, name) = line.strip_prefix('[')?.split_once("] ")?;
    let when = dates::read(stamp).filter(|when| when.clock.is_some() && when.strange == 0)?;
    let name = name.trim_end().trim_end_matches(" (pinned)");
    let time = when.told(dates::Order::Unknown).unwrap_or_else(|| stamp.to_owned());
    (!name.is_empty()).then_some((time, name))
}

/// Plain text, line by line.
pub(super) fn text(of: &Container, read: &mut dyn Read, out: &mut Out<'_>) -> Result<(), String> {
    let mut read = BufReader::with_capacity(64 << 10, read);
    let (mut number, mut start, mut raw, mut body) = (0u32, 0u32, Vec::new(), Vec::new());
    let mut draft = Draft::new(of.clone(), ItemKind::Field, "").via(Via::System);
    loop {
        raw.clear();
        let got =
            (&mut read).take(json::LARGEST as u64).read_until(b'\n', &mut raw).map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&raw).into_owned();
        let next = stamped(&line);
        let ruler = line.starts_with("======");
        if got == 0 || next.is_some() || ruler || body.len() > json::LARGEST {
            lines::starts(Some(Record::new((start, 0), body.clone())));
            out.item(draft.clone(), &String::from_utf8_lossy(&body));
            body.clear();
            start = number;
            if ruler {
                draft = Draft::new(of.clone(), ItemKind::Field, "").via(Via::System);
            }
        }
        if got == 0 {
            return Ok(());
        }
        number += 1;
        match next {
            Some((time, name)) => {
                let place = format!("line {number}");
                let author = person("discord", None, Some(name.to_owned()), None, None);
                draft =
                    Draft::new(of.clone(), ItemKind::Message, place.as_str()).by(author).at(Some(time)).pointer(place);
                start = number;
            }
            None => body.extend_from_slice(&raw),
        }
    }
}
