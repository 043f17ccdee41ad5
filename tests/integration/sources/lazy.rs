//! Parsing only the messages in which something is found gives the findings of parsing all of them: compared finding by
//! finding, with authors and places, on generated dumps and on the shared samples.

use std::fmt::Write as _;
use std::path::Path;

use offkey::detect::{Detector, Hit, Options, run};
use offkey::error::Result;
use offkey::rule::RuleSet;
use offkey::source::{self, Coverage, Document, Edit, OpenOptions, Progress, Provenance, Sink, Source};
use serde_json::{Value, json};

use crate::formats::samples::samples;

/// A source that is never told that a text is not worth a parse.
struct Eager(Box<dyn Source>);

struct All<'a>(&'a dyn Sink);

impl Sink for All<'_> {
    fn document(&self, document: &Document<'_>) {
        self.0.document(document);
    }

    fn revision(&self, document: &Document<'_>, edit: Option<Edit<'_>>) -> Option<Box<dyn std::any::Any + Send>> {
        self.0.revision(document, edit)
    }
}

impl Source for Eager {
    fn name(&self) -> String {
        self.0.name()
    }

    fn read(&self, sink: &dyn Sink, progress: &Progress) -> Result<Coverage> {
        self.0.read(&All(sink), progress)
    }
}

/// Hits as lines of text.
fn shown(hits: &[Hit]) -> Vec<String> {
    let mut all: Vec<String> = hits
        .iter()
        .map(|hit| {
            let item = match &hit.provenance {
                Provenance::Export { item, .. } => serde_json::to_string(&**item).expect("written"),
                _ => String::new(),
            };
            let found = &hit.found;
            let secret = String::from_utf8_lossy(found.secret.expose());
            format!(
                "{} {item} {:?} {:?} {} {} {secret}",
                hit.provenance, hit.lines, hit.columns, found.rule, found.confidence
            )
        })
        .collect();
    all.sort();
    all
}

/// Scans a path both ways; gives the number of findings.
fn same(detector: &Detector, path: &Path, named: &str) -> usize {
    let open = || source::open(path, &OpenOptions::default()).expect("readable");
    let scan = |sources: &[Box<dyn Source>]| run(detector, sources, &Progress::default(), None).expect("read");
    let (lazy, account) = scan(&open());
    let eager: Vec<Box<dyn Source>> = open().into_iter().map(|one| Box::new(Eager(one)) as Box<dyn Source>).collect();
    let (eager, whole) = scan(&eager);
    assert_eq!(shown(&lazy), shown(&eager), "{named}");
    let amounts = |account: &[Coverage]| -> Vec<(u64, u64, u64)> {
        account.iter().map(|one| (one.documents, one.bytes, one.raw_bytes)).collect()
    };
    assert_eq!(amounts(&account), amounts(&whole), "{named}");
    lazy.len()
}

