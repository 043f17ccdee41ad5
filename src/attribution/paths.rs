//! Second thoughts about what only history has: the paths of an object are known when its commits are.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Facts;
use crate::detect::{Doubt, is_ranked, of_path};
use crate::finding::{Credential, Finding};
use crate::source::Provenance;

impl Facts {
    /// Judges findings in git objects by the paths under which these were committed, as files are judged by theirs: leaves out
    /// what falls below `min_confidence`. What lies at several paths is judged by the one that says least against it.
    pub fn weigh(&self, credentials: Vec<Credential>, min_confidence: f32) -> Vec<Credential> {
        let mut kept: Vec<Credential> = Vec::with_capacity(credentials.len());
        for mut credential in credentials {
            let value = credential.value.clone();
            let mut lowered = false;
            for finding in &mut credential.findings {
                for (factor, why) in self.doubts(finding, value.expose()) {
                    finding.confidence *= factor;
                    finding.notes.push(why.to_owned());
                    lowered = true;
                }
            }
            if lowered {
                credential.findings.retain(|finding| finding.confidence >= min_confidence);
                let best = credential.findings.iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence));
                let Some(best) = best.cloned() else { continue };
                (credential.confidence, credential.rule, credential.kind) = (best.confidence, best.rule, best.kind);
            }
            kept.push(credential);
        }
        let known: BTreeSet<_> = kept.iter().map(|credential| credential.fingerprint).collect();
        for credential in &mut kept {
            credential.part_of = credential.part_of.filter(|secret| known.contains(secret));
        }
        kept
    }

    fn doubts(&self, finding: &Finding, value: &[u8]) -> Vec<Doubt> {
        let Provenance::Git { repo, oid, inside, .. } = &finding.location.provenance else { return Vec::new() };
        let exact = finding.rule.starts_with("needle:");
        let Some(all) = self.introductions.get(&(Arc::clone(repo), oid.clone())) else { return Vec::new() };
        // A member of an archive was judged by its own name.
        if exact || !inside.is_empty() {
            return Vec::new();
        }
        let paths: BTreeSet<&str> = all.iter().map(|introduction| introduction.path.as_str()).collect();
        let of_each = paths.iter().map(|path| of_path(path, &finding.kind, is_ranked(&finding.notes), value));
        let weight = |doubts: &Vec<Doubt>| doubts.iter().map(|(factor, _)| factor).product::<f32>();
        of_each.max_by(|a, b| weight(a).total_cmp(&weight(b))).unwrap_or_default()
    }
}
