//! Findings that are known and accepted for now: a file in the repository, read from the base of a change.
//!
//! Invariant: an entry holds a keyed fingerprint and a path, never a value. An entry never excuses a stale credential.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::survey::Survey;
use crate::error::{Error, Result};
use crate::ledger;
use crate::secret::{Fingerprint, Fingerprinter};

/// The form that this program writes and reads.
const SCHEMA: &str = "offkey.baseline/1";

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The value.
    pub fingerprint: Fingerprint,
    /// Path in the repository: the same value elsewhere is not accepted.
    pub path: String,
    /// Rule that found it.
    pub rule: String,
    /// Since when, `2026-12-31`.
    pub added: String,
    /// Why; empty: nobody has looked at it yet.
    #[serde(default)]
    pub reason: String,
    /// Who looked.
    #[serde(default)]
    pub by: String,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    schema: String,
    /// Which key made the fingerprints. No word in it that scanners take for the name of a secret.
    made_with: Fingerprint,
    /// Accepted findings, in order of path and fingerprint.
    pub findings: Vec<Accepted>,
}

/// What became of the entries of a baseline.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Entries that were added.
    pub added: usize,
    /// Entries whose finding is gone.
    pub gone: Vec<Accepted>,
    /// Findings that are not accepted.
    pub left: usize,
}

impl Baseline {
    /// An empty baseline for fingerprints of this key.
    pub fn new(keyed: &Fingerprinter) -> Self {
        Self { schema: SCHEMA.to_owned(), made_with: ledger::key_mark(keyed), findings: Vec::new() }
    }

    /// Reads the file's text; `shown` names it in messages.
    ///
    /// # Errors
    /// When it is damaged or of another version.
    pub fn parse(text: &str, shown: &str) -> Result<Self> {
        let baseline: Self = serde_json::from_str(text).map_err(|cause| {
            Error::config(format!("the baseline {shown} cannot be read"))
                .because(cause)
                .next("Restore it, or make a new one with `offkey baseline create`.")
        })?;
        if baseline.schema != SCHEMA {
            return Err(Error::config(format!(
                "the baseline {shown} is of the form {}, not {SCHEMA}",
                baseline.schema
            ))
            .next("Use the offkey that wrote it, or a newer one."));
        }
        Ok(baseline)
    }

    /// The file's text: one entry a line, so that a review shows what was added.
    pub fn text(&self) -> String {
        let line = |one: &Accepted| format!("    {}", serde_json::json!(one));
        let lines: Vec<String> = self.findings.iter().map(line).collect();
        let list = if lines.is_empty() { String::new() } else { format!("\n{}\n  ", lines.join(",\n")) };
        format!(
            "{{\n  \"schema\": \"{}\",\n  \"made_with\": \"{}\",\n  \"findings\": [{list}]\n}}\n",
            self.schema, self.made_with
        )
    }

    /// Whether it was made with this key: with another one no entry can match.
    pub fn is_of(&self, keyed: &Fingerprinter) -> bool {
        self.made_with == ledger::key_mark(keyed)
    }

    /// The entry for a value at a path.
    pub fn get(&self, fingerprint: &Fingerprint, path: &str) -> Option<&Accepted> {
        self.findings.iter().find(|one| one.fingerprint == *fingerprint && one.path == path)
    }

    /// Drops what is gone; takes in what is new where `add` says so.
    pub fn update(&mut self, survey: &Survey, add: bool, today: &str) -> Change {
        let found: BTreeMap<(String, Fingerprint), String> = survey
            .places()
            .map(|place| ((place.path, place.finding.fingerprint), place.finding.rule.clone()))
            .collect();
        let mut change = Change::default();
        let (kept, gone) = std::mem::take(&mut self.findings)
            .into_iter()
            .partition(|one| found.contains_key(&(one.path.clone(), one.fingerprint)));
        (self.findings, change.gone) = (kept, gone);
        for ((path, fingerprint), rule) in found {
            if self.get(&fingerprint, &path).is_some() {
                continue;
            }
            change.left += usize::from(!add);
            if add {
                self.accept(fingerprint, path, rule, today, String::new());
                change.added += 1;
            }
        }
        change
    }

    /// Adds one entry, unless it is there.
    pub fn accept(
        &mut self,
        fingerprint: Fingerprint,
        path: String,
        rule: String,
        today: &str,
        reason: String,
    ) -> bool {
        if self.get(&fingerprint, &path).is_some() {
            return false;
        }
        self.findings.push(Accepted { fingerprint, path, rule, added: today.to_owned(), reason, by: String::new() });
        self.findings.sort_by(|a, b| (&a.path, a.fingerprint).cmp(&(&b.path, b.fingerprint)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretValue;

    #[test]
    fn the_text_is_read_back_and_each_entry_has_its_line() {
        let keyed = Fingerprinter::new(&SecretValue::new("k"));
        let mut baseline = Baseline::new(&keyed);
        assert_eq!(Baseline::parse(&baseline.text(), "b").expect("reads"), baseline);
        assert!(baseline.accept(keyed.fingerprint(b"v"), "b.env".into(), "r".into(), "2026-03-01", "why".into()));
        assert!(!baseline.accept(keyed.fingerprint(b"v"), "b.env".into(), "r".into(), "2026-03-02", "again".into()));
        assert!(baseline.accept(keyed.fingerprint(b"v"), "a.env".into(), "r".into(), "2026-03-01", String::new()));
        assert_eq!(Baseline::parse(&baseline.text(), "b").expect("reads"), baseline);
        assert_eq!(baseline.text().lines().filter(|line| line.contains(".env")).count(), 2);
        assert_eq!(baseline.findings[0].path, "a.env");
        assert!(baseline.is_of(&keyed) && !baseline.is_of(&Fingerprinter::new(&SecretValue::new("other"))));
        assert!(Baseline::parse(&baseline.text().replace("baseline/1", "baseline/2"), "b").is_err());
    }
}
