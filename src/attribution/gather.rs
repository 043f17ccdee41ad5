//! Asks repositories about the objects that have hits: one walk a repository, however many hits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Facts;
use crate::detect::keeper;
use crate::error::Result;
use crate::finding::{Credential, Finding};
use crate::source::git::Repository;
use crate::source::{GitObjectKind, Provenance};

/// Objects of one repository with findings, and whether one of these needs no path that speaks for it.
type Objects = BTreeMap<(String, GitObjectKind), bool>;

/// Facts about the places of all findings. For an object whose findings are all below `min_confidence` only paths of files for
/// credentials are looked up: no other would raise them ([`Facts::weigh`]).
///
/// # Errors
/// When a repository with a hit cannot be opened any more.
pub fn gather(credentials: &[Credential], min_confidence: f32) -> Result<Facts> {
    let mut by_repository: BTreeMap<Arc<str>, Objects> = BTreeMap::new();
    for finding in credentials.iter().flat_map(|credential| &credential.findings) {
        if let Provenance::Git { repo, oid, object, .. } = &finding.location.provenance {
            let objects = by_repository.entry(Arc::clone(repo)).or_default();
            *objects.entry((oid.clone(), *object)).or_default() |= finding.confidence >= min_confidence;
        }
    }
    let mut facts = Facts::default();
    for (repo, objects) in by_repository {
        let repository = Repository::open(Path::new(&*repo))?;
        let blobs = |sure: bool| -> Vec<String> {
            let some = objects.iter().filter(|((_, kind), is)| *kind == GitObjectKind::Blob && **is == sure);
            some.map(|((oid, _), _)| oid.clone()).collect()
        };
        for (oid, introductions) in repository.introductions_under(&blobs(true), &blobs(false), &keeper) {
            facts.introductions.insert((Arc::clone(&repo), oid), introductions);
        }
        for (oid, _) in objects.keys().filter(|(_, kind)| *kind != GitObjectKind::Blob) {
            if let Some(people) = repository.people(oid) {
                facts.commits.insert((Arc::clone(&repo), oid.clone()), Arc::new(people));
            }
        }
    }
    Ok(facts)
}

impl Facts {
    /// A place as a person would look for it: path, line, and the commit for what only history has.
    pub fn place(&self, finding: &Finding) -> String {
        let line = finding.location.lines.0;
        let Provenance::Git { repo, oid, inside, .. } = &finding.location.provenance else {
            return format!("{}:{line}", finding.location.provenance);
        };
        let key = (Arc::clone(repo), oid.clone());
        if let Some(introduction) = self.introductions.get(&key).and_then(|all| all.first()) {
            let commit = &introduction.by.commit[..introduction.by.commit.len().min(10)];
            let chain: String = inside.iter().map(|member| format!("!{member}")).collect();
            return format!("{repo}@{commit}:{}{chain}:{line}", introduction.path);
        }
        format!("{}:{line}", finding.location.provenance)
    }
}
