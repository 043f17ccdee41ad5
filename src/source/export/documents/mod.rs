//! Documents that are no text as they stand: Office and OpenDocument files, PDF, databases and mail stores. Comments and tracked
//! changes have authors of their own.

mod odf;
mod office;
#[cfg(feature = "documents")]
mod pdf;
#[cfg(feature = "documents")]
mod pst;
mod sqlite;

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use zip::ZipArchive;

use super::super::content::{self, Opener, Wrapped};
use super::super::{Coverage, Evidence, PersonRef, Provenance, Sink};
use super::known::person;
use super::out::Out;

/// Every kind of document, asked before archives are: most documents are archives, too.
pub(in super::super) const OPENERS: &[Opener] = &[
    office::opener,
    #[cfg(feature = "documents")]
    pdf::opener,
    #[cfg(feature = "documents")]
    pst::opener,
    sqlite::opener,
    sqlite::journal,
];

/// A file too large for memory, if it is a document that can be read from its place.
#[cfg_attr(not(feature = "documents"), allow(unused_variables, reason = "mail stores are read by that feature only"))]
pub(in super::super) fn large(
    path: &Path,
    head: &[u8],
    provenance: &Provenance,
    sink: &dyn Sink,
    account: &mut Coverage,
) -> bool {
    #[cfg(feature = "documents")]
    if head.starts_with(pst::MAGIC) {
        pst::large(path, provenance, sink, account);
        return true;
    }
    false
}

/// Most bytes of one part of a document, and of all of them.
const PART: u64 = 64 << 20;
const WHOLE: u64 = 512 << 20;

/// Runs a parser with a place for what it finds. Commits of git and stores keep their own provenance, which knows the author.
fn with_out(
    wrapped: &Wrapped<'_>,
    sink: &dyn Sink,
    account: &mut Coverage,
    format: &'static str,
    run: impl FnOnce(&mut Out<'_>),
) {
    let shown = content::place(wrapped.provenance);
    let outer = match wrapped.provenance {
        Provenance::File { .. } => None,
        other => Some(other),
    };
    run(&mut Out { sink, coverage: account, shown: &shown, format, outer });
}

/// Parts of a document that is a zip file, read once and within bounds.
struct Parts<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

impl<'a> Parts<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let archive = bytes.starts_with(b"PK\x03\x04").then(|| ZipArchive::new(Cursor::new(bytes)).ok())??;
        Some(Self { archive, left: WHOLE.min((bytes.len() as u64).saturating_mul(400)) })
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.archive.file_names().filter_map(|name| name.ok().map(|name| name.into_owned())).collect();
        names.sort();
        names
    }

    fn part(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let mut member = self.archive.by_name(name).map_err(|error| {
            let text = error.to_string();
            if text.to_lowercase().contains("password") { "encrypted".to_owned() } else { text }
        })?;
        let mut bytes = Vec::new();
        let most = PART.min(self.left);
        (&mut member).take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > most {
            return Err("unpacks to too much".to_owned());
        }
        self.left -= bytes.len() as u64;
        Ok(bytes)
    }
}

/// The person whom a document's properties name as its maker, which proves little.
fn maker(platform: &str, name: Option<String>) -> Option<PersonRef> {
    let mut who = named(platform, name?, None)?;
    who.evidence = Evidence::E4;
    Some(who)
}

/// Somebody by the name that a program showed, which can be an address; `id` may hold one, too.
fn named(platform: &str, name: String, id: Option<String>) -> Option<PersonRef> {
    // Microsoft writes `S::alice@corp.example::guid`.
    let within = id.as_deref().and_then(|id| id.split("::").find(|part| part.contains('@'))).map(str::to_owned);
    let email = within.or_else(|| name.contains('@').then(|| name.clone()));
    person(platform, id, None, email, Some(name))
}

/// Runs of text in bytes that are none as a whole, a line each.
fn runs(bytes: &[u8], out: &mut String) {
    let mut start = None;
    for (at, byte) in bytes.iter().chain(std::iter::once(&0)).enumerate() {
        let plain = matches!(byte, 0x20..=0x7e | b'\t' | b'\n' | b'\r' | 0x80..);
        match (plain, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                if at - from >= 6
                    && let text = String::from_utf8_lossy(&bytes[from..at])
                    && text.bytes().filter(u8::is_ascii_graphic).count() >= 6
                {
                    out.push_str(&text);
                    out.push('\n');
                }
                start = None;
            }
            _ => {}
        }
    }
}

/// What a document's own provenance becomes for one of its parts.
pub(super) fn of_part(outer: &Provenance, part: &str) -> Provenance {
    super::super::archive::within(outer, part)
}

/// An item inside of a document that is itself an attachment: people and container of the outer item stay where the inner one
/// has none.
pub(super) fn attached(outer: &Arc<super::super::Item>, inner: &mut super::super::Item) {
    let part = inner.pointer.take().unwrap_or_default();
    inner.pointer = Some(format!("{}!{part}", outer.pointer.as_deref().unwrap_or_default()));
    inner.container = outer.container.clone();
    inner.permalink = inner.permalink.take().or_else(|| outer.permalink.clone());
    if inner.author.as_ref().is_none_or(|who| who.evidence == Evidence::E4) {
        inner.author = outer.author.clone();
        inner.created = outer.created.clone();
    }
    inner.sent_to = outer.sent_to.clone();
    inner.readers = Arc::clone(&outer.readers);
}
