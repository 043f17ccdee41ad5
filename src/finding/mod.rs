//! Matches → findings (a place) → credentials (a distinct value, the unit that is rotated).

mod collect;
mod expiry;
mod foreign;
mod verdict;

pub use collect::collect;
pub use expiry::ends;
pub use foreign::Report;
pub use verdict::{Judged, Verdict};

use serde::{Deserialize, Serialize};

use crate::detect::Allowance;
use crate::secret::{Fingerprint, SecretValue};
use crate::source::Provenance;

/// A place in a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Location {
    /// The document.
    pub provenance: Provenance,
    /// First and last line, from 1.
    pub lines: (u32, u32),
    /// Columns in bytes: start in the first line from 0, end (exclusive) in the last line.
    pub columns: (u32, u32),
}

/// One place where a credential stands. Holds no content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Rule id, or `needle:<locator>`.
    pub rule: String,
    /// Kind of credential.
    pub kind: String,
    /// Where.
    pub location: Location,
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// Probability that this is a real credential, 0 to 1.
    pub confidence: f32,
    /// Captured parts that are not secret: `user`, `host`, `id`.
    pub parts: Vec<(String, String)>,
    /// Encodings passed through, outermost first.
    pub encodings: Vec<String>,
    /// What raised or lowered the confidence.
    pub notes: Vec<String>,
    /// The waiver that covers it, by its id.
    pub waived: Option<String>,
    /// What a comment beside it allows. Whether that counts is the judge's to say; it is no part of a case.
    #[serde(skip)]
    pub allowance: Option<Allowance>,
}

/// One distinct value with everything known of it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// The value; in memory only, for probes.
    pub value: SecretValue,
    /// Kind of the finding with the highest confidence.
    pub kind: String,
    /// Rule of the finding with the highest confidence.
    pub rule: String,
    /// Highest confidence of its findings.
    pub confidence: f32,
    /// Every place.
    pub findings: Vec<Finding>,
    /// For a key id that never stands without its secret: that secret. Together they are one credential.
    pub part_of: Option<Fingerprint>,
    /// What its issuer says, once asked.
    pub liveness: Option<Liveness>,
}

/// Whether a credential is accepted by its issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "why", rename_all = "kebab-case")]
pub enum Liveness {
    /// The issuer accepted it.
    Live,
    /// The issuer rejected it definitively (401, `28P01`, `InvalidClientTokenId`): the text is the rejection.
    Dead(String),
    /// Not known: 403, 429, 5xx, time-out, TLS failure, no way to ask. The text says which.
    Unknown(String),
}
