//! Exports of chats, tickets, wikis and mail: who wrote each text, where, when, and who could read it.
//!
//! A format is one file here: which files it claims by their content, what it learns about people, and how it hands on the
//! items. Everything a format's fields do not cover is searched, too, as fields that nobody is named for.
//! Layouts: `docs/sources.md`.

mod blocks;
mod dates;
mod documents;
mod facts;
pub(super) mod json;
mod known;
pub(super) mod lines;
mod out;
mod table;
pub(super) mod text;
mod utf8;
mod xml;

mod formats;
mod one;
mod whole;

pub(super) use documents::{OPENERS as DOCUMENTS, large as large_document};
pub(super) use formats::{check_map, ids};
pub(super) use one::{large, opener};
pub(super) use whole::{is_part, recognise, recognise_whole};

use std::io::Read;

use known::Known;
use out::Out;

/// The start of a file, to tell its format by.
pub(super) struct Peek<'a> {
    /// Path inside the export, with slashes.
    pub(super) name: &'a str,
    /// The first bytes as text, up to [`HEAD`].
    pub(super) head: &'a str,
}

/// Bytes of a [`Peek`].
const HEAD: usize = 16 << 10;

impl Peek<'_> {
    /// Whether all of these stand in the head.
    fn has(&self, marks: &[&str]) -> bool {
        marks.iter().all(|mark| self.head.contains(mark))
    }

    /// Whether all of these stand in the head as names of JSON members.
    fn keys(&self, names: &[&str]) -> bool {
        let json = self.head.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
        json && names.iter().all(|name| self.head.contains(&format!("\"{name}\"")))
    }

    /// The first text that is not white.
    fn starts(&self, mark: &str) -> bool {
        self.head.trim_start_matches('\u{feff}').trim_start().starts_with(mark)
    }

    /// Last part of the name.
    fn base(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }
}

/// A file of an export while it is read.
pub(super) struct Input<'a> {
    /// Path inside the export, with slashes.
    pub(super) name: &'a str,
    /// Its bytes as UTF-8.
    pub(super) read: &'a mut dyn Read,
    /// `key=value` pairs of a field map, if the user gave one.
    pub(super) map: Option<&'a str>,
}

/// Reads a file into what is known; reads a file and hands on its items. An error is one line of the coverage; what was
/// handed on before stays.
type Learn = fn(&mut Input<'_>, &mut Known) -> Result<(), String>;
type Hand = fn(&mut Input<'_>, &Known, &mut Out<'_>) -> Result<(), String>;

/// One format.
pub(super) struct Format {
    /// What it is called: `jira-csv`.
    id: &'static str,
    /// Whether a file is of this format.
    claims: fn(&Peek<'_>) -> bool,
    /// First pass, where the people stand elsewhere than on the messages.
    learn: Option<Learn>,
    /// Second pass.
    hand: Hand,
}
