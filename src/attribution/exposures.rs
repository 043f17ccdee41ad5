//! Collects ties, one for each credential, person and relation, with all their reasons.

use std::collections::BTreeMap;

use super::{Exposure, Relation};
use crate::identity::Identity;
use crate::secret::Fingerprint;
use crate::source::{Evidence, PersonRef};

/// Reasons kept for one tie; a token in ten thousand commits needs no ten thousand sentences.
const REASONS: usize = 25;

/// The collection.
pub(super) struct Exposures<'a> {
    identity: &'a Identity,
    ties: BTreeMap<(Fingerprint, bool, String, Relation), Tie>,
}

#[derive(Default)]
struct Tie {
    strength: f32,
    reasons: Vec<String>,
    more: usize,
}

impl<'a> Exposures<'a> {
    pub(super) fn new(identity: &'a Identity) -> Self {
        Self { identity, ties: BTreeMap::new() }
    }

    pub(super) fn identity(&self) -> &'a Identity {
        self.identity
    }

    /// Adds a tie to a person of an export or repository; recognises the leaver and says by which name.
    pub(super) fn person(&mut self, credential: Fingerprint, person: &PersonRef, relation: Relation, reason: String) {
        match self.identity.recognise(person) {
            Some(alias) => {
                let reason = format!("{reason} [{} {}: {}]", alias.kind.label(), alias.value, alias.reason);
                self.leaver(credential, relation, strength(relation, person.evidence), reason);
            }
            None => {
                let strength = strength(relation, person.evidence);
                self.add((credential, false, label(person), relation), strength, reason);
            }
        }
    }

    /// Adds a tie to the identity of the case.
    pub(super) fn leaver(&mut self, credential: Fingerprint, relation: Relation, strength: f32, reason: String) {
        self.add((credential, true, self.identity.name.clone(), relation), strength, reason);
    }

    /// Adds a tie to somebody whom only a store knows.
    pub(super) fn named(&mut self, credential: Fingerprint, name: &str, relation: Relation, reason: String) {
        self.add((credential, false, name.to_owned(), relation), strength(relation, Evidence::E2), reason);
    }

    fn add(&mut self, key: (Fingerprint, bool, String, Relation), strength: f32, reason: String) {
        let tie = self.ties.entry(key).or_default();
        tie.strength = tie.strength.max(strength);
        if tie.reasons.contains(&reason) {
            return;
        }
        if tie.reasons.len() < REASONS {
            tie.reasons.push(reason);
        } else {
            tie.more += 1;
        }
    }

    pub(super) fn sorted(self) -> Vec<Exposure> {
        let mut all: Vec<Exposure> = self
            .ties
            .into_iter()
            .map(|((fingerprint, leaver, person, relation), mut tie)| {
                if tie.more > 0 {
                    tie.reasons.push(format!("and {} more places", tie.more));
                }
                Exposure { fingerprint, person, leaver, relation, strength: tie.strength, reasons: tie.reasons }
            })
            .collect();
        all.sort_by(|a, b| {
            (a.fingerprint, !a.leaver, a.relation, &a.person).cmp(&(b.fingerprint, !b.leaver, b.relation, &b.person))
        });
        all
    }
}

/// A person as reports print them.
pub(super) fn label(person: &PersonRef) -> String {
    let name = person.display.as_deref().or(person.handle.as_deref()).or(person.id.as_deref());
    match (name, person.email.as_deref()) {
        (Some(name), Some(email)) if name != email => format!("{name} <{email}>"),
        (_, Some(email)) => email.to_owned(),
        (Some(name), None) => format!("{name} ({}, no e-mail in the source)", person.platform),
        (None, None) => format!("somebody unnamed ({})", person.platform),
    }
}

/// How sure a tie is: what the relation is worth, lessened by how the person is known.
fn strength(relation: Relation, evidence: Evidence) -> f32 {
    let base = match relation {
        Relation::Theirs | Relation::Wrote | Relation::DidRead => 1.0,
        Relation::WasSent => 0.9,
        Relation::CouldRead => 0.6,
    };
    let known = match evidence {
        Evidence::E0 | Evidence::E1 => 1.0,
        Evidence::E2 => 0.9,
        Evidence::E3 => 0.7,
        Evidence::E4 => 0.5,
    };
    base * known
}
