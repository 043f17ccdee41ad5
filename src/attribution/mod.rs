//! Credentials × people → exposures, each with its reason: who wrote it, was sent it, could read it, did read it, and
//! whose it is. Author, owner and reader are kept apart.

use serde::{Deserialize, Serialize};

use crate::secret::Fingerprint;

/// How a person is tied to a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// It authenticates them: their own key, token or password.
    Theirs,
    /// They wrote it down.
    Wrote,
    /// It was addressed to them.
    WasSent,
    /// They did read it (audit log).
    DidRead,
    /// They could read it (member of the channel or repository).
    CouldRead,
}

/// One tie between one credential and one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// The credential.
    pub fingerprint: Fingerprint,
    /// The person, as reports print them: name and main address, or the handle in the export.
    pub person: String,
    /// True when the person is the identity of the case.
    pub leaver: bool,
    /// How they are tied to it.
    pub relation: Relation,
    /// 0 to 1: how sure the tie is.
    pub strength: f32,
    /// Why, as sentences: `author of commit 1a2b3c4d (2026-03-02), .env line 4`.
    pub reasons: Vec<String>,
}
