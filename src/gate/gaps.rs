//! Parts of a repository that could not be read, remembered until what stands there is another.
//!
//! Some gaps are for good: an encrypted archive in a commit stays what it is. Reading the whole history again at every look
//! because of one would make each look as long as the first. So a gap is told at every look, and tried again when the
//! thing itself changed: an object that was missing arrived, a damaged pack was replaced, a shallow clone became deeper.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Oid, Repository};
use serde::{Deserialize, Serialize};

use crate::source::{Coverage, Gap, GapKind};

/// The gaps of the last look at everything.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Gaps {
    parts: Vec<Part>,
    /// How often each reason occurred; more than the parts that are named.
    counts: BTreeMap<String, u64>,
    /// Where the history ends in a shallow clone.
    shallow: String,
}

/// One of them, and what stood there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    place: String,
    why: String,
    state: String,
}

impl Gaps {
    /// Adds those of an account, with what stands at each place now.
    pub(super) fn add(&mut self, repository: &Path, coverage: &Coverage) {
        let opened = Repository::open(repository).ok();
        self.shallow = shallow(opened.as_ref());
        for gap in coverage.gaps.iter().filter(|gap| gap.kind == GapKind::Failed) {
            let state = state(opened.as_ref(), &gap.place);
            self.parts.push(Part { place: gap.place.clone(), why: gap.why.clone(), state });
        }
        for (reason, count) in coverage.counts.iter().filter(|(reason, _)| reason.starts_with("failed: ")) {
            *self.counts.entry(reason.clone()).or_default() += count;
        }
    }

    /// Whether one of them is worth another try.
    pub(super) fn changed(&self, repository: &Path) -> bool {
        if self.parts.is_empty() {
            return false;
        }
        let opened = Repository::open(repository).ok();
        shallow(opened.as_ref()) != self.shallow
            || self.parts.iter().any(|part| state(opened.as_ref(), &part.place) != part.state)
    }

    /// Adds them to the account of a look that did not try them again.
    pub(super) fn tell(&self, coverage: &mut Coverage) {
        let gap = |part: &Part| Gap { kind: GapKind::Failed, place: part.place.clone(), why: part.why.clone() };
        coverage.absorb(Coverage {
            gaps: self.parts.iter().map(gap).collect(),
            counts: self.counts.clone(),
            ..Coverage::default()
        });
    }
}

/// What stands at a place: whether an object can be read, how a file looks.
fn state(repository: Option<&Repository>, place: &str) -> String {
    let name = place.split(|letter: char| !letter.is_ascii_hexdigit()).next().unwrap_or_default();
    let (40 | 64, Ok(id)) = (name.len(), Oid::from_str(name)) else { return look(Path::new(place)) };
    let Some(repository) = repository else { return String::new() };
    let loose = look(&repository.commondir().join("objects").join(&name[..2]).join(&name[2..]));
    if !loose.is_empty() {
        // libgit2 1.9.7 never comes back from a loose object that is cut off (libgit2 #7342): its file is looked at only.
        return loose;
    }
    let read = repository.odb().is_ok_and(|objects| objects.read(id).is_ok());
    if read { "readable" } else { "not readable" }.to_owned()
}

fn look(file: &Path) -> String {
    let seen = std::fs::metadata(file).ok().map(|file| format!("{} bytes, {:?}", file.len(), file.modified().ok()));
    seen.unwrap_or_default()
}

fn shallow(repository: Option<&Repository>) -> String {
    let file = repository.map(|repository| repository.commondir().join("shallow"));
    file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default()
}
