//! Telegram's export as pages: `messages.html`, `messages2.html`, …

use std::io::Read;

use super::super::known::person;
use super::super::out::{Draft, Out, container};
use super::super::text::html;
use super::super::{Peek, blocks, dates};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) fn claims(peek: &Peek<'_>) -> bool {
    peek.starts("<") && peek.has(&["<div class=\"page_wrap", "class=\"history\"", "class=\"message "])
}

/// One page; people are names only.
pub(super) fn hand(name: &str, read: &mut dyn Read, out: &mut Out<'_>) -> Result<(), String> {
    let mut of = container(ContainerKind::Channel, name, name.rsplit('/').next().unwrap_or(name), false);
    let mut last: Option<PersonRef> = None;
    let mut first = true;
    blocks::each(read, |tag| tag.starts_with("<div class=\"message "), &mut |block| {
        if std::mem::take(&mut first) {
            if let Some(name) =
                blocks::classed(block, "page_header").and_then(|(_, _, rest)| blocks::said(rest, "text"))
            {
                of.name = name;
            }
            return out.item(Draft::new(of.clone(), ItemKind::Field, ""), &html::decode(block));
        }
        let head = block.split('>').next().unwrap_or_default();
        let id = html::attribute(head, "id").unwrap_or_default();
        let draft = Draft::new(of.clone(), ItemKind::Message, id.trim_start_matches("message")).pointer(id.as_str());
        if head.contains("service") {
            return out.item(draft.via(Via::System), &html::decode(block));
        }
        let (mut time, mut body) = (None, block);
        if let Some((_, tag, rest)) = blocks::classed(body, "date") {
            time = html::attribute(tag, "title").map(|title| dates::spelled(&title));
            body = rest.split_once("</div>").map_or(rest, |pair| pair.1);
        }
        let (own, forwarded) = match blocks::classed(body, "forwarded") {
            Some((at, _, rest)) => (&body[..at], Some(rest)),
            None => (body, None),
        };
        if let Some(name) = blocks::said(own, "from_name") {
            last = person("telegram", None, None, None, Some(name));
        }
        let draft = draft.at(time);
        let after = |text: &str| {
            let rest = blocks::classed(text, "from_name").and_then(|(_, _, rest)| rest.split_once("</div>"));
            html::decode(rest.map_or(text, |pair| pair.1))
        };
        out.item(draft.clone().by(last.clone()), &after(own));
        // What was forwarded are somebody else's words, told with the time at which they were written.
        if let Some(text) = forwarded {
            let name = blocks::said(text, "from_name");
            let written = blocks::classed(text, "date").and_then(|(_, tag, _)| html::attribute(tag, "title"));
            let draft = draft.by(person("telegram", None, None, None, name)).via(Via::Forwarded);
            let draft = match written {
                Some(time) => draft.at(Some(dates::spelled(&time))),
                None => draft,
            };
            out.item(draft, &after(text));
        }
    })
}
