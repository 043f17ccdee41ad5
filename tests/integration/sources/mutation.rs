//! Every parser on damaged input: small exports of each format, changed at random but always in the same way, must neither
//! panic nor hang, and what stands beside them is still read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use offkey::source::{self, Document, OpenOptions, Progress, Sink};
use serde_json::json;

use super::read;

/// Takes everything and keeps nothing.
struct Nobody;

impl Sink for Nobody {
    fn document(&self, _: &Document<'_>) {}
}

/// Changed forms of each seed.
const ROUNDS: u64 = 60;

/// A small sequence of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// A small export of each format: name of the file and content.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let who =
        json!({"id": 7, "login": "bob", "name": "bob", "accountId": "u7", "emailAddress": "bob@harbourfinch.example"});
    let jira = json!({"issues": [{"key": "OPS-1", "fields": {"summary": "x", "reporter": who, "description": {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "pw"}]}]},
        "comment": {"total": 1, "comments": [{"author": who, "body": "{code}pw{code}", "created": "2024-01-01T00:00:00.000+0000"}]}},
        "changelog": {"histories": [{"author": who, "items": [{"field": "description", "fromString": "old", "toString": "new"}]}]}}]});
    let github = json!([{"number": 1, "title": "x", "body": "pw", "user": who, "html_url": "https://github.com/o/r/issues/1", "created_at": "2024-01-01T00:00:00Z", "comments": 0}]);
    let gitlab = json!({"iid": 1, "title": "x", "description": "pw", "author_id": 7, "notes": [{"note": "pw", "author_id": 7, "author": {"name": "Bob"}, "system": false}]});
    let day = json!([{"type": "message", "user": "U1", "ts": "1700000000.000100", "text": "<http://x|y> &amp;", "blocks": [{"type": "rich_text", "elements": []}]}]);
    let chunk = json!({"t": 0, "ts": 1_700_000_000, "id": "C1", "m": day});
    let dump = json!({"channel_id": "C1", "name": "x", "messages": day});
    let har = json!({"log": {"entries": [{"request": {"url": "https://x/?t=1", "headers": [], "cookies": []}, "response": {"content": {"text": "cHc=", "encoding": "base64"}}}]}});
    let book = json!({"cells": [{"cell_type": "code", "source": ["pw"], "outputs": [{"text": "x"}], "metadata": {}}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    let board = json!({"name": "b", "lists": [], "cards": [{"id": "5f0000000000000000000000", "name": "c", "desc": "pw", "shortLink": "abc", "idBoard": "1"}], "actions": [{"type": "commentCard", "data": {"text": "pw", "card": {"id": "1"}}, "memberCreator": {"id": "m", "username": "bob"}, "date": "2024-01-01T00:00:00Z"}]});
    let postman = json!({"info": {"_postman_id": "1", "name": "x", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"}, "item": [{"name": "r", "request": {"url": "https://x", "auth": {"type": "bearer"}}}]});
    let jira_xml = "<?xml version=\"1.0\"?><entity-engine-xml><Issue id=\"1\" key=\"OPS-1\" reporter=\"bob\"><description><![CDATA[pw]]></description></Issue><Action id=\"2\" issue=\"1\" type=\"comment\" author=\"bob\" body=\"x\"/></entity-engine-xml>";
    let wiki = "<?xml version=\"1.0\"?><hibernate-generic><object class=\"Page\" package=\"x\"><id name=\"id\">1</id><property name=\"title\"><![CDATA[t]]></property></object><object class=\"BodyContent\" package=\"x\"><id name=\"id\">2</id><property name=\"body\"><![CDATA[<p>pw</p>]] ></property><property name=\"content\" class=\"Page\" package=\"x\"><id name=\"id\">1</id></property></object></hibernate-generic>";
    let rss = "<?xml version=\"1.0\"?><rss version=\"0.92\"><channel><title>x</title><item><title>[OPS-1]</title><key id=\"1\">OPS-1</key><description>&lt;p&gt;pw&lt;/p&gt;</description><reporter username=\"bob\">Bob</reporter><comments><comment id=\"1\" author=\"bob\" created=\"Mon, 1 Jan 2024 00:00:00 +0000\">x</comment></comments></item></channel></rss>";
    let csv = "Issue key,Summary,Reporter,Comment,Comment\nOPS-1,x,bob,\"01/Jan/24 1:00 AM;u7;pw; more\",\n";
    let mail = "From bob@harbourfinch.example Mon Jan  1 00:00:00 2024\nFrom: Bob <bob@harbourfinch.example>\nTo: a@harbourfinch.example\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: =?utf-8?Q?x?=\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\npw=3D=\n1\n> quoted\n--b\nContent-Type: text/html\n\n<p>p<wbr>w</p>\n--b--\n";
    vec![
        ("jira.json", jira.to_string().into()),
        ("github.json", github.to_string().into()),
        ("issues.ndjson", format!("{gitlab}\n{gitlab}\n").into()),
        ("day.json", day.to_string().into()),
        ("chunk.jsonl", format!("{chunk}\n{chunk}\n").into()),
        ("dump.json", dump.to_string().into()),
        ("traffic.har", har.to_string().into()),
        ("book.ipynb", book.to_string().into()),
        ("board.json", board.to_string().into()),
        ("collection.json", postman.to_string().into()),
        ("jira.xml", jira_xml.into()),
        ("wiki.xml", wiki.into()),
        ("rss.xml", rss.into()),
        ("issues.csv", csv.into()),
        ("box.mbox", mail.into()),
        ("lines.json", "{\"metadata\":{\"author\":\"bob\"},\"data\":\"pw\"}\n".into()),
        ("chat.txt", "12/9/20, 23:55 - Bob: pw\nmore\n12/9/20, 23:56 - Alice: ok\n".into()),
    ]
}

/// Archives around one of them.
fn packed() -> Vec<(&'static str, Vec<u8>)> {
    use std::io::Write;
    let (name, inner) = seeds().swap_remove(0);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("started");
    zip.write_all(&inner).expect("written");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(inner.len() as u64);
    tar.append_data(&mut header, name, inner.as_slice()).expect("appended");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&inner).expect("written");
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(&inner).expect("written");
    let mut ar = b"!<arch>\n".to_vec();
    ar.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "control/", 0, 0, 0, 644, inner.len()).bytes());
    ar.extend(&inner);
    vec![
        ("a.zip", zip.finish().expect("finished").into_inner()),
        ("a.tar", tar.into_inner().expect("finished")),
        ("a.gz", gz.finish().expect("finished")),
        ("a.bz2", bz.finish().expect("finished")),
        ("a.deb", ar),
    ]
}

fn changed(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(out.len());
        match numbers.below(6) {
            0 => out.truncate(at.max(1)),
            1 => out[at] = numbers.below(256) as u8,
            2 => out[at] ^= 1 << numbers.below(8),
            3 => drop(out.drain(at..(at + 1 + numbers.below(20)).min(out.len()))),
            4 => {
                let part: Vec<u8> = out[at..(at + numbers.below(60)).min(out.len())].to_vec();
                let to = numbers.below(out.len());
                out.splice(to..to, part);
            }
            _ => {
                let odd: &[&[u8]] = &[
                    b"\"",
                    b"\\u0000",
                    b"{",
                    b"]",
                    b"<![CDATA[",
                    b"]]>",
                    b"&#x0;",
                    b"\xff\xfe",
                    b"\n\n",
                    b"-1",
                    b"99999999999999999999",
                    b"--b\n",
                    b"null",
                ];
                out.splice(at..at, odd[numbers.below(odd.len())].iter().copied());
            }
        }
        if out.is_empty() {
            out.push(0);
        }
    }
    out
}

fn survive(folder: &Path, name: &str, content: &[u8], round: u64) {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("written");
    // An error is an answer; a panic is none.
    let whole = catch_unwind(AssertUnwindSafe(|| {
        for one in source::open(&path, &OpenOptions::default()).unwrap_or_default() {
            let _coverage = one.read(&Nobody, &Progress::default());
        }
    }));
    assert!(whole.is_ok(), "{name} in round {round} panics on {:?}", String::from_utf8_lossy(content));
}

#[test]
fn parsers_survive_damage() {
    let dir = tempfile::tempdir().expect("a folder");
    for (number, (name, seed)) in seeds().into_iter().chain(packed()).enumerate() {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ ((number as u64) << 20));
        survive(dir.path(), name, &seed, 0);
        for round in 1..=ROUNDS {
            survive(dir.path(), name, &changed(&seed, &mut numbers), round);
        }
    }
}

#[test]
fn every_seed_is_recognised_for_what_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for (name, seed) in seeds() {
        let path = dir.path().join(name);
        std::fs::write(&path, seed).expect("written");
        let seen = read(&path);
        if seen.coverage[0].format == "files" || seen.pieces.iter().all(|piece| piece.item.is_none()) {
            wrong.push(format!("{name}: {}", seen.coverage[0].format));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
