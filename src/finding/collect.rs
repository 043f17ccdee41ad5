//! Hits → credentials: one for each distinct value, every place kept.

use std::collections::HashMap;

use super::{Credential, Finding, Location};
use crate::detect::Hit;
use crate::secret::{Fingerprint, Fingerprinter};

impl Finding {
    /// A hit without its value.
    pub fn of(hit: &Hit, fingerprinter: &Fingerprinter) -> Self {
        let found = &hit.found;
        Self {
            rule: found.rule.to_string(),
            kind: found.kind.to_string(),
            location: Location { provenance: hit.provenance.clone(), lines: hit.lines, columns: hit.columns },
            fingerprint: fingerprinter.fingerprint(found.secret.expose()),
            confidence: found.confidence,
            parts: found.parts.clone(),
            encodings: found.encodings.iter().map(|name| (*name).to_owned()).collect(),
            notes: found.notes.iter().map(|name| (*name).to_owned()).collect(),
            waived: None,
            allowance: hit.allowance.clone(),
        }
    }
}

/// Groups hits by value; credentials come in order of confidence, then of their first place.
pub fn collect(hits: Vec<Hit>, fingerprinter: &Fingerprinter) -> Vec<Credential> {
    let mut order: HashMap<Fingerprint, usize> = HashMap::new();
    let mut credentials: Vec<Credential> = Vec::new();
    for hit in hits {
        let finding = Finding::of(&hit, fingerprinter);
        let (found, fingerprint) = (hit.found, finding.fingerprint);
        let at = *order.entry(fingerprint).or_insert_with(|| {
            credentials.push(Credential {
                fingerprint,
                value: found.secret,
                kind: String::new(),
                rule: String::new(),
                confidence: 0.0,
                findings: Vec::new(),
                liveness: None,
            });
            credentials.len() - 1
        });
        let credential = &mut credentials[at];
        // What a rule knows (a GitHub token) says more than that the value is also kept in a store.
        let (new, known) = (finding.rule.starts_with("needle:"), credential.rule.starts_with("needle:"));
        if credential.rule.is_empty() || (known && !new) || (known == new && finding.confidence > credential.confidence)
        {
            credential.kind.clone_from(&finding.kind);
            credential.rule.clone_from(&finding.rule);
        }
        credential.confidence = credential.confidence.max(finding.confidence);
        credential.findings.push(finding);
    }
    credentials.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    credentials
}
