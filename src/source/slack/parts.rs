//! What the files of an export are: told by their names where Slack made them, else by their first bytes.

use std::io::Read;
use std::path::Path;

use super::super::bundle::Bundle;
use super::super::windows;

/// Bytes that tell a file.
pub(super) const HEAD: usize = 4096;
/// Entries of a folder that a look passes.
const LOOKS: usize = 400;

/// One file of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Users or conversations.
    Index,
    /// A list of messages.
    Day,
    /// slackdump: one conversation with its messages.
    Dump,
    /// slackdump: a record a line, each one answer of Slack.
    Chunks,
    /// slackdump: a SQLite database.
    Database,
    /// An attachment, or nothing of Slack's.
    Other,
}

/// Last part of a name.
pub(super) fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether a name is that of an index file.
pub(super) fn is_index(name: &str) -> bool {
    matches!(base(name), "channels.json" | "dms.json" | "groups.json" | "mpims.json" | "users.json" | "org_users.json")
}

/// `general/2026-01-31.json`
pub(super) fn is_day(name: &str) -> bool {
    let file = base(name).as_bytes();
    name.contains('/')
        && file.len() == 15
        && file.ends_with(b".json")
        && file[..10].iter().enumerate().all(|(at, b)| if at == 4 || at == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

/// The folder of a workspace: the one that holds the channel's folder.
pub(super) fn workspace_of(day: &str) -> &str {
    let folder = day.rsplit_once('/').map_or("", |pair| pair.0);
    folder.rsplit_once('/').map_or("", |pair| pair.0)
}

/// Every file with what it is.
pub(super) fn all(bundle: &Bundle) -> Vec<(&str, Part)> {
    let single = matches!(bundle, Bundle::Single(..));
    bundle.names().into_iter().map(|name| (name, part(bundle, name, single))).collect()
}

fn part(bundle: &Bundle, name: &str, single: bool) -> Part {
    if is_index(name) {
        return Part::Index;
    }
    if is_day(name) {
        return Part::Day;
    }
    let upload = name.contains("__uploads/") || name.contains("attachments/");
    let telling = [".json", ".jsonl", ".gz", ".sqlite", ".db"].iter().any(|ending| name.ends_with(ending));
    if upload || !telling && !single {
        return Part::Other;
    }
    let mut head = Vec::new();
    let read = bundle.with(name, &mut |read| {
        head = start(read);
        Ok(())
    });
    match read.map(|()| by_content(&head)) {
        // Any list of messages in a folder may be an attachment.
        Ok(Part::Day) if !single => Part::Other,
        Ok(part) => part,
        Err(_) => Part::Other,
    }
}

/// The first bytes, unpacked.
fn start(read: &mut dyn Read) -> Vec<u8> {
    let mut head = vec![0; HEAD];
    // What breaks off early is told by what there is; the break is named when it is read.
    let (got, _broken) = windows::fill_kept(read, &mut head);
    head.truncate(got);
    if !head.starts_with(&[0x1f, 0x8b]) {
        return head;
    }
    let mut inner = vec![0; HEAD];
    let mut rest = flate2::read::MultiGzDecoder::new(head.as_slice().chain(read));
    let (got, _broken) = windows::fill_kept(&mut rest, &mut inner);
    inner.truncate(got);
    inner
}

/// Tells a file by its first bytes.
pub(super) fn by_content(head: &[u8]) -> Part {
    if head.starts_with(b"SQLite format 3\0") {
        return Part::Database;
    }
    let text: String =
        String::from_utf8_lossy(head).chars().filter(|c| !c.is_whitespace() && *c != '\u{feff}').collect();
    let message = text.contains("\"type\":\"message\"") && stamped(&text);
    if text.starts_with("{\"t\":") && text[..text.floor_char_boundary(60)].contains("\"ts\":1") {
        Part::Chunks
    } else if text.starts_with("{\"channel_id\":\"") && text.contains("\"messages\":[") {
        Part::Dump
    } else if (text.starts_with("[{") || text.starts_with("{\"")) && message && !text.contains("\"messages\":[") {
        Part::Day
    } else {
        Part::Other
    }
}

/// `"ts":"1700000000.000100"`
fn stamped(text: &str) -> bool {
    text.split("\"ts\":\"").skip(1).any(|rest| {
        let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
        whole >= 9 && rest.as_bytes().get(whole) == Some(&b'.')
    })
}

/// A quick look that spares a walk through every folder that is no export.
pub(super) fn promising(folder: &Path) -> bool {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().take(LOOKS);
    for entry in entries(folder) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type();
        if kind.as_ref().is_ok_and(|kind| kind.is_file()) {
            if is_index(&name) || head(&path, &name).is_some_and(|part| !matches!(part, Part::Other | Part::Day)) {
                return true;
            }
        } else if kind.is_ok_and(|kind| kind.is_dir()) && name != ".git" {
            let first = entries(&path)
                .map(|inner| inner.path())
                .find(|inner| is_day(&format!("{name}/{}", inner.file_name().unwrap_or_default().to_string_lossy())));
            let grid = name == "teams"
                && entries(&path)
                    .any(|team| entries(&team.path()).any(|file| is_index(&file.file_name().to_string_lossy())));
            if grid || first.is_some_and(|day| head(&day, "day.json") == Some(Part::Day)) {
                return true;
            }
        }
    }
    false
}

fn head(path: &Path, name: &str) -> Option<Part> {
    [".json", ".gz", ".jsonl", ".sqlite", ".db"].iter().any(|ending| name.ends_with(ending)).then_some(())?;
    let mut file = std::fs::File::open(path).ok()?;
    let part = by_content(&start(&mut file));
    (part != Part::Database || super::slackdump::is_database(path)).then_some(part)
}
