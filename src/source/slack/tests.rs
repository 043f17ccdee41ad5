//! A made-up export with the traps of the format, as a folder and as a zip file.

use std::io::Write;

use serde_json::json;

use super::*;
use crate::source::{Evidence, Item, ItemKind, Via};

struct Kept(Mutex<Vec<(String, Option<std::sync::Arc<Item>>)>>);

impl Sink for Kept {
    fn document(&self, document: &Document<'_>) {
        let item = match document.provenance {
            Provenance::Export { item, .. } => Some(std::sync::Arc::clone(item)),
            _ => None,
        };
        let text = String::from_utf8_lossy(document.bytes).into_owned();
        self.0.lock().expect("not poisoned").push((text, item));
    }
}

fn files() -> Vec<(&'static str, String)> {
    let users = json!([
        {"id": "U1", "name": "bob", "deleted": false, "profile": {"email": "bob@harbourfinch.example", "real_name": "Bob Tanaka"}},
        {"id": "U2", "name": "alice.m", "deleted": true, "profile": {"email": "alice@harbourfinch.example", "real_name": "Alice Moreau"}},
    ]);
    let channels = json!([{"id": "C1", "name": "ops", "members": ["U1", "U2"],
        "topic": {"value": "pw of the day &amp; more", "creator": "U2", "last_set": 1_700_000_000}}]);
    let token = concat!("xo", "xe-1-made-up");
    let ops = json!([
        {"type": "message", "user": "U2", "ts": "1700000000.000100", "text": "svc:<mailto:p4ss@db.corp.io|p4ss@db.corp.io>"},
        {"type": "message", "user": "U1", "ts": "1700000001.000100", "thread_ts": "1700000000.000100", "text": "same", "blocks":
            [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "same"}]}]}]},
        {"type": "message", "subtype": "bot_message", "bot_id": "B9", "username": "deploy", "ts": "1700000002.000100", "text": "done",
            "attachments": [{"author_id": "U2", "text": "forwarded words"}]},
        {"type": "message", "subtype": "file_comment", "comment": {"user": "U2"}, "ts": "1700000003.000100", "text": "my comment"},
        {"type": "message", "user": "U1", "ts": "1700000004.000100", "text": "", "files": [{"user": "U1", "title": "notes.txt",
            "preview": "first line", "permalink": "https://acme.slack.com/files/x", "url_private": format!("https://files.slack.com/f?t={token}")}]},
        {"type": "message", "subtype": "thread_broadcast", "user": "U1", "ts": "1700000005.000100", "text": "reply", "root": {"user": "U2", "text": "roottext"}},
        {"type": "message", "user": "U7", "ts": "1700000006.000100", "text": "hello", "user_profile": {"real_name": "Guest"}},
        {"type": "message", "subtype": "message_changed", "ts": "1700000007.000100", "message": {"user": "U2", "ts": "1700000007.000100", "text": "new text"},
            "previous_message": {"user": "U2", "ts": "1700000007.000100", "text": "old text"}},
    ]);
    let direct = json!([{"type": "message", "user": "U2", "ts": "1700000008.000100", "text": "psst"}]);
    vec![
        ("users.json", users.to_string()),
        ("channels.json", channels.to_string()),
        ("dms.json", json!([{"id": "D1", "members": ["U1", "U2"]}]).to_string()),
        ("ops/2023-11-14.json", ops.to_string()),
        ("ops/2023-11-15.json", "[{\"text\": \"cut o".to_owned()),
        ("D1/2023-11-14.json", direct.to_string()),
    ]
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files() {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    dir
}

