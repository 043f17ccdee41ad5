//! Everything that stands in a repository now, history included: what baselines and imports are made from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::Repository;

use crate::attribution::{self, Facts};
use crate::detect::{self, Detector, Options};
use crate::error::Result;
use crate::finding::{self, Credential, Finding};
use crate::rule::RuleSet;
use crate::secret::{Fingerprinter, SecretValue};
use crate::source::{self, CommitPeople, Coverage, OpenOptions, Progress, Provenance};

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// The top of the work tree, or the bare repository.
    pub top: PathBuf,
    /// What was read and what was not.
    pub coverage: Vec<Coverage>,
    credentials: Vec<Credential>,
    facts: Facts,
}

/// One finding at one path.
pub struct Place<'a> {
    /// Path in the repository.
    pub path: String,
    /// The commit that brought it in; none for a file of the work tree.
    pub commit: Option<&'a str>,
    /// Who wrote that commit.
    pub author: Option<&'a str>,
    /// The finding.
    pub finding: &'a Finding,
    /// The value: in memory only.
    pub value: &'a SecretValue,
}

/// The top of the repository around a folder.
///
/// # Errors
/// When there is none.
pub fn top(repo: &Path) -> Result<PathBuf> {
    let repository = Repository::discover(repo).map_err(|cause| super::commits::unopened(repo, cause))?;
    Ok(repository.workdir().unwrap_or(repository.path()).to_owned())
}

/// Searches the repository around `repo`.
///
/// # Errors
/// When it cannot be read at all.
pub fn survey(repo: &Path, rules: Arc<RuleSet>, keyed: &Fingerprinter, min_confidence: f32) -> Result<Survey> {
    let top = top(repo)?;
    let detector = Detector::new(rules, Vec::new(), Options { min_confidence, paths_come_later: true })?;
    let sources = source::open(&top, &OpenOptions::default())?;
    let (hits, coverage) = detect::run(&detector, &sources, &Progress::default(), None)?;
    let credentials = finding::collect(hits, keyed);
    let facts = attribution::gather(&credentials, min_confidence)?;
    let credentials = facts.weigh(credentials, min_confidence);
    Ok(Survey { top, coverage, credentials, facts })
}

impl Survey {
    /// Every finding at every path where it was brought in.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let all = self.credentials.iter().flat_map(|one| one.findings.iter().map(move |finding| (one, finding)));
        all.flat_map(|(credential, finding)| {
            self.paths(finding).into_iter().map(move |(by, path)| Place {
                path,
                commit: by.map(|by| by.commit.as_str()),
                author: by.and_then(|by| by.author.display.as_deref().or(by.author.email.as_deref())),
                finding,
                value: &credential.value,
            })
        })
    }

    fn paths(&self, finding: &Finding) -> Vec<(Option<&CommitPeople>, String)> {
        match &finding.location.provenance {
            Provenance::Git { repo, oid, .. } => {
                let known = self.facts.introductions.get(&(Arc::clone(repo), oid.clone()));
                let places = known.map_or(&[][..], Vec::as_slice).iter();
                places.map(|one| (Some(&*one.by), one.path.clone())).collect()
            }
            Provenance::File { path, .. } => {
                let path = Path::new(path);
                let inside = path.strip_prefix(&self.top).unwrap_or(path);
                vec![(None, inside.to_string_lossy().into_owned())]
            }
            _ => Vec::new(),
        }
    }
}
