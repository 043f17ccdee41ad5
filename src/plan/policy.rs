//! What the organisation decided beforehand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::period::{Period, Rate};
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
    /// Targets in the order of their rotation; what no pattern fits comes last.
    pub order: Vec<String>,
    /// How many rotations go first, and have to work before the others begin.
    pub canary: usize,
    /// Risk tiers; the first that fits counts.
    #[serde(rename = "tier")]
    pub tiers: Vec<Tier>,
    /// How credentials end; the first that fits counts, and without one they are rotated or revoked as their kind allows.
    #[serde(rename = "treat")]
    pub decisions: Vec<Decision>,
    /// Who has to agree beside the person who applies.
    pub approval: Option<Approval>,
    /// How long known consumers have to read a new value before the old one ends; 0: nobody waits for them.
    pub converge: Period,
    /// What makes consumers read a new value.
    #[serde(rename = "hook")]
    pub hooks: Vec<Hook>,
    /// Most calls of a system, by its name.
    pub rate: BTreeMap<String, Rate>,
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
            order: Vec::new(),
            canary: 0,
            tiers: Vec::new(),
            decisions: Vec::new(),
            approval: None,
            converge: Period::default(),
            hooks: Vec::new(),
            rate: BTreeMap::new(),
        }
    }
}

/// A class of risk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its name.
    pub name: String,
    /// Kinds or rules of credentials, `*` at the end; empty: all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Places that keep them, or accounts; empty: all.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// How credentials of a kind, tier or place end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Tiers; empty: all.
    #[serde(default)]
    pub tiers: Vec<String>,
    /// Kinds or rules of credentials, `*` at the end; empty: all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Places that keep them, or accounts; empty: all.
    #[serde(default)]
    pub targets: Vec<String>,
    /// How they end.
    #[serde(rename = "as")]
    pub way: Way,
    /// How long the old value may go on working beside the new one, where the target can have both.
    #[serde(default)]
    pub grace: Period,
    /// `let-expire`: after that time they must be dead by themselves.
    pub within: Option<Period>,
    /// `hand-over`: who replaces them.
    pub to: Option<String>,
}

/// A way to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Replaced before everything else and without grace.
    EmergencyRotate,
    /// Replaced where it is kept.
    Rotate,
    /// Killed at its issuer without a replacement: consumers stop working.
    Revoke,
    /// Left to end by itself; the case stays open until it was seen dead.
    LetExpire,
    /// Replaced by somebody, by hand; the case stays open until it was seen dead.
    HandOver,
}

/// What makes consumers of some targets read a new value: run after it was promoted. It may run twice, and is told no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// Places or accounts whose change it follows.
    pub targets: Vec<String>,
    /// Program and arguments; no shell.
    #[serde(default)]
    pub exec: Vec<String>,
    /// Address that takes a POST, instead of a program.
    pub webhook: Option<String>,
}

/// Who has to agree beside the person who applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// How many of them.
    pub needed: usize,
    /// Who may.
    pub by: Vec<Approver>,
}

/// Somebody who may approve a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Name or address, for people.
    pub name: String,
    /// Id of the signing key in this person's own offkey folder (`offkey approve --show-key` prints it).
    pub key: String,
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

    /// The tier of a credential of these kinds at these targets.
    pub fn tier(&self, kinds: &[&str], targets: &[String]) -> Option<&str> {
        let tier = self.tiers.iter().find(|tier| any(&tier.kinds, kinds) && any(&tier.targets, targets));
        tier.map(|tier| tier.name.as_str())
    }

    /// What was decided for it.
    pub fn decision(&self, tier: Option<&str>, kinds: &[&str], targets: &[String]) -> Option<&Decision> {
        self.decisions.iter().find(|decision| {
            (decision.tiers.is_empty() || tier.is_some_and(|tier| decision.tiers.iter().any(|name| name == tier)))
                && any(&decision.kinds, kinds)
                && any(&decision.targets, targets)
        })
    }

    /// The hooks that follow a change of one of these targets.
    pub(super) fn hooks<'p>(&'p self, targets: &'p [String]) -> impl Iterator<Item = &'p Hook> {
        self.hooks.iter().filter(move |hook| any(&hook.targets, targets))
    }

    /// The place of a rotation in the order: that of the first pattern that fits one of its targets.
    pub fn turn(&self, targets: &[String]) -> usize {
        let fitting = |pattern: &String| targets.iter().any(|target| fits(pattern, target));
        self.order.iter().position(fitting).unwrap_or(self.order.len())
    }
}

/// Whether one of the names fits one of the patterns; no pattern fits everything.
fn any(patterns: &[String], names: &[impl AsRef<str>]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| names.iter().any(|name| fits(pattern, name.as_ref())))
}

pub(super) fn fits(pattern: &str, target: &str) -> bool {
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
