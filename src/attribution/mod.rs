//! Credentials × people → exposures, each with its reason: who wrote it, was sent it, could read it, did read it, and
//! whose it is. Author, owner and reader are kept apart, and every person is named, not the leaver alone: who else holds
//! a credential decides whether it is revoked or rotated.
//!
//! Invariant: this room reads no text. It joins what sources, stores and logs already said about the places of findings.

mod chat;
mod exposures;
mod gather;
mod git;
mod paths;
mod store;
mod theirs;

pub use gather::gather;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::finding::Credential;
use crate::identity::Identity;
use crate::secret::Fingerprint;
use crate::source::{CommitPeople, Introduction};
use exposures::Exposures;

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

impl Relation {
    /// The relation as a report says it of a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Theirs => "it is theirs",
            Self::Wrote => "wrote it",
            Self::WasSent => "was sent it",
            Self::DidRead => "did read it",
            Self::CouldRead => "could read it",
        }
    }
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
    /// Why, as sentences: `author of commit 1a2b3c4d (2026-03-02), .env line 4`. Long lists are cut.
    pub reasons: Vec<String>,
}

/// One read of a store, from its audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadEvent {
    /// The value that was read, by fingerprint: the current one, or the version that the log names.
    pub fingerprint: Fingerprint,
    /// Who read it, as the store names them: `userpass/alice`, an entity id.
    pub aliases: Vec<String>,
    /// The place: `bao:secret/shop/db version 3`.
    pub place: String,
    /// When, RFC 3339.
    pub time: String,
}

/// What is known about the places of findings, beside the findings themselves.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Commits that introduced each blob with a hit, by repository and object id.
    pub introductions: HashMap<(Arc<str>, String), Vec<Introduction>>,
    /// People of each commit or tag whose message has a hit, by repository and object id.
    pub commits: HashMap<(Arc<str>, String), Arc<CommitPeople>>,
    /// Reads of stores, from their audit logs.
    pub reads: Vec<ReadEvent>,
}

/// Ties every credential to every person that the facts name.
///
/// The result is sorted by credential, the leaver first, then by relation and person.
pub fn attribute(credentials: &[Credential], identity: &Identity, facts: &Facts) -> Vec<Exposure> {
    let mut exposures = Exposures::new(identity);
    for credential in credentials {
        for finding in &credential.findings {
            git::attribute(finding, facts, &mut exposures);
            chat::attribute(finding, &mut exposures);
            theirs::attribute(finding, &mut exposures);
        }
    }
    store::attribute(facts, &mut exposures);
    exposures.sorted()
}

#[cfg(test)]
mod tests;
