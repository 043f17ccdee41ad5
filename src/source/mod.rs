//! Where text comes from. A source reads a place (work tree, git history, export) and hands every piece of text in it to a
//! [`Sink`], with its provenance; at the end it says what it read, what it skipped, what it could not read, and why.
//!
//! Invariant: this room knows no rules and no people. It reports authors as the export names them ([`PersonRef`]); who
//! they are is decided in `identity` and `attribution`.

mod archive;
mod bundle;
mod clones;
mod content;
mod coverage;
mod dropped;
mod encoded;
mod export;
pub mod files;
pub mod git;
mod history;
mod item;
mod mapped;
mod open;
mod progress;
mod provenance;
mod record;
mod seen;
mod spans;
mod text;
mod windows;

pub mod slack;

pub use clones::listed;
pub use coverage::{Coverage, Gap, GapKind};
pub use history::{CommitPeople, Introduction};
pub use item::{Container, ContainerKind, Evidence, Item, ItemKind, Kin, PersonRef, Via};
pub use open::{OpenOptions, Recogniser, check_map, formats, open};
pub use progress::Progress;
pub use provenance::{GitObjectKind, Provenance};
pub use record::Record;
pub use seen::Seen;
pub use spans::{Place, SpanMap};

use std::any::Any;

use crate::error::Result;

/// One piece of text on its way to the detectors.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    /// The text; for decoded formats the decoded form.
    pub bytes: &'a [u8],
    /// Where it is.
    pub provenance: &'a Provenance,
    /// For decoded text: how offsets in `bytes` map to offsets in the raw file. `None` means they are the same.
    pub spans: Option<&'a SpanMap>,
}

/// How a document was made from another one that the sink had before.
#[derive(Clone, Copy)]
pub struct Edit<'a> {
    /// What the sink gave back for the base.
    pub base: &'a (dyn Any + Send),
    /// Runs that the document repeats from the base, in order of the document. Everything else is new.
    pub copied: &'a [Copied],
}

/// A run of bytes that a document repeats from its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Offset in the base.
    pub from: usize,
    /// Offset in the document.
    pub to: usize,
    /// Length of the run.
    pub length: usize,
}

/// Content as text: as it stands, or decoded from UTF-16.
///
/// # Errors
/// When it is not text; the reason is part of a sentence.
pub fn as_text(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, &'static str> {
    match text::of(bytes) {
        text::Text::Plain => Ok(bytes.into()),
        text::Text::Decoded(decoded, _) => Ok(decoded.into()),
        text::Text::Binary(why) => Err(why),
    }
}

/// Receives documents. Called from many threads at once.
pub trait Sink: Sync {
    /// Takes one whole document.
    fn document(&self, document: &Document<'_>);

    /// Takes a whole document of a source whose documents are made from each other, such as the revisions of a file in a
    /// history. What the sink gives back comes again as [`Edit::base`] with every document made from this one, so that it
    /// need look at the new bytes only. A sink that has no use for that treats each document for itself.
    fn revision(&self, document: &Document<'_>, _edit: Option<Edit<'_>>) -> Option<Box<dyn Any + Send>> {
        self.document(document);
        None
    }

    /// Whether raw bytes could hold anything worth parsing for. Conservative: `true` when in doubt. A source of a format
    /// whose text survives in the raw bytes may skip the parse of a file when this says `false`.
    fn wants(&self, _raw: &[u8]) -> bool {
        true
    }

    /// Whether this text would give anything if it came as a document of the file at `path`. `true` when in doubt. Where it
    /// is dear to say who wrote a text, a source asks this first and makes a document only of what is worth it.
    fn finds(&self, _text: &[u8], _path: &str) -> bool {
        true
    }
}

/// A place that text comes from.
pub trait Source: Send + Sync {
    /// What a person would call it: `git history of ./shop`, `Slack export acme.zip`.
    fn name(&self) -> String;

    /// Hands every document to the sink. A failure of one part is a [`Gap`] in the coverage; an `Err` means that nothing
    /// of this source could be read at all.
    fn read(&self, sink: &dyn Sink, progress: &Progress) -> Result<Coverage>;

    /// The people that the source itself knows: the user list of an export, the authors, committers, co-authors and
    /// mailmap of a repository. Each entry says why its names belong to one person. May read the source once more.
    fn roster(&self) -> Result<Vec<Kin>> {
        Ok(Vec::new())
    }
}
