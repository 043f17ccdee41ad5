//! What every report for pipelines is made from.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::finding::{Judged, Verdict};
use crate::rule::RuleSet;
use crate::source::Coverage;

/// What a gate says, or a scan in the same form: the ground of every report that pipelines read.
pub struct Listing<'a> {
    /// Every finding with its verdict, what blocks first.
    pub judged: &'a [Judged],
    /// The account of each source.
    pub coverage: &'a [Coverage],
    /// What a person should know about the run.
    pub notes: &'a [String],
    /// For the names of rules.
    pub rules: &'a RuleSet,
    /// Whether fingerprints are the same in every run: without a kept key they hold for one run only.
    pub keyed: bool,
    /// When the run began and ended, RFC 3339 in UTC.
    pub times: (String, String),
}

impl Listing<'_> {
    /// Number of findings of a verdict.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.judged.iter().filter(|one| one.verdict == verdict).count()
    }

    /// Number of findings that block.
    pub(super) fn blocking(&self) -> usize {
        self.judged.iter().filter(|one| one.blocks).count()
    }

    /// Whether something that should have been read was not.
    pub(super) fn is_partial(&self) -> bool {
        self.coverage.iter().any(Coverage::is_partial)
    }

    /// `1 stale, 2 new, 0 waived, 3 known`
    pub(super) fn tally(&self) -> String {
        let all = [Verdict::Stale, Verdict::New, Verdict::Waived, Verdict::Known];
        all.map(|verdict| format!("{} {}", self.count(verdict), verdict.word())).join(", ")
    }

    /// A name for each finding by which servers recognise it in the next run: the credential and its path, so that it
    /// survives moved lines. Without a kept key the line stands in for the credential, because a hash of a value that
    /// anybody can compute would give the value away.
    pub(super) fn places(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let name = |one: &Judged| {
            let finding = &one.finding;
            let text = if self.keyed {
                format!("{}\0{}\0{}", finding.rule, one.path, finding.fingerprint)
            } else {
                let (line, column) = (finding.location.lines.0, finding.location.columns.0);
                format!("{}\0{}\0{line}:{column}", finding.rule, one.path)
            };
            let count = seen.entry(text.clone()).or_default();
            *count += 1;
            let whole = Sha256::digest(format!("{text}\0{count}"));
            data_encoding::HEXLOWER.encode(&whole[..16])
        };
        self.judged.iter().map(name).collect()
    }
}

/// Verdict and reason in one sentence.
pub(super) fn sentence(one: &Judged) -> String {
    let owner = one.owner.as_ref().map_or_else(String::new, |owner| format!(" Owner: {owner}."));
    format!("{} ({}): {}.{owner}", one.title, one.verdict.word(), one.why)
}

/// What a developer does about a finding.
pub(super) fn remedy(one: &Judged) -> &'static str {
    match one.verdict {
        Verdict::Stale => {
            "Take it out: the value is dead or has to die. Ask the owner of the secret for the current one, and read it from \
             the secret store or the environment instead of the file."
        }
        Verdict::New => {
            "Take it out, and read it from the secret store or the environment. If it was pushed anywhere, rotate it: \
             history keeps it. If it is no secret, write `offkey:allow reason=\"why\"` on its line."
        }
        Verdict::Waived | Verdict::Known => "Nothing to do now.",
    }
}

/// The version of this program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
