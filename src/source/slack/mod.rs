//! Slack exports: a zip file or a folder with an index of users and channels and one JSON file a channel and day. Grid
//! exports nest whole exports under `teams/<workspace>/`.
//!
//! Layout and fields: Slack's help centre, "How to read Slack data exports", and exports seen.

mod directory;
mod message;
mod mrkdwn;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;

use super::bundle::Bundle;
use super::{Coverage, Document, Kin, OpenOptions, Progress, Provenance, Sink, Source};
use crate::error::Result;
use directory::Directory;

/// Format id.
pub(super) const FORMAT: &str = "slack-export";

/// One export.
pub struct SlackExport {
    path: PathBuf,
}

/// Takes a path for a Slack export when it has an index of channels or users and at least one day file.
///
/// # Errors
/// When the path is a zip file without a list of members.
pub(super) fn recognise(path: &Path, options: &OpenOptions) -> Result<Option<Vec<Box<dyn Source>>>> {
    if path.is_dir() && options.take_for.is_none() && !has_index(path) {
        return Ok(None);
    }
    let Some(bundle) = Bundle::open(path, &mut Coverage::default())? else { return Ok(None) };
    let names = bundle.names();
    let index =
        names.iter().any(|name| matches!(base(name), "channels.json" | "dms.json" | "groups.json" | "users.json"));
    let days = names.iter().any(|name| is_day(name));
    Ok((index && days).then(|| vec![Box::new(SlackExport { path: path.to_owned() }) as Box<dyn Source>]))
}

/// A quick look that spares a walk through every folder that is no export.
fn has_index(path: &Path) -> bool {
    ["channels.json", "users.json", "dms.json", "groups.json", "org_users.json"]
        .iter()
        .any(|name| path.join(name).is_file())
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `general/2026-01-31.json`
fn is_day(name: &str) -> bool {
    let file = base(name).as_bytes();
    name.contains('/')
        && file.len() == 15
        && file.ends_with(b".json")
        && file[..10].iter().enumerate().all(|(at, b)| if at == 4 || at == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

impl SlackExport {
    fn open(&self, coverage: &mut Coverage) -> Result<Bundle> {
        let gone = || crate::error::Error::user(format!("{} is no Slack export any more", self.path.display()));
        Bundle::open(&self.path, coverage)?.ok_or_else(gone)
    }

    /// One day of one channel.
    fn day(&self, bundle: &Bundle, directory: &Directory, name: &str, sink: &dyn Sink, coverage: &mut Coverage) {
        let raw = match bundle.read(name) {
            Ok(raw) => raw,
            Err(why) => return coverage.fail(name, why),
        };
        coverage.raw_bytes += raw.len() as u64;
        if !sink.wants(&raw) && !mrkdwn::may_split(&raw) {
            coverage.bytes += raw.len() as u64;
            return;
        }
        let messages: Vec<serde_json::Value> = match serde_json::from_slice(&raw) {
            Ok(messages) => messages,
            Err(_) => {
                // Cut-off JSON is still text: better without an author than not at all.
                coverage.fail(name, "not a JSON list, searched without authors");
                return self.plain(name, &raw, sink, coverage);
            }
        };
        let day = message::Day {
            directory,
            folder: name.rsplit_once('/').map_or("", |pair| pair.0),
            workspace: workspace(&raw),
        };
        for (number, message) in messages.iter().enumerate() {
            for (item, text) in day.items(message, number) {
                let provenance = Provenance::Export { path: self.shown(name), item };
                coverage.documents += 1;
                coverage.bytes += text.len() as u64;
                sink.document(&Document { bytes: text.as_bytes(), provenance: &provenance, spans: None });
            }
        }
    }

    fn plain(&self, name: &str, raw: &[u8], sink: &dyn Sink, coverage: &mut Coverage) {
        let provenance = Provenance::File { path: self.shown(name), inside: Vec::new() };
        coverage.documents += 1;
        coverage.bytes += raw.len() as u64;
        sink.document(&Document { bytes: raw, provenance: &provenance, spans: None });
    }

    fn shown(&self, name: &str) -> String {
        format!("{}/{name}", self.path.display())
    }
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
        let directory = Directory::read(&bundle, &mut coverage);
        let names = bundle.names();
        progress.expect(names.len() as u64);
        for (item, text) in directory.topics() {
            let provenance = Provenance::Export { path: self.shown(&item.id), item };
            coverage.documents += 1;
            sink.document(&Document { bytes: text.as_bytes(), provenance: &provenance, spans: None });
        }
        let total = Mutex::new(coverage);
        names.par_iter().for_each(|name| {
            let mut part = Coverage::default();
            if is_day(name) {
                self.day(&bundle, &directory, name, sink, &mut part);
            } else {
                // Index files and attachments: searched as they are, nobody wrote them.
                match bundle.read(name) {
                    Ok(raw) => self.plain(name, &raw, sink, &mut part),
                    Err(why) => part.fail(*name, why),
                }
            }
            progress.advance(1);
            total.lock().expect("because no thread panics with the lock held").absorb(part);
        });
        Ok(total.into_inner().expect("because no thread panics with the lock held"))
    }

    fn roster(&self) -> Result<Vec<Kin>> {
        let bundle = self.open(&mut Coverage::default())?;
        let directory = Directory::read(&bundle, &mut Coverage::default());
        let reason = format!("user list of the {}", self.name());
        Ok(directory.users().map(|person| Kin { people: vec![person.clone()], reason: reason.clone() }).collect())
    }
}

#[cfg(test)]
mod tests;
