//! What is fuzzed: one function a parser, each taking any bytes. The targets of `cargo fuzz` call them, and so does the bounded
//! run of `./test` (tests/integration/sources/fuzz.rs), so that both mean the same.
//!
//! An error or a gap in the coverage is an answer. Not allowed are panics, endless loops, documents that were not bounded,
//! and places that lie outside of what was read.

use std::path::Path;

use offkey::source::{self, Document, OpenOptions, Progress, Provenance, Sink};

/// Name of a target and what it runs.
pub(crate) type Entry = (&'static str, fn(&[u8]));

/// Every entry.
pub(crate) const ENTRIES: &[Entry] = &[
    ("slack_day", slack_day),
    ("slack_dump", slack_dump),
    ("slack_chunks", slack_chunks),
    ("mail", mail),
    ("jira_json", jira_json),
    ("jira_csv", jira_csv),
    ("jira_xml", jira_xml),
    ("confluence", confluence),
    ("mapped_json", mapped_json),
    ("mapped_csv", mapped_csv),
    ("mapped_xml", mapped_xml),
    ("any_format", any_format),
    ("archive", archive),
    ("document", document),
    ("encoded", encoded),
    ("pack", pack),
    ("delta", delta),
];

/// A day of a channel, beside a list of people.
pub(crate) fn slack_day(data: &[u8]) {
    let users = br#"[{"id": "U1", "name": "bob", "profile": {"email": "bob@harbourfinch.example"}}]"#;
    within(&[("users.json", users), ("ops/2026-01-31.json", data)], |folder| read(folder, Some("slack-export"), None));
}

/// A conversation as slackdump writes it.
pub(crate) fn slack_dump(data: &[u8]) {
    one("C0OPS.json", data, Some("slack-export"), None);
}

/// Answers of Slack, one a line.
pub(crate) fn slack_chunks(data: &[u8]) {
    one("C0OPS.jsonl", data, Some("slack-export"), None);
}

/// A mailbox or a message.
pub(crate) fn mail(data: &[u8]) {
    one("box.mbox", data, Some("mail"), None);
}

/// Pages of Jira's REST interface.
pub(crate) fn jira_json(data: &[u8]) {
    one("issues.json", data, Some("jira-json"), None);
}

/// A table of Jira's.
pub(crate) fn jira_csv(data: &[u8]) {
    one("issues.csv", data, Some("jira-csv"), None);
}

/// A backup of Jira's.
pub(crate) fn jira_xml(data: &[u8]) {
    one("entities.xml", data, Some("jira-xml"), None);
}

/// A backup of a Confluence space.
pub(crate) fn confluence(data: &[u8]) {
    one("entities.xml", data, Some("confluence"), None);
}

const MAP: Option<&str> = Some("text=body,author=user.login,email=mail,time=at,channel=room,link=url");

/// Any list of records with a field map, as JSON or JSON lines.
pub(crate) fn mapped_json(data: &[u8]) {
    one("list.json", data, Some("map"), MAP);
}

/// The same as a table.
pub(crate) fn mapped_csv(data: &[u8]) {
    one("list.csv", data, Some("map"), MAP);
}

/// The same as XML.
pub(crate) fn mapped_xml(data: &[u8]) {
    one("list.xml", data, Some("map"), MAP);
}

/// The first byte chooses a format, the others are taken for it.
pub(crate) fn any_format(data: &[u8]) {
    let formats = source::formats();
    let Some((first, rest)) = data.split_first() else { return };
    let format = formats[usize::from(*first) % formats.len()];
    one("export", rest, Some(format), (format == "map").then_some("text=text"));
}

/// An archive, or something packed.
pub(crate) fn archive(data: &[u8]) {
    one("content", data, Some("files"), None);
}

/// An office document, a PDF, a database, a mail store.
pub(crate) fn document(data: &[u8]) {
    one("content", data, Some("files"), None);
}

/// Text with other text in it, in some encoding.
pub(crate) fn encoded(data: &[u8]) {
    one("notes.txt", data, Some("files"), None);
}

/// A pack with its index: the first four bytes say how long the index is.
pub(crate) fn pack(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<4>() else { return };
    let (index, pack) = rest.split_at((u32::from_be_bytes(*length) as usize).min(rest.len()));
    repository(index, pack, |folder| read(folder, None, None));
}

/// Objects of a pack that is sound around them: each is a byte that says what it is (1 to 4: an object; 6: a delta against the one
/// before; 7: a delta against the one that the next byte numbers), two bytes of length, and its content.
pub(crate) fn delta(data: &[u8]) {
    let (index, pack) = assembled(data);
    repository(&index, &pack, |folder| read(folder, None, None));
}

/// The index and the pack of the objects that [`delta`] describes.
pub(crate) fn assembled(data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut pack, mut offsets, mut rest) = (b"PACK\0\0\0\x02\0\0\0\0".to_vec(), Vec::new(), data);
    while let Some(([kind, high, low], after)) = rest.split_first_chunk::<3>().filter(|_| offsets.len() < 250) {
        let (content, after) = after.split_at((usize::from(*high) << 8 | usize::from(*low)).min(after.len()));
        rest = after;
        let start = pack.len();
        let (number, content) = match content.split_first() {
            Some((number, content)) if kind & 7 == 7 => (*number, content),
            _ => (0, content),
        };
        let (kind, size) = (kind & 7, content.len());
        pack.extend([0x80 | kind << 4 | (size & 15) as u8, 0x80 | (size >> 4 & 127) as u8, (size >> 11) as u8]);
        match (kind, offsets.last()) {
            (6, Some(before)) => {
                let mut back = start - before;
                let mut bytes = vec![(back & 127) as u8];
                while back > 127 {
                    back = (back >> 7) - 1;
                    bytes.push(0x80 | (back & 127) as u8);
                }
                pack.extend(bytes.iter().rev());
            }
            (6, None) => pack.push(1),
            (7, _) => pack.extend(name(number)),
            _ => {}
        }
        pack.extend(stored(content));
        offsets.push(start);
    }
    pack[11] = offsets.len() as u8;
    pack.extend([0; 20]);
    // The first version of the index has no checksums of entries.
    let mut index = Vec::new();
    (0..256).for_each(|first| index.extend((offsets.len().min(first + 1) as u32).to_be_bytes()));
    for (number, offset) in offsets.iter().enumerate() {
        index.extend((*offset as u32).to_be_bytes());
        index.extend(name(number as u8));
    }
    index.extend([0; 40]);
    (index, pack)
}

