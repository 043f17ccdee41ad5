//! Second thoughts about what only history has: the paths of an object are known when its commits are.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Facts;
use crate::detect::{Doubt, KEPT, is_ranked, keeper, of_path, raised};
use crate::finding::{Credential, Finding};
use crate::source::Provenance;

impl Facts {
    /// Judges findings in git objects by the paths under which these were committed, as files are judged by theirs, and leaves
    /// out what is below `min_confidence` then. Of several paths that counts which says least against it.
    pub fn weigh(&self, mut credentials: Vec<Credential>, min_confidence: f32) -> Vec<Credential> {
        for credential in &mut credentials {
            let value = credential.value.clone();
            let mut changed = false;
            for finding in &mut credential.findings {
                changed |= self.judge(finding, value.expose());
            }
            let before = credential.findings.len();
            credential.findings.retain(|finding| finding.confidence >= min_confidence);
            if changed || credential.findings.len() < before {
                credential.judge();
            }
        }
        credentials.retain(|credential| !credential.findings.is_empty());
        let known: BTreeSet<_> = credentials.iter().map(|credential| credential.fingerprint).collect();
        for credential in &mut credentials {
            credential.part_of = credential.part_of.filter(|secret| known.contains(secret));
        }
        credentials.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        credentials
    }

    /// Changes the confidence by what the paths say; false when they say nothing.
    fn judge(&self, finding: &mut Finding, value: &[u8]) -> bool {
        let Provenance::Git { repo, oid, inside, .. } = &finding.location.provenance else { return false };
        // A member of an archive was judged by its own name, and an exact value needs no judgement.
        if finding.rule.starts_with("needle:") || !inside.is_empty() {
            return false;
        }
        let Some(all) = self.introductions.get(&(Arc::clone(repo), oid.clone())) else { return false };
        let paths: BTreeSet<&str> = all.iter().map(|introduction| introduction.path.as_str()).collect();
        let of_each = paths.iter().map(|path| of_path(path, &finding.kind, is_ranked(&finding.notes), value));
        let weight = |doubts: &Vec<Doubt>| doubts.iter().map(|(factor, _)| factor).product::<f32>();
        let doubts = of_each.max_by(|a, b| weight(a).total_cmp(&weight(b))).unwrap_or_default();
        for (factor, why) in &doubts {
            finding.confidence *= factor;
            finding.notes.push((*why).to_owned());
        }
        let kept = paths.iter().any(|path| keeper(path));
        if kept {
            finding.confidence = raised(finding.confidence);
            finding.notes.push(KEPT.to_owned());
        }
        kept || !doubts.is_empty()
    }
}
