//! From a blob to the people who brought it into the repository: authors, committers and co-authors of every commit that
//! introduced it at any path.

use super::exposures::Exposures;
use super::{Facts, Relation};
use crate::finding::Finding;
use crate::source::{CommitPeople, Provenance};

pub(super) fn attribute(finding: &Finding, facts: &Facts, exposures: &mut Exposures<'_>) {
    let Provenance::Git { repo, oid, .. } = &finding.location.provenance else { return };
    let key = (repo.clone(), oid.clone());
    let line = finding.location.lines.0;
    for introduction in facts.introductions.get(&key).into_iter().flatten() {
        people(finding, &introduction.by, &format!("{} line {line}", introduction.path), exposures);
    }
    if let Some(commit) = facts.commits.get(&key) {
        people(finding, commit, &format!("the message, line {line}"), exposures);
    }
}

fn people(finding: &Finding, by: &CommitPeople, place: &str, exposures: &mut Exposures<'_>) {
    let short = &by.commit[..by.commit.len().min(10)];
    let day = by.time.get(..10).unwrap_or(&by.time);
    let dangling = if by.reachable { "" } else { ", which no branch or tag reaches" };
    let reason = |role: &str| format!("{role} of commit {short} ({day}{dangling}): {place}");
    exposures.person(finding.fingerprint, &by.author, Relation::Wrote, reason("author"));
    if by.committer != by.author {
        // The merge button and rebases record other people's text: they saw it, they did not write it.
        exposures.person(finding.fingerprint, &by.committer, Relation::CouldRead, reason("committer"));
    }
    for co_author in &by.co_authors {
        exposures.person(finding.fingerprint, co_author, Relation::Wrote, reason("co-author"));
    }
}