/// Name of an object; no digest.
fn name(number: u8) -> [u8; 20] {
    std::array::from_fn(|at| if at == 0 { number } else { 7 })
}

/// A zlib stream that packs nothing.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 1, 1];
    out.extend((content.len() as u16).to_le_bytes());
    out.extend((!(content.len() as u16)).to_le_bytes());
    out.extend(content);
    let (low, high) = content.iter().fold((1u32, 0u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65521;
        (low, (high + low) % 65521)
    });
    out.extend((high << 16 | low).to_be_bytes());
    out
}

/// Makes a bare repository of one pack for as long as `run` runs.
pub(crate) fn repository(index: &[u8], pack: &[u8], run: impl FnOnce(&Path)) {
    let file = |ending: &str| format!("objects/pack/pack-{}.{ending}", "0".repeat(40));
    let files = [
        ("HEAD", &b"ref: refs/heads/main\n"[..]),
        ("config", b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"),
        ("refs/heads/main", b"0007070707070707070707070707070707070707\n"),
        (&file("idx"), index),
        (&file("pack"), pack),
    ];
    within(&files, run);
}

/// Reads one file.
fn one(name: &str, data: &[u8], take_for: Option<&str>, map: Option<&str>) {
    within(&[(name, data)], |folder| read(&folder.join(name), take_for, map));
}

/// Makes a folder for as long as `run` runs.
fn within(files: &[(&str, &[u8])], run: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, content).expect("written");
    }
    run(folder.path());
}

fn read(path: &Path, take_for: Option<&str>, map: Option<&str>) {
    let options =
        OpenOptions { take_for: take_for.map(str::to_owned), map: map.map(str::to_owned), ..OpenOptions::default() };
    for source in source::open(path, &options).unwrap_or_default() {
        let _kin = source.roster();
        let _coverage = source.read(&Checks, &Progress::default());
    }
}

/// Most bytes that a document may have: the outermost archive is bounded by this, too.
const MOST: usize = 512 << 20;

struct Checks;

impl Sink for Checks {
    fn document(&self, document: &Document<'_>) {
        assert!(document.bytes.len() <= MOST, "a document of {} bytes", document.bytes.len());
        let whole = 0..document.bytes.len();
        if let Some(spans) = document.spans {
            let raw = spans.raw(whole.clone());
            assert!(raw.start <= raw.end);
            assert!(spans.place().is_none_or(|place| place.own.start <= whole.end));
        }
        if let Provenance::Export { item, .. } = document.provenance {
            assert!(!item.format.is_empty(), "an item without a format: {}", document.provenance);
        }
        assert!(!document.provenance.to_string().is_empty());
    }
}
