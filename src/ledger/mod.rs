//! What is known across cases: every credential by its keyed fingerprint, with kind, owner, state and dates. Sweeps and
//! applies feed it, the gate asks it.
//!
//! Invariant: a ledger holds fingerprints, never values, and the key of the fingerprints is never beside it in an export.
//! Guessable values (short or of few different characters) can be found by somebody who has both the ledger and the key,
//! by trying; an export therefore keeps them behind a slow hash (see [`guessable`]).

mod export;
mod filter;
mod slow;
mod store;

pub use export::{Export, export, key_mark};
pub use store::Ledger;

use serde::{Deserialize, Serialize};

use crate::secret::Fingerprint;

/// Name of the ledger's file in offkey's own folder.
pub const FILE: &str = "ledger.db";

/// What became of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody has asked its issuer, or the answer settled nothing.
    Unknown,
    /// Its issuer accepts it.
    Live,
    /// A dated, owned exception covers it.
    Waived,
    /// It was replaced, and the old value killed.
    Rotated,
    /// It was killed at its issuer, or its issuer rejects it.
    Revoked,
}

impl State {
    /// The word of reports and of the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Live => "live",
            Self::Waived => "waived",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
        }
    }

    /// The state of a word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Unknown, Self::Live, Self::Waived, Self::Rotated, Self::Revoked].into_iter().find(|s| s.word() == word)
    }

    /// Whether the value is dead for good: no later sweep makes it live again by itself.
    pub fn is_dead(self) -> bool {
        matches!(self, Self::Rotated | Self::Revoked)
    }
}

/// One credential of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// Kind of credential.
    pub kind: String,
    /// What a person calls it.
    pub label: String,
    /// Whose it is, by handle or name; empty when nobody is tied to it.
    pub owner: String,
    /// What became of it.
    pub state: State,
    /// Since when it has that state, RFC 3339.
    pub since: String,
    /// Since when its owner is gone, RFC 3339.
    pub departed: Option<String>,
    /// Last day of its waiver, `2026-12-31`.
    pub until: Option<String>,
    /// When it was first seen, RFC 3339.
    pub first_seen: String,
    /// The case that knows more.
    pub case: String,
    /// Whether the value could be found by trying.
    pub guessable: bool,
}

/// Something that can be asked about a fingerprint.
pub trait Lookup {
    /// What is known of a value, if anything is.
    ///
    /// # Errors
    /// When the ledger cannot be read or does not have the content that it must have.
    fn find(&self, fingerprint: &Fingerprint, value: &[u8]) -> crate::error::Result<Option<Entry>>;
}

/// Whether a value could be found by trying all values of its sort: fewer than about 64 bits by its length and the
/// characters in it. Deliberately crude: it must give the same answer for the same value everywhere.
pub fn guessable(value: &[u8]) -> bool {
    let has = |test: fn(&u8) -> bool| value.iter().any(test);
    let mut alphabet = 0.0f64;
    alphabet += if has(u8::is_ascii_lowercase) { 26.0 } else { 0.0 };
    alphabet += if has(u8::is_ascii_uppercase) { 26.0 } else { 0.0 };
    alphabet += if has(u8::is_ascii_digit) { 10.0 } else { 0.0 };
    alphabet += if has(|b| !b.is_ascii_alphanumeric()) { 32.0 } else { 0.0 };
    let different = value.iter().collect::<std::collections::BTreeSet<_>>().len() as f64;
    value.len() as f64 * alphabet.min(different * 2.0).max(1.0).log2() < 64.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_people_are_guessable_and_tokens_are_not() {
        assert!(guessable(b"hunter2"));
        assert!(guessable(b"Tr0ub4dor&3"));
        assert!(guessable(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        assert!(!guessable(b"q7Jx0mWn3ZtVb5KcR8pY2LdF"));
    }

    #[test]
    fn every_state_has_its_word() {
        for state in [State::Unknown, State::Live, State::Waived, State::Rotated, State::Revoked] {
            assert_eq!(State::of(state.word()), Some(state));
        }
    }
}
