//! What the organisation decided beforehand.

use serde::{Deserialize, Serialize};

use crate::secret::Fingerprint;

/// The `[policy]` table of offkey.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Most treatments that may act in one apply without `--allow`.
    pub cap: usize,
    /// Targets (`system:locator`, `*` at the end stands for the rest) that are never changed.
    pub protected: Vec<String>,
    /// Targets whose consumers accept exactly what the store serves: rotated without an issuer (signing keys, peppers).
    pub self_issued: Vec<String>,
    /// Characters of a generated value.
    pub length: usize,
    /// What they are drawn from.
    pub alphabet: String,
    /// Credentials below this confidence are listed, not treated.
    pub min_confidence: f32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            cap: 50,
            protected: Vec::new(),
            self_issued: Vec::new(),
            length: 32,
            alphabet: "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789".to_owned(),
            min_confidence: 0.5,
        }
    }
}

impl Policy {
    /// Whether a target is never to be changed.
    pub fn protects(&self, target: &str) -> bool {
        self.protected.iter().any(|pattern| fits(pattern, target))
    }

    /// Whether the store itself is the issuer.
    pub fn is_self_issued(&self, target: &str) -> bool {
        self.self_issued.iter().any(|pattern| fits(pattern, target))
    }
}

fn fits(pattern: &str, target: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == target, |start| target.starts_with(start))
}

/// A dated, owned exception for one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Short name for reports.
    pub id: String,
    /// The value.
    pub fingerprint: Fingerprint,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Last day, `2026-12-31`.
    pub until: String,
}
