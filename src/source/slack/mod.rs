//! Slack exports: a zip file or a folder with an index of users and channels and one JSON file a channel and day. Grid
//! exports nest whole exports under `teams/<workspace>/`. slackdump writes the same, and three shapes of its own.
//!
//! Layout and fields: Slack's help centre, "How to read Slack data exports", and exports seen.

mod day;
mod directory;
mod glance;
mod message;
mod mrkdwn;
mod parts;
mod slackdump;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::bundle::Bundle;
use super::content::Wrapped;
use super::export::lines;
use super::{
    Coverage, Document, Item, Kin, OpenOptions, Progress, Provenance, Sink, Source, SpanMap, content, encoded, windows,
};
use crate::error::Result;
use directory::Directory;
use parts::{Part, base};

/// Format id.
pub(super) const FORMAT: &str = "slack-export";

/// Attachments above this size are searched in windows.
const LARGE: u64 = 32 << 20;

/// One export.
pub struct SlackExport {
    path: PathBuf,
}

/// Takes a path for a Slack export when it has an index of channels or users and at least one file of messages, or a file
/// that only Slack or slackdump writes. A zip file without a list of members is left to those who read archives.
pub(super) fn recognise(path: &Path, options: &OpenOptions) -> Result<Option<Vec<Box<dyn Source>>>> {
    if path.is_dir() && options.take_for.is_none() && !parts::promising(path) {
        return Ok(None);
    }
    let Ok(Some(bundle)) = Bundle::any(path, &mut Coverage::default()) else { return Ok(None) };
    let parts = parts::all(&bundle);
    let has = |part: Part| parts.iter().any(|one| one.1 == part);
    let index = has(Part::Index) || !matches!(bundle, Bundle::Zip(..) | Bundle::Tar(..));
    let database = || {
        parts.iter().filter(|one| one.1 == Part::Database).any(|(name, _)| {
            let mut known = false;
            // A database that cannot be opened is none of ours.
            let _unreadable = slackdump::with_database(&bundle, name, &mut |base| {
                known = slackdump::is_ours(base);
                Ok(())
            });
            known
        })
    };
    let mine = index && has(Part::Day) || has(Part::Dump) || has(Part::Chunks) || database();
    Ok(mine.then(|| vec![Box::new(SlackExport { path: path.to_owned() }) as Box<dyn Source>]))
}

/// Opens a file of messages that lies among other files: nobody says who its people are, but it names them.
pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    let Provenance::File { path, inside } = wrapped.provenance else { return false };
    let name = inside.last().unwrap_or(path);
    let json = name.ends_with(".json") && matches!(wrapped.bytes.trim_ascii_start().first(), Some(b'[' | b'{'));
    if !json || parts::by_content(&wrapped.bytes[..wrapped.bytes.len().min(parts::HEAD)]) != Part::Day {
        return false;
    }
    let whole = inside.iter().fold(path.clone(), |whole, member| format!("{whole}!{member}"));
    let (folder, name) = whole.rsplit_once('/').unwrap_or(("", &whole));
    let export = SlackExport { path: PathBuf::from(if folder.is_empty() { "." } else { folder }) };
    let mut share = Coverage::default();
    export.messages(&mut &*wrapped.bytes, &Directory::default(), name, sink, &mut share);
    account.absorb(share);
    true
}

/// Whether a name in an archive is one that only Slack's exports have.
pub(super) fn is_part(name: &str) -> bool {
    parts::is_index(name)
}

impl SlackExport {
    fn open(&self, coverage: &mut Coverage) -> Result<Bundle> {
        let gone = || crate::error::Error::user(format!("{} is no Slack export any more", self.path.display()));
        Bundle::any(&self.path, coverage)?.ok_or_else(gone)
    }

    fn hand(
        &self,
        name: &str,
        (item, text): message::Piece,
        spans: Option<&SpanMap>,
        sink: &dyn Sink,
        coverage: &mut Coverage,
    ) {
        let provenance = Provenance::Export { path: self.shown(name), item };
        coverage.documents += 1;
        coverage.bytes += text.len() as u64;
        let record = lines::current().map(SpanMap::record);
        let spans = spans.or(record.as_ref());
        sink.document(&Document { bytes: text.as_bytes(), provenance: &provenance, spans });
        encoded::hand_on(text.as_bytes(), &provenance, sink, coverage);
    }

