//! Slack's message markup → the text that people saw. Links that Slack made out of parts of a secret are put back.

/// Whether raw JSON has markup that can split a secret, so that a search of the raw bytes could miss it.
pub(super) fn may_split(raw: &[u8]) -> bool {
    [&b"<mailto:"[..], b"<http", b"<tel:", b"\\u003c", b"&amp;"]
        .iter()
        .any(|mark| memchr::memmem::find(raw, mark).is_some())
}

/// Decodes `<url|label>`, mentions and the three entities that Slack escapes.
pub(super) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = if rest.starts_with('<') { token(rest, &mut out) } else { entity(rest, &mut out) };
        rest = &rest[used..];
    }
    out.push_str(rest);
    out
}

/// One `<…>`; returns how much of `rest` it used.
fn token(rest: &str, out: &mut String) -> usize {
    let Some(end) = rest.find('>').filter(|end| !rest[..*end].contains('\n')) else {
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
pub(super) fn blocks(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Array(list) => list.iter().for_each(|part| blocks(part, out)),
        serde_json::Value::Object(part) => {
            let text = |key: &str| part.get(key).and_then(|value| value.as_str());
            match (text("text"), text("url")) {
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
            for key in ["text", "elements", "fields", "accessory", "title"] {
                if let Some(inner) = part.get(key).filter(|inner| !inner.is_string()) {
                    blocks(inner, out);
                }
            }
            let kind = text("type").unwrap_or_default();
            if kind.starts_with("rich_text_")
                || matches!(kind, "section" | "header" | "context" | "mrkdwn" | "plain_text")
            {
                out.push('\n');
            }
        }
        _ => {}
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
        blocks(&value, &mut out);
        assert_eq!(out, "svc:p4ss@db.corp.io\n");
    }
}