fn detector() -> Detector {
    Detector::new(RuleSet::builtin(), Vec::new(), Options::default()).expect("built-in rules compile")
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    fn letters(&mut self, length: usize) -> String {
        const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).map(|_| char::from(ALL[self.roll(ALL.len())])).collect()
    }

    fn words(&mut self) -> String {
        const WORDS: &[&str] = &[
            "the",
            "password",
            "is",
            "key",
            "token:",
            "not",
            "<@U1>",
            "deploy",
            "secret",
            "caf\u{e9}",
            "\u{1f511}",
            "see",
            "&amp;",
            "\n",
            "\"",
            "\\",
        ];
        (0..self.roll(9)).map(|_| WORDS[self.roll(WORDS.len())]).collect::<Vec<_>>().join(" ")
    }

    /// A made-up secret of some kind.
    fn secret(&mut self) -> String {
        let random = self.letters(36);
        match self.roll(8) {
            0 => format!("{}{random}", concat!("gh", "p_")),
            1 => format!("postgres://shop:{}@db.internal:5432/shop", &random[..14]),
            2 => format!("password = \"{}!\"", &random[..15]),
            3 => format!("DB_PASSWORD='{}'", &random[..20]),
            4 => data_encoding::BASE64.encode(format!("token: {}{random}", concat!("gh", "p_")).as_bytes()),
            5 => format!("curl -u admin:{} https://host.example/api", &random[..12]),
            6 => format!("Authorization: Bearer {random}"),
            _ => format!(
                "{}\n{random}{random}{random}\n{}",
                concat!("-----BEGIN RSA PRI", "VATE KEY-----"),
                concat!("-----END RSA PRI", "VATE KEY-----")
            ),
        }
    }

    /// Text as Slack writes it: parts of it linked, some characters as entities.
    fn marked(&mut self, text: &str) -> String {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        match (self.roll(3), text.split_once('@')) {
            (0, Some((before, after))) => {
                let cut = before.rfind([':', ' ']).map_or(0, |at| at + 1);
                let end = after.find([':', '/', ' ']).unwrap_or(after.len());
                let linked = format!("{}@{}", &before[cut..], &after[..end]);
                format!("{}<mailto:{linked}|{linked}>{}", &before[..cut], &after[end..])
            }
            _ => text,
        }
    }

    fn blocks(&mut self, text: &str) -> Value {
        let mut at = self.roll(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let (one, two) = text.split_at(at);
        let parts = json!([{"type": "text", "text": one, "style": {"bold": true}}, {"type": "text", "text": two}, {"type": "emoji", "name": "x"}]);
        json!([{"type": "rich_text", "block_id": self.letters(5), "elements": [{"type": "rich_text_section", "elements": parts}]}])
    }

    fn message(&mut self, number: usize) -> Value {
        let mut text = self.words();
        if self.roll(4) == 0 {
            let secret = self.secret();
            write!(text, " {secret} {}", self.words()).expect("written");
        }
        let mut message = json!({"type": "message", "user": format!("U{}", self.roll(3)), "ts": format!("17000{number:05}.000100"),
            "text": self.marked(&text), "team": "T1", "reactions": [{"name": "eyes", "users": ["U1"], "count": 1}]});
        match self.roll(12) {
            0 => message["blocks"] = self.blocks(&text),
            1 => {
                message["text"] = json!("");
                message["blocks"] = self.blocks(&text);
            }
            2 => message["files"] = json!([{"id": "F1", "user": "U2", "title": "n", "preview": self.secret()}]),
            3 => {
                message["attachments"] = json!([{"author_id": "U1", "text": self.secret(), "fields": [{"title": "password", "value": self.letters(14)}]}])
            }
            4 => {
                message = json!({"type": "message", "subtype": "message_changed", "ts": message["ts"], "message": message,
                    "previous_message": {"user": "U1", "ts": message["ts"], "text": self.secret()}});
            }
            5 => message["bot_id"] = json!("B1"),
            6 => message["metadata"] = json!({"event_payload": {"token": self.secret()}}),
            _ => {}
        }
        message
    }

    /// A day as some program might write it.
    fn day(&mut self) -> String {
        let messages: Vec<Value> = (0..30).map(|number| self.message(number)).collect();
        let text = match self.roll(2) {
            0 => serde_json::to_string(&messages),
            _ => serde_json::to_string_pretty(&messages),
        };
        let text = text.expect("written");
        match self.roll(4) {
            0 => text.replace('/', "\\/"),
            1 => text.replace('=', "\\u003d").replace(':', ":  ").replace("p_", "\\u0070_"),
            2 => text.chars().fold(String::new(), |mut out, c| {
                match u32::from(c) {
                    code @ 0x80..=0xffff => write!(out, "\\u{code:04x}").expect("written"),
                    _ => out.push(c),
                }
                out
            }),
            _ => text,
        }
    }
}

#[test]
fn lazy_parsing_finds_what_parsing_everything_finds() {
    let detector = detector();
    let mut found = 0;
    for seed in 1..=12_u64 {
        let dice = &mut Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let dir = tempfile::tempdir().expect("a folder");
        let users = json!([{"id": "U1", "name": "bob", "profile": {"email": "bob@harbourfinch.example"}}]);
        std::fs::write(dir.path().join("users.json"), users.to_string()).expect("written");
        std::fs::create_dir(dir.path().join("ops")).expect("made");
        for day in 1..=4 {
            std::fs::write(dir.path().join(format!("ops/2026-01-0{day}.json")), dice.day()).expect("written");
        }
        let cut = dice.day();
        let half = cut.floor_char_boundary(cut.len() / 2);
        std::fs::write(dir.path().join("ops/2026-01-05.json"), &cut[..half]).expect("written");
        found += same(&detector, dir.path(), &format!("seed {seed}"));
    }
    assert!(found > 300, "{found}");
}

#[test]
fn lazy_parsing_finds_the_same_in_samples() {
    let Some(samples) = samples() else { return };
    let detector = detector();
    for family in std::fs::read_dir(samples).expect("readable").flatten().filter(|entry| entry.path().is_dir()) {
        for sample in std::fs::read_dir(family.path()).expect("readable").flatten() {
            let path = sample.path();
            if source::open(&path, &OpenOptions::default()).is_ok() {
                same(&detector, &path, &path.display().to_string());
            }
        }
    }
}