    /// One of the shapes that only slackdump has.
    fn dumped(
        &self,
        bundle: &Bundle,
        directory: &Directory,
        (name, part): (&str, Part),
        sink: &dyn Sink,
        coverage: &mut Coverage,
    ) {
        coverage.raw_bytes += bundle.size(name);
        let _inner = lines::Inner::begin();
        let done = match part {
            Part::Dump => {
                slackdump::dump(bundle, name, directory, &mut |piece| self.hand(name, piece, None, sink, coverage))
            }
            Part::Chunks => slackdump::chunks(bundle, name, directory, &mut |piece| match piece {
                Ok(piece) => self.hand(name, piece, None, sink, coverage),
                Err(line) => self.plain(name, line, sink, coverage),
            }),
            _ => slackdump::with_database(bundle, name, &mut |base| {
                slackdump::messages(base, directory, &mut |piece| self.hand(name, piece, None, sink, coverage))
            }),
        };
        if let Err(why) = done {
            coverage.fail(name, format!("not all of it could be read: {why}"));
            if part == Part::Dump {
                self.other(bundle, directory, name, &HashMap::new(), sink, coverage);
            }
        }
    }

    /// An attachment of a message, or a file that is nobody's.
    fn other(
        &self,
        bundle: &Bundle,
        directory: &Directory,
        name: &str,
        uploads: &Uploads,
        sink: &dyn Sink,
        coverage: &mut Coverage,
    ) {
        let known = upload_ids(name).find_map(|id| uploads.get(id)).cloned();
        let item = known.or_else(|| directory.attachment(name.rsplit_once('/')?.0, base(name)));
        let provenance = match item {
            Some(item) => Provenance::Export { path: self.shown(name), item },
            None => Provenance::File { path: self.shown(name), inside: Vec::new() },
        };
        let size = bundle.size(name);
        coverage.raw_bytes += size;
        if size > LARGE {
            return self.windows(bundle, name, &provenance, sink, coverage);
        }
        match bundle.read(name) {
            Ok(raw) => content::hand_on(&raw, &provenance, sink, coverage),
            Err(why) => coverage.fail(name, why),
        }
    }

    /// A file too large for memory, as text.
    fn windows(&self, bundle: &Bundle, name: &str, provenance: &Provenance, sink: &dyn Sink, coverage: &mut Coverage) {
        let read = bundle.with(name, &mut |read| {
            let fed = windows::feed(read, &mut |bytes, spans| {
                sink.document(&Document { bytes, provenance, spans: Some(spans) });
            });
            match fed.map_err(|error| error.to_string())? {
                Ok(bytes) => {
                    coverage.documents += 1;
                    coverage.bytes += bytes;
                }
                Err(why) => coverage.skip(name, why),
            }
            Ok(())
        });
        if let Err(why) = read {
            coverage.fail(name, why);
        }
    }

    /// Who posted each attachment that lies in the export.
    fn uploads(&self, bundle: &Bundle, directory: &Directory, parts: &[(&str, Part)]) -> Uploads {
        let mut uploads = HashMap::new();
        if !parts.iter().any(|(name, part)| *part == Part::Other && upload_ids(name).next().is_some()) {
            return uploads;
        }
        let files = memchr::memmem::Finder::new("\"files\"");
        for (name, _) in parts.iter().filter(|part| part.1 == Part::Day) {
            let folder = name.rsplit_once('/').map_or("", |pair| pair.0);
            let day = message::Day { directory, folder, workspace: directory.workspace(parts::workspace_of(name)) };
            // What cannot be read here is named when the messages are read.
            let _again = bundle.with(name, &mut |read| {
                let mut messages = glance::Messages::new(read);
                while let Some((number, place)) = messages.next()? {
                    let raw = messages.bytes(place);
                    let whole = files.find(raw).and_then(|_| serde_json::from_slice(raw).ok());
                    let message: serde_json::Value = whole.unwrap_or_default();
                    for file in message["files"].as_array().into_iter().flatten() {
                        if let (Some(id), Some(item)) =
                            (file["id"].as_str(), day.posted(&message, file, &format!("/{number}")))
                        {
                            uploads.entry(id.to_owned()).or_insert(item);
                        }
                    }
                }
                Ok(())
            });
        }
        uploads
    }

