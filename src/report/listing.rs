//! What every report for pipelines is made from.

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
}

impl Listing<'_> {
    /// Number of findings of a verdict.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.judged.iter().filter(|one| one.verdict == verdict).count()
    }

    /// `1 stale, 2 new, 0 waived, 3 known`
    pub(super) fn tally(&self) -> String {
        let all = [Verdict::Stale, Verdict::New, Verdict::Waived, Verdict::Known];
        all.map(|verdict| format!("{} {}", self.count(verdict), verdict.word())).join(", ")
    }
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