fn zipped(extra: &[(&str, &str)]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut zip = zip::ZipWriter::new(file.reopen().expect("opened again"));
    let all = files().into_iter().chain(extra.iter().map(|(n, t)| (*n, (*t).to_owned())));
    for (name, text) in all {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("started");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("finished");
    file
}

/// A document's text and the message it came from.
type Read = (String, Option<std::sync::Arc<Item>>);

fn read(path: &Path) -> (Vec<Read>, Coverage) {
    let sources = recognise(path, &OpenOptions::default()).expect("readable").expect("a Slack export");
    let kept = Kept(Mutex::new(Vec::new()));
    let coverage = sources[0].read(&kept, &Progress::default()).expect("read");
    (kept.0.into_inner().expect("not poisoned"), coverage)
}

#[test]
fn folder_and_zip_give_the_same_items_with_their_authors() {
    let (dir, zip) = (folder(), zipped(&[]));
    let texts = |path: &Path| {
        let mut all: Vec<String> = read(path).0.into_iter().filter(|p| p.1.is_some()).map(|p| p.0).collect();
        all.sort();
        all
    };
    assert_eq!(texts(dir.path()), texts(zip.path()));
    let (items, coverage) = read(dir.path());
    let of = |text: &str| {
        items
            .iter()
            .find(|(t, i)| t.trim() == text && i.is_some())
            .and_then(|p| p.1.clone())
            .unwrap_or_else(|| panic!("{text}"))
    };
    let author = |text: &str| of(text).author.clone().and_then(|a| a.email).unwrap_or_default();

    let split = of("svc:p4ss@db.corp.io");
    assert_eq!(split.author.as_ref().map(|a| (a.evidence, a.active)), Some((Evidence::E1, Some(false))));
    assert_eq!(split.permalink.as_deref(), Some("https://acme.slack.com/archives/C1/p1700000000000100"));
    assert_eq!(split.created.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(split.readers.len(), 2);
    assert!(of("same").permalink.as_deref().is_some_and(|link| link.ends_with("?thread_ts=1700000000.000100")));
    assert_eq!((of("done").via, author("forwarded words")), (Via::Bot, "alice@harbourfinch.example".to_owned()));
    assert_eq!(author("my comment"), "alice@harbourfinch.example");
    assert_eq!(author("pw of the day & more"), "alice@harbourfinch.example");
    assert_eq!(author("reply"), "bob@harbourfinch.example");
    assert!(items.iter().all(|(text, item)| item.is_none() || !text.contains("roottext")));
    assert_eq!(of("hello").author.as_ref().and_then(|a| a.display.clone()).as_deref(), Some("Guest"));
    assert_eq!(of("old text").kind, ItemKind::History);
    assert_eq!(of("psst").sent_to.len(), 1);
    let artefact = items
        .iter()
        .find(|(t, _)| t.contains("made-up") && !t.contains("users"))
        .and_then(|p| p.1.clone())
        .expect("artefact");
    assert_eq!((artefact.kind, artefact.author.is_none()), (ItemKind::Artefact, true));
    assert_eq!(coverage.counts.get("failed: not a JSON list, searched without authors"), Some(&1));
}

#[test]
fn hostile_and_broken_zips_cost_one_line_each() {
    let zip = zipped(&[("../../etc/evil.json", "[]")]);
    let (_, coverage) = read(zip.path());
    assert!(coverage.gaps.iter().any(|gap| gap.why == "name leads out of the archive"), "{:?}", coverage.gaps);
    let bytes = std::fs::read(zip.path()).expect("readable");
    std::fs::write(zip.path(), &bytes[..bytes.len() / 2]).expect("cut");
    assert!(
        recognise(zip.path(), &OpenOptions::default()).expect("looked at").is_none(),
        "left to those who read archives"
    );
}

#[test]
fn a_folder_of_something_else_is_not_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("users.json"), "[]").expect("written");
    assert!(recognise(dir.path(), &OpenOptions::default()).expect("readable").is_none());
}

#[test]
fn letters_of_many_bytes_at_the_edge_of_a_look_are_no_panic() {
    let line = format!("{{\"t\":0,\"ts\":1700000000,\"id\":\"C1\",\"m\":[{{\"type\":\"message\",\"us{}\"", '\u{fffd}');
    assert_eq!((line.find('\u{fffd}'), parts::by_content(line.as_bytes())), (Some(59), Part::Chunks));
}

/// Lines, from 1, in which the documents of a scan begin.
struct Lines(Mutex<Vec<(String, u32)>>);

impl Sink for Lines {
    fn document(&self, document: &Document<'_>) {
        let text = String::from_utf8_lossy(document.bytes).into_owned();
        let line = document.spans.and_then(|spans| spans.raw_line(0)).map_or(0, |place| place.0 + 1);
        self.0.lock().expect("not poisoned").push((text, line));
    }
}

#[test]
fn texts_know_their_lines_in_the_file() {
    let dir = folder();
    let day = "[\n {\n  \"type\": \"message\",\n  \"user\": \"U1\",\n  \"ts\": \"1700000000.000100\",\n  \"text\": \"one\"\n },\n {\n  \"ts\": \"1700000001.000100\",\n  \"text\": \"two\",\n  \"attachments\": [\n   {\n    \"text\": \"three\"\n   }\n  ]\n }\n]\n";
    std::fs::write(dir.path().join("ops/2023-11-16.json"), day).expect("written");
    let lines = Lines(Mutex::new(Vec::new()));
    let sources = recognise(dir.path(), &OpenOptions::default()).expect("readable").expect("a Slack export");
    sources[0].read(&lines, &Progress::default()).expect("read");
    let seen = lines.0.into_inner().expect("not poisoned");
    for (text, line) in [("one", 6), ("two", 10), ("three", 13)] {
        assert!(seen.iter().any(|one| one.0.trim() == text && one.1 == line), "{text}: {seen:?}");
    }
}
