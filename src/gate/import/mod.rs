//! What other scanners were told to let pass → entries of a baseline. One file a format.
//!
//! Their entries name places, hashes and patterns; ours name a fingerprint and a path. So the repository is searched, and
//! each of its findings that an entry means is accepted. An entry that means none is reported: it was stale already, or
//! offkey does not find what it is about.

mod detect_secrets;
mod gitleaks_ignore;
mod gitleaks_toml;
mod kingfisher;

use regex::bytes::Regex;
use sha1::{Digest, Sha1};

use super::survey::Place;
use crate::error::{Error, Result};

/// What an entry means.
#[derive(Debug)]
pub(super) enum Means {
    /// A place.
    Place { commit: Option<String>, path: String, line: Option<u32> },
    /// A value in a file, by the SHA-1 of the value in hexadecimal.
    Hash { path: String, sha1: String },
    /// Every finding whose path fits.
    Path(Regex),
    /// Every finding whose value fits.
    Value(Regex),
    /// Every finding whose value holds the word, whatever the case.
    Word(String),
    /// Every finding that the commit brought in.
    Commit(String),
    /// All of these together.
    All(Vec<Means>),
}

impl Means {
    fn covers(&self, place: &Place<'_>) -> bool {
        match self {
            Self::Place { commit, path, line } => {
                let (first, last) = place.finding.location.lines;
                commit.as_deref().is_none_or(|commit| place.commit.is_some_and(|id| id.starts_with(commit)))
                    && *path == place.path
                    && line.is_none_or(|line| (first..=last).contains(&line))
            }
            Self::Hash { path, sha1 } => {
                let hash = data_encoding::HEXLOWER.encode(&Sha1::digest(place.value.expose()));
                *path == place.path && *sha1 == hash
            }
            Self::Path(pattern) => pattern.is_match(place.path.as_bytes()),
            Self::Value(pattern) => pattern.is_match(place.value.expose()),
            Self::Word(word) => {
                let value = String::from_utf8_lossy(place.value.expose()).to_lowercase();
                value.contains(&word.to_lowercase())
            }
            Self::Commit(commit) => place.commit.is_some_and(|id| id.starts_with(commit.as_str())),
            Self::All(all) => all.iter().all(|one| one.covers(place)),
        }
    }
}

/// One entry of a foreign file.
#[derive(Debug)]
pub struct Wish {
    /// Where it stands: `.gitleaksignore:3`.
    pub origin: String,
    /// Why, if the file says so.
    pub reason: Option<String>,
    means: Means,
}

impl Wish {
    fn new(origin: String, reason: Option<String>, means: Means) -> Self {
        Self { origin, reason, means }
    }

    /// Whether it means this finding.
    pub fn covers(&self, place: &Place<'_>) -> bool {
        self.means.covers(place)
    }
}

/// What a foreign file says.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Entries.
    pub entries: Vec<Wish>,
    /// Entries that cannot be translated, each with its place and why.
    pub untranslated: Vec<String>,
}

/// A reader: `None` when the text is of another format.
type Reader = fn(&str, &str) -> Option<Wishes>;

/// Formats, one line each; the first that knows the text takes it.
const READERS: &[(&str, Reader)] = &[
    ("detect-secrets baseline", detect_secrets::read),
    ("kingfisher baseline", kingfisher::read),
    ("gitleaks configuration", gitleaks_toml::read),
    ("gitleaks ignore file", gitleaks_ignore::read),
];

/// Reads a foreign file; the format is found by its content. Gives the format's name as well.
///
/// # Errors
/// When no format knows it.
pub fn read(text: &str, shown: &str) -> Result<(&'static str, Wishes)> {
    let known = READERS.iter().find_map(|(name, read)| Some((*name, read(text, shown)?)));
    known.ok_or_else(|| {
        let names: Vec<&str> = READERS.iter().map(|(name, _)| *name).collect();
        Error::user(format!("{shown} is of no format that can be imported"))
            .next(format!("Known: {}.", names.join(", ")))
    })
}
