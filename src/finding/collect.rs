//! Hits → credentials: one for each distinct value, every place kept; a key id is told to belong to the secret that it stands beside.

use std::collections::HashMap;

use super::{Credential, Finding, Location};
use crate::detect::{HALF, Hit};
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

impl Credential {
    /// Takes kind, rule and confidence from the findings, of which the first of the best counts.
    pub fn judge(&mut self) {
        // What a rule knows (a GitHub token) says more than that the value is also kept in a store.
        let weight = |finding: &Finding| (!finding.rule.starts_with("needle:"), finding.confidence);
        let better = |a: &Finding, b: &Finding| weight(b).0.cmp(&weight(a).0).then(weight(b).1.total_cmp(&weight(a).1));
        if let Some(best) = self.findings.iter().min_by(|a, b| better(a, b)) {
            (self.kind, self.rule) = (best.kind.clone(), best.rule.clone());
        }
        self.confidence = self.findings.iter().map(|finding| finding.confidence).fold(0.0, f32::max);
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
                part_of: None,
                liveness: None,
            });
            credentials.len() - 1
        });
        credentials[at].findings.push(finding);
    }
    credentials.iter_mut().for_each(Credential::judge);
    credentials.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    join(&mut credentials);
    credentials
}

/// Says of every key id that never stands without its secret which secret that is.
fn join(credentials: &mut [Credential]) {
    let mut secrets: HashMap<Vec<u8>, Fingerprint> = HashMap::new();
    for credential in &*credentials {
        let ids = credential.findings.iter().flat_map(|finding| &finding.parts).filter(|(name, _)| is_id(name));
        for (_, id) in ids {
            secrets.entry(id.as_bytes().to_vec()).or_insert(credential.fingerprint);
        }
    }
    let beside = |one: &Credential| one.findings.iter().all(|finding| finding.notes.iter().any(|note| note == HALF));
    for half in credentials.iter_mut().filter(|one| beside(one)) {
        half.part_of = secrets.get(half.value.expose()).copied().filter(|secret| *secret != half.fingerprint);
    }
}

/// Whether a part is the public half of a pair.
fn is_id(part: &str) -> bool {
    matches!(part, "key-id" | "id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detector, Options, run};
    use crate::rule::{RuleSet, expand};
    use crate::secret::SecretValue;
    use crate::source::{OpenOptions, Progress};

    /// Credentials of a folder with these files.
    fn found(files: &[(&str, &str)]) -> Vec<Credential> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, template) in files {
            let text = expand(template, "pair", None).expect("because the template is well-formed");
            std::fs::write(folder.path().join(name), text).expect("writes");
        }
        let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::default()).expect("builds");
        let sources = crate::source::open(folder.path(), &OpenOptions::default()).expect("opens");
        let (hits, _) = run(&detector, &sources, &Progress::default(), Some(1)).expect("reads");
        collect(hits, &Fingerprinter::new(&SecretValue::new("k")))
    }

    const PAIR: &str = "aws_access_key_id = AKIA<<b32:16>>\naws_secret_access_key = <<b64:40>>\n";

    #[test]
    fn an_id_and_its_secret_are_one_credential() {
        let all = found(&[("credentials", PAIR), ("copy", PAIR)]);
        let (id, secret) = match &all[..] {
            [a, b] if a.part_of.is_some() => (a, b),
            [a, b] => (b, a),
            _ => panic!("{all:?}"),
        };
        assert_eq!((&*secret.kind, &*id.rule), ("secret-key", "aws-access-key-id"));
        assert_eq!((secret.findings.len(), id.findings.len()), (2, 2));
        assert_eq!((id.part_of, secret.part_of), (Some(secret.fingerprint), None));
        let named = (String::from("key-id"), String::from_utf8_lossy(id.value.expose()).into_owned());
        assert!(secret.findings.iter().all(|finding| finding.parts.contains(&named)), "{secret:?}");
        assert_ne!(secret.fingerprint, id.fingerprint);
    }

    #[test]
    fn an_id_that_also_stands_alone_keeps_its_place() {
        let all = found(&[("credentials", PAIR), ("note", "the key AKIA<<b32:16>> is mine\n")]);
        let rules: Vec<&str> = all.iter().map(|credential| &*credential.rule).collect();
        assert_eq!(rules.len(), 2, "{rules:?}");
        assert!(rules.contains(&"aws-access-key-id") && rules.iter().all(|rule| rule.starts_with("aws-")), "{rules:?}");
        assert!(all.iter().all(|credential| credential.part_of.is_none()), "{all:?}");
    }
}
