use serde_json::{Value, json};

use super::super::directory::Directory;
use super::super::message::Day;
use super::*;

/// Texts of the pieces that a parse makes of a message.
fn parsed(message: &Value) -> Vec<String> {
    let directory = Directory::default();
    let day = Day { directory: &directory, folder: "ops", workspace: None };
    day.items(message, "/0").into_iter().map(|piece| piece.1).collect()
}

/// What a look at the bytes gives: nothing for a message that is to be parsed.
fn glanced(raw: &str) -> Option<String> {
    Some(Glance::of(raw.as_bytes())?.text()?.into_owned())
}

#[test]
fn a_glance_shows_the_text_that_a_parse_gives() {
    let messages = [
        json!({"type": "message", "user": "U1", "ts": "1.2", "text": "pa\"ss\\ \u{e4}\n\u{2028}", "reactions": [{"name": "x", "users": ["U1"]}]}),
        json!({"text": "svc:<mailto:p4ss@db.corp.io|p4ss@db.corp.io> &amp; more", "edited": {"user": "U1", "ts": "1"}}),
        json!({"text": "a *b*c", "blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": "a "}, {"type": "text", "text": "b", "style": {"bold": true}}, {"type": "text", "text": "c"},
            {"type": "link", "url": "https://x.example/", "text": "x.example"}]}]}]}),
        json!({"text": "", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "only here"}, "fields": [{"text": "f"}],
            "accessory": {"url": "mailto:u@x.example"}, "title": {"text": "t"}, "elements": "none"}]}),
        json!({"text": null, "files": [], "attachments": []}),
    ];
    for message in messages {
        for raw in [message.to_string(), serde_json::to_string_pretty(&message).expect("written")] {
            let text = glanced(&raw).unwrap_or_else(|| panic!("needs no parse: {raw}"));
            let wanted = parsed(&message);
            assert_eq!(wanted, if text.trim().is_empty() { Vec::new() } else { vec![text] }, "{raw}");
        }
    }
}

#[test]
fn what_carries_more_than_text_is_parsed() {
    for more in [
        json!({"text": "x", "files": [{"preview": "y"}]}),
        json!({"text": "x", "attachments": [{"text": "y"}]}),
        json!({"subtype": "message_changed", "message": {"text": "y"}}),
        json!({"text": "x", "something_new": {"deep": ["y"]}}),
    ] {
        assert_eq!(glanced(&more.to_string()), None);
        assert!(parsed(&more).iter().any(|text| text.contains('y')), "{more}");
    }
    assert_eq!(glanced(r#"{"te\u0078t": "hidden"}"#), None);
    assert_eq!(glanced(r#"{"text": "cut"#), None);
    assert_eq!(glanced(r#"{"text": "\ud800"}"#), None, "half a character is left to the parser");
}

/// Messages of a stream and whether it ended well; with what was left at its end.
fn all(raw: &str) -> (Vec<String>, bool, String) {
    let mut bytes = raw.as_bytes();
    let mut messages = Messages::new(&mut bytes);
    let mut seen = Vec::new();
    let ended = loop {
        match messages.next() {
            Ok(Some((number, place))) => {
                assert_eq!(number, seen.len());
                seen.push(String::from_utf8_lossy(messages.bytes(place)).into_owned());
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let mut rest = String::new();
    messages.rest().0.read_to_string(&mut rest).expect("text");
    (seen, ended, rest)
}

#[test]
fn messages_come_one_by_one_and_what_breaks_off_is_left() {
    let (seen, ended, _) = all("\u{feff}[\n {\"a\": \"}]\\\"\"},\n {\"b\": [1, {}]} ]\n");
    assert_eq!((seen.as_slice(), ended), (&[r#"{"a": "}]\""}"#.to_owned(), r#"{"b": [1, {}]}"#.to_owned()][..], true));
    assert_eq!(all("{\"a\": 1}\n{\"b\": 2}\n").0.len(), 2);
    assert_eq!(all("[]"), (vec![], true, String::new()));
    let (seen, ended, rest) = all("[{\"a\": 1}, {\"b\": \"cut o");
    assert_eq!((seen.len(), ended, rest.trim_start_matches([',', ' '])), (1, false, "{\"b\": \"cut o"));
    assert!(!all("<html>").1 && !all("").1 && !all("[{\"a\": 1}").1);
    assert!(!all(&"[".repeat(100_000)).1);
}

#[test]
fn a_stream_longer_than_the_buffer_gives_every_message_whole() {
    let text = "0123456789".repeat(1000);
    let count = 3 * STEP as usize / text.len();
    let raw: Vec<String> = (0..count).map(|n| format!("{{\"n\": {n}, \"text\": \"{text}\"}}")).collect();
    let mut bytes = format!("[{}]", raw.join(",\n")).into_bytes();
    let cut = bytes.len() - 100;
    bytes[cut..].fill(b' ');
    let mut read = bytes.as_slice();
    let mut messages = Messages::new(&mut read);
    for raw in &raw[..count - 1] {
        let (number, place) = messages.next().expect("whole").expect("one more");
        assert_eq!(messages.line(place.start), (number as u32, u32::from(number == 0)));
        assert!(messages.bytes(place) == raw.as_bytes());
    }
    assert!(messages.next().is_err());
    let (mut rest, (offset, line, column)) = messages.rest();
    let mut left = Vec::new();
    rest.read_to_end(&mut left).expect("read");
    assert_eq!(offset as usize + left.len(), bytes.len());
    assert_eq!(line as usize, count - 2);
    assert_eq!(column as usize, raw[count - 2].len());
}

#[test]
fn parts_of_a_message_are_found_in_its_bytes() {
    let raw = br#"{"ts": "1.2", "attachments": [{"id": 1}, {"title": "t", "text": "here"}], "text": "said"}"#;
    let at = |path: &str| std::str::from_utf8(&raw[locate(raw, path)..][..4]).expect("text");
    assert_eq!((at(""), at("/attachments/1")), ("said", "here"));
    assert!(at("/attachments/0").starts_with("{\"id"));
    assert_eq!((locate(raw, "/files/3"), locate(b"{\"text", "")), (0, 0));
}
