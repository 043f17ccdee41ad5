//! Slack's message markup → the text that people saw. Links that Slack made out of parts of a secret are put back.

use std::borrow::Cow;

use super::super::export::text::Said;
use super::glance::{Node, Part};

/// Decodes `<url|label>`, mentions and the three entities that Slack escapes.
pub(super) fn decode<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if memchr::memchr2(b'<', b'&', text.as_bytes()).is_none() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = if rest.starts_with('<') { token(rest, &mut out) } else { entity(rest, &mut out) };
        rest = &rest[used..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The text of a message with what its blocks have alone: most say the same twice.
pub(super) fn with_blocks<'a>(text: Cow<'a, str>, value: &Node<'_>) -> Cow<'a, str> {
    let mut shown = String::new();
    blocks(value, &mut shown);
    let (mut text, mut said) = (text, Said::default());
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        if !said.holds(&text, line.trim()) {
            let text = text.to_mut();
            text.push('\n');
            text.push_str(line);
        }
    }
    text
}

/// Most bytes of one `<…>`.
const LONGEST: usize = 8 << 10;

/// One `<…>`; returns how much of `rest` it used.
fn token(rest: &str, out: &mut String) -> usize {
    let near = &rest.as_bytes()[..rest.len().min(LONGEST)];
    let Some(end) = memchr::memchr2(b'>', b'\n', near).filter(|end| near[*end] == b'>') else {
        out.push('<');
        return 1;
    };
    let inside = &rest[1..end];
    let (target, label) = inside.split_once('|').map_or((inside, None), |(target, label)| (target, Some(label)));
    match (target.chars().next(), label) {
        (Some('@' | '#' | '!'), Some(label)) => out.push_str(&plain(label)),
        (Some('@' | '#'), None) => out.push_str(target),
        (Some('!'), None) => {}
        (_, Some(label)) => {
            // What Slack linked by itself shows the text as it was typed; a label that people chose hides another target.
            let (shown, target) = (plain(label), plain(target));
            out.push_str(&shown);
            let bare = target.split_once(':').map_or(target.as_str(), |pair| pair.1).trim_start_matches("//");
            if bare.trim_end_matches('/') != shown.trim_end_matches('/') && target != shown {
                out.push_str(" (");
                out.push_str(&target);
                out.push(')');
            }
        }
        (_, None) => out.push_str(&plain(target.strip_prefix("mailto:").unwrap_or(target))),
    }
    end + 1
}

/// Text with its entities, without tokens.
fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// One entity; a lone ampersand stays.
fn entity(rest: &str, out: &mut String) -> usize {
    for (name, character) in [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')] {
        if rest.starts_with(name) {
            out.push(character);
            return name.len();
        }
    }
    out.push('&');
    1
}

/// Text of `blocks`: neighbours inside a paragraph are joined without a blank, because Slack splits a secret into text and
/// link parts; blocks are lines.
pub(super) fn blocks(value: &Node<'_>, out: &mut String) {
    match value {
        Node::List(list) => list.iter().for_each(|part| blocks(part, out)),
        Node::Part(part) => block(part, out),
        Node::Text(_) | Node::Other => {}
    }
}

fn block(part: &Part<'_>, out: &mut String) {
    match (part.text.as_ref().and_then(Node::text), part.url.as_deref()) {
        (Some(shown), Some(url)) => {
            out.push_str(shown);
            let bare = url.split_once(':').map_or(url, |pair| pair.1).trim_start_matches("//");
            if bare.trim_end_matches('/') != shown.trim_end_matches('/') {
                out.push_str(" (");
                out.push_str(url);
                out.push(')');
            }
        }
        (Some(shown), None) => out.push_str(shown),
        (None, Some(url)) => out.push_str(url.strip_prefix("mailto:").unwrap_or(url)),
        (None, None) => {}
    }
    let inside = [&part.text, &part.elements, &part.fields, &part.accessory, &part.title];
    inside.into_iter().flatten().for_each(|inner| blocks(inner, out));
    let kind = part.kind.as_deref().unwrap_or_default();
    if kind.starts_with("rich_text_") || matches!(kind, "section" | "header" | "context" | "mrkdwn" | "plain_text") {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linkified_secrets_come_back_whole() {
        assert_eq!(decode("svc:<mailto:p4ss@db.corp.io|p4ss@db.corp.io>"), "svc:p4ss@db.corp.io");
        assert_eq!(decode("tok <http://abc.de|abc.de>fgh"), "tok abc.defgh");
        assert_eq!(decode("a &amp;&lt;b&gt; <@U1> <#C1|ops> <!here>"), "a &<b> @U1 ops ");
        assert_eq!(decode("<https://x.example/?t=1&amp;u=2|click>"), "click (https://x.example/?t=1&u=2)");
        assert_eq!(decode("3 < 4 & 5"), "3 < 4 & 5");
    }

    #[test]
    fn blocks_join_text_and_link_parts() {
        let value = serde_json::json!([{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": "svc:"}, {"type": "link", "url": "mailto:p4ss@db.corp.io", "text": "p4ss@db.corp.io"}]}]}]);
        let mut out = String::new();
        blocks(&serde::Deserialize::deserialize(&value).expect("any JSON"), &mut out);
        assert_eq!(out, "svc:p4ss@db.corp.io\n");
    }
}