    fn plain(&self, name: &str, raw: &[u8], sink: &dyn Sink, coverage: &mut Coverage) {
        let provenance = Provenance::File { path: self.shown(name), inside: Vec::new() };
        coverage.documents += 1;
        coverage.bytes += raw.len() as u64;
        let record = lines::current().map(SpanMap::record);
        sink.document(&Document { bytes: raw, provenance: &provenance, spans: record.as_ref() });
    }

    fn shown(&self, name: &str) -> String {
        format!("{}/{name}", self.path.display())
    }
}

/// Messages that files were posted with, by the id of the file.
type Uploads = HashMap<String, Arc<Item>>;

/// Ids of files in a name: `__uploads/F012/key.pem`, `general/attachments/F012-key.pem`.
fn upload_ids(name: &str) -> impl Iterator<Item = &str> {
    let id = |text: &str| {
        text.len() >= 6 && text.starts_with('F') && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let dashed = base(name).split_once('-').map(|pair| pair.0);
    name.split('/').chain(dashed).filter(move |part| id(part))
}

/// `acme` out of the first `https://acme.slack.com/` in the raw JSON, whose slashes may be escaped.
fn workspace(raw: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(raw, b".slack.com")?;
    let start = raw[..at].iter().rposition(|b| !b.is_ascii_alphanumeric() && *b != b'-')? + 1;
    let name = String::from_utf8_lossy(&raw[start..at]).into_owned();
    (!name.is_empty() && name != "files" && name != "api").then_some(name)
}

impl Source for SlackExport {
    fn name(&self) -> String {
        format!("Slack export {}", self.path.display())
    }

    fn read(&self, sink: &dyn Sink, progress: &Progress) -> Result<Coverage> {
        let mut coverage = Coverage::new(self.name(), FORMAT);
        let bundle = self.open(&mut coverage)?;
        let parts = parts::all(&bundle);
        let directory = Directory::read(&bundle, &parts, &mut coverage);
        let uploads = self.uploads(&bundle, &directory, &parts);
        progress.expect(parts.iter().map(|part| bundle.size(part.0)).sum());
        for (item, text) in directory.topics() {
            let provenance = Provenance::Export { path: self.shown(&item.id), item };
            coverage.documents += 1;
            sink.document(&Document { bytes: text.as_bytes(), provenance: &provenance, spans: None });
        }
        let total = Mutex::new(coverage);
        parts.par_iter().for_each(|(name, part)| {
            let mut share = Coverage::default();
            match part {
                Part::Day => self.day(&bundle, &directory, name, sink, &mut share),
                Part::Dump | Part::Chunks | Part::Database => {
                    self.dumped(&bundle, &directory, (name, *part), sink, &mut share);
                }
                // Index files are searched as they are, nobody wrote them.
                Part::Index => match bundle.read(name) {
                    Ok(raw) => self.plain(name, &raw, sink, &mut share),
                    Err(why) => share.fail(*name, why),
                },
                Part::Other => self.other(&bundle, &directory, name, &uploads, sink, &mut share),
            }
            progress.advance(bundle.size(name));
            total.lock().expect("because no thread panics with the lock held").absorb(share);
        });
        Ok(total.into_inner().expect("because no thread panics with the lock held"))
    }

    fn roster(&self) -> Result<Vec<Kin>> {
        let bundle = self.open(&mut Coverage::default())?;
        let directory = Directory::read(&bundle, &parts::all(&bundle), &mut Coverage::default());
        let reason = format!("user list of the {}", self.name());
        Ok(directory.users().map(|person| Kin { people: vec![person.clone()], reason: reason.clone() }).collect())
    }
}

#[cfg(test)]
mod tests;
