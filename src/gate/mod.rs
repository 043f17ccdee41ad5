//! The story of one change to a repository: what it adds → findings → verdicts → does it block.
//!
//! Invariant: the policy, the waivers and the baseline come from the base of the change, never from its head. The gate
//! changes nothing, asks no live system, and shows no value.

mod baseline;
mod change;
mod commits;
mod gaps;
mod hook;
mod import;
mod judge;
mod lineage;
mod parts;
mod patch;
mod search;
mod survey;
mod watch;

pub use baseline::{Accepted, Baseline};
pub use hook::{Hook, Installed, install};
pub use import::{Wish, Wishes, read as import};
pub use judge::Excuses;
pub use survey::{Place, Survey, survey, top};
pub use watch::{Looked, watch};

use std::path::PathBuf;

use crate::config::{self, Home};
use crate::error::{Error, Result};
use crate::finding::Judged;
use crate::rule::RuleSet;
use crate::source::Coverage;
use change::Change;
use commits::Changes;
use parts::Parts;

/// Which change is looked at.
#[derive(Clone, Debug)]
pub enum What {
    /// What is staged for the next commit.
    Staged,
    /// `A..B`: all commits that lead to B and not to A.
    Range(String, String),
    /// A merge request: all commits of `head` since it left `base`.
    MergeRequest {
        /// The target branch.
        base: String,
        /// The source branch.
        head: String,
    },
    /// What a push brings, as a server's hook sees it.
    Push(Vec<Pushed>),
    /// What a push will bring, as the hook of the one who pushes sees it.
    Pushing {
        /// The refs.
        refs: Vec<Pushed>,
        /// Name of the remote.
        remote: String,
    },
    /// A patch in git's form.
    Patch(Vec<u8>),
}

/// One ref of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The commit that it has now; zeros when it is new.
    pub old: String,
    /// The commit that it shall have; zeros when it is removed.
    pub new: String,
    /// Its name.
    pub name: String,
}

/// What the gate is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The change.
    pub what: What,
    /// Folder in the repository.
    pub repo: PathBuf,
    /// A configuration that somebody outside of the repository keeps; without it, `offkey.toml` of the base counts.
    pub config: Option<PathBuf>,
    /// An exported ledger.
    pub ledger: Option<PathBuf>,
    /// Key id that must have signed the exported ledger.
    pub ledger_key: Option<String>,
    /// What to look for.
    pub rules: std::sync::Arc<RuleSet>,
    /// Overrides the policy's least probability.
    pub min_confidence: Option<f32>,
}

/// What the gate says.
#[derive(Debug)]
pub struct Outcome {
    /// Every finding with its verdict: what blocks first.
    pub judged: Vec<Judged>,
    /// What was read and what was not.
    pub coverage: Coverage,
    /// What a person should know: where the policy came from, what could not be compared or asked.
    pub notes: Vec<String>,
    /// Whether fingerprints were made with a key that is kept: without one they hold for this run only.
    pub keyed: bool,
}

impl Outcome {
    /// Whether the change must not go on.
    pub fn blocks(&self) -> bool {
        self.judged.iter().any(|one| one.blocks)
    }
}

/// Looks at a change.
///
/// # Errors
/// When the change, the policy or the ledger cannot be read at all, or the ledger does not verify.
pub fn gate(ask: &Ask, home: Option<&Home>) -> Result<Outcome> {
    let mut changes = Changes::open(&ask.repo);
    let (spans, base) = spans(ask, &mut changes)?;
    let mut parts = Parts::of(ask, changes.as_ref().ok(), base, home)?;
    if let (Ok(changes), None) = (&changes, &ask.config) {
        policy_of_change(ask, changes, &spans)?;
    }
    let mut search = parts.search();
    let mut take = |change: Change| search.take(change);
    let mut coverage = match (&ask.what, &mut changes) {
        (What::Patch(patch), _) => {
            let mut coverage = Coverage::new("a patch", "patch");
            patch::read(patch, &mut coverage, &mut take)?;
            coverage
        }
        (What::Staged, Ok(changes)) => {
            changes.staged(&mut take)?;
            std::mem::take(&mut changes.coverage)
        }
        (_, Ok(changes)) => {
            for span in &spans {
                changes.committed(span, &mut take)?;
            }
            std::mem::take(&mut changes.coverage)
        }
        (_, Err(_)) => return Err(Error::internal("a repository was opened and is gone")),
    };
    let judged = search.finish(&mut coverage)?;
    if let Ok(changes) = &mut changes {
        parts.notes.append(&mut changes.notes);
    }
    Ok(Outcome { judged, coverage, notes: parts.notes, keyed: parts.keyed })
}

/// A change does not choose the policy that it is judged by, but it becomes the base of others: a policy that cannot be read
/// would stop them all.
fn policy_of_change(ask: &Ask, changes: &Changes, spans: &[commits::Span]) -> Result<()> {
    let proposed = match ask.what {
        What::Staged => changes.staged_text(POLICY),
        What::Range(..) | What::MergeRequest { .. } => {
            spans.last().and_then(commits::Span::tip).and_then(|tip| changes.text_at(tip, POLICY))
        }
        What::Push(_) | What::Pushing { .. } | What::Patch(_) => None,
    };
    proposed.map_or(Ok(()), |text| config::parse(&text, "the offkey.toml of this change").map(drop))
}

/// Where a repository keeps its policy.
const POLICY: &str = "offkey.toml";

/// The commits to look at, and the commit that the policy is read from.
fn spans(ask: &Ask, changes: &mut Result<Changes>) -> Result<(Vec<commits::Span>, Option<git2::Oid>)> {
    let changes = match (changes, &ask.what) {
        (Ok(changes), _) => changes,
        (Err(_), What::Patch(_)) => return Ok((Vec::new(), None)),
        (failed, _) => {
            return Err(std::mem::replace(failed, Err(Error::internal("said already")))
                .err()
                .expect("because it is an error"));
        }
    };
    let spans = match &ask.what {
        What::Staged | What::Patch(_) => return Ok((Vec::new(), changes.head())),
        What::Range(from, to) => {
            let (from, to) = (changes.resolve(from)?, changes.resolve(to)?);
            vec![changes.between(from, to)?]
        }
        What::MergeRequest { base, head } => vec![changes.merge_request(base, head)?],
        What::Push(refs) => {
            let spans = pushed(changes, refs, "refs/*")?;
            // What is pushed must not choose its own policy: the repository's default branch has it.
            return Ok((spans, changes.head()));
        }
        What::Pushing { refs, remote } => {
            let spans = pushed(changes, refs, &changes.refs_of(remote))?;
            let theirs = changes.default_branch(remote).map(|(_, id)| id);
            return Ok((spans, theirs.or_else(|| changes.head())));
        }
    };
    let base = spans.first().and_then(|span| span.base);
    Ok((spans, base))
}

/// What each ref brings beside the commits that the refs of the pattern `known` have; removed refs bring nothing.
fn pushed(changes: &mut Changes, refs: &[Pushed], known: &str) -> Result<Vec<commits::Span>> {
    let kept = refs.iter().filter(|one| !one.new.bytes().all(|b| b == b'0'));
    kept.map(|one| changes.pushed(&one.old, &one.new, known)).collect()
}
