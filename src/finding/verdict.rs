//! What a gate says of one finding. The type stands here because reports and the gate both use it.

use serde::{Deserialize, Serialize};

use super::Finding;

/// How a finding stands to what is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its owner departed, it was rotated or revoked, or it outlived the policy.
    Stale,
    /// Nobody knows it yet.
    New,
    /// A waiver or an inline allowance covers it.
    Waived,
    /// It is in the ledger or the baseline, and nothing is held against it.
    Known,
}

impl Verdict {
    /// The word of reports and of the policy.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::New => "new",
            Self::Waived => "waived",
            Self::Known => "known",
        }
    }
}

/// A finding with everything that a report says of it. Holds no content.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// What it is.
    pub verdict: Verdict,
    /// Whether the policy lets it end the run with exit code 10.
    pub blocks: bool,
    /// What a person calls it.
    pub title: String,
    /// Path that a tool would open.
    pub path: String,
    /// The commit that brought it in, if it is known.
    pub commit: Option<String>,
    /// Who wrote that commit or message, by handle or name.
    pub author: Option<String>,
    /// Whose credential it is, by the ledger.
    pub owner: Option<String>,
    /// Why the verdict is what it is: one sentence without a full stop.
    pub why: String,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
}
