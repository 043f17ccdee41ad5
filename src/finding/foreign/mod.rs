//! Reports of other scanners as findings. One file a format.
//!
//! A report says "this value stood there". So its values become needles: offkey reads the sources itself, finds each value
//! in every place and encoding, and knows who wrote it down. A team gets attribution, plan and ledger for what its own
//! scanner found, on the first day.
//!
//! Invariant: a value leaves a report only as a [`SecretValue`]. What cannot be used (redacted, no value, not found in what
//! was read) is a gap of the report's own coverage, never silence.

mod betterleaks;
mod gitleaks;
mod kingfisher;
mod sarif;
mod trufflehog;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Credential;
use crate::detect::Needle;
use crate::error::{Error, Result};
use crate::secret::{Fingerprint, Fingerprinter, SecretValue};
use crate::source::Coverage;

/// One finding of a report.
pub(super) struct Reported {
    rule: String,
    /// Where, for people: `deploy/.env:7`.
    place: String,
    /// The values of it; none when the report does not tell.
    values: Vec<SecretValue>,
}

/// A report.
pub struct Report {
    shown: String,
    format: &'static str,
    reported: Vec<Reported>,
}

/// A reader: `None` when the objects are of another format. The folders are those that were searched.
type Reader = fn(&[Value], &[PathBuf]) -> Option<Vec<Reported>>;

/// Formats, one line each.
const READERS: &[(&str, Reader)] = &[
    ("sarif", sarif::read),
    ("trufflehog", trufflehog::read),
    ("kingfisher", kingfisher::read),
    ("betterleaks", betterleaks::read),
    ("gitleaks", gitleaks::read),
];

impl Report {
    /// Reads a report; its format is found by its content. `folders` are what is searched, to resolve its paths.
    ///
    /// # Errors
    /// When it cannot be read or is of no known format.
    pub fn read(path: &Path, folders: &[PathBuf]) -> Result<Self> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|cause| Error::unreadable(format!("the report {shown}"), cause))?;
        // Held as a secret: it is full of values.
        let text = SecretValue::new(bytes);
        let objects = objects(text.expose());
        let known = READERS.iter().find_map(|(name, read)| Some((*name, read(&objects, folders)?)));
        let Some((format, reported)) = known else {
            return Err(Error::user(format!("the report {shown} is of no known format"))
                .next("Known: SARIF, and the JSON of gitleaks, betterleaks, kingfisher and TruffleHog."));
        };
        Ok(Self { shown, format, reported })
    }

    /// Number of findings in it.
    pub fn len(&self) -> usize {
        self.reported.len()
    }

    /// Whether it reports nothing.
    pub fn is_empty(&self) -> bool {
        self.reported.is_empty()
    }

    /// Its values, each once.
    pub fn needles(&self) -> Vec<Needle> {
        let mut seen: HashSet<&[u8]> = HashSet::new();
        let mut needles = Vec::new();
        for one in &self.reported {
            for value in one.values.iter().filter(|value| seen.insert(value.expose())) {
                needles.push(Needle { label: format!("{}/{}", self.format, one.rule), value: value.clone() });
            }
        }
        needles
    }

    /// The account of it after the search: what it reported and what of that was not found, or could not be looked for.
    pub fn coverage(&self, found: &[Credential], fingerprinter: &Fingerprinter) -> Coverage {
        let known: HashSet<Fingerprint> = found.iter().map(|credential| credential.fingerprint).collect();
        let mut coverage = Coverage::new(format!("report {}", self.shown), self.format);
        for one in &self.reported {
            let place = format!("{} at {}", one.rule, one.place);
            if one.values.is_empty() {
                coverage.fail(place, "the report does not tell the value: run the scanner without redaction");
            } else if one.values.iter().all(|value| known.contains(&fingerprinter.fingerprint(value.expose()))) {
                coverage.documents += 1;
            } else {
                coverage.fail(place, "reported, but not found in what was read");
            }
        }
        coverage
    }
}

/// The objects of a document: one, a list, or one a line.
fn objects(bytes: &[u8]) -> Vec<Value> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Array(all)) => all,
        Ok(one) => vec![one],
        Err(_) => bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect(),
    }
}

/// A value as it stands in a report, unless the report hides it.
fn value(text: Option<&str>) -> Option<SecretValue> {
    let text = text.filter(|text| !text.trim().is_empty())?;
    let hidden = text.contains("REDACTED") || text.ends_with("...") || text.bytes().all(|byte| byte == b'*');
    (!hidden).then(|| SecretValue::new(text))
}

fn place(path: Option<&str>, line: Option<u64>) -> String {
    format!("{}:{}", path.unwrap_or("an unnamed place"), line.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Report {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        Report::read(file.path(), &[]).expect("known")
    }

    fn shape(report: &Report) -> (&str, Vec<(String, String, usize)>) {
        let one = |one: &Reported| (one.rule.clone(), one.place.clone(), one.values.len());
        (report.format, report.reported.iter().map(one).collect())
    }

    #[test]
    fn every_format_is_known_by_its_content() {
        let gitleaks = r#"[{"RuleID":"pat","StartLine":2,"File":"a","Secret":"abcdef1","Commit":""},{"RuleID":"pat","File":"b","StartLine":1,"Secret":"REDACTED"}]"#;
        assert_eq!(
            shape(&read(gitleaks)),
            ("gitleaks", vec![("pat".into(), "a:2".into(), 1), ("pat".into(), "b:1".into(), 0)])
        );
        let betterleaks = r#"{"schema_version":"1","findings":[{"rule_id":"x","match":{"value":"abcdef2"},"location":{"path":"a","start_line":3}}]}"#;
        assert_eq!(shape(&read(betterleaks)), ("betterleaks", vec![("x".into(), "a:3".into(), 1)]));
        let kingfisher =
            "{\"rule\":{\"id\":\"k.1\"},\"finding\":{\"snippet\":\"abcdef3\",\"line\":4,\"path\":\"./a\"}}\n";
        assert_eq!(shape(&read(&kingfisher.repeat(2))), ("kingfisher", vec![("k.1".into(), "./a:4".into(), 1); 2]));
        let trufflehog = r#"{"SourceMetadata":{"Data":{"Git":{"file":"a","line":5,"commit":"c"}}},"DetectorName":"AWS","Raw":"AKIDabc","RawV2":"AKIDabc:secretpart"}"#;
        assert_eq!(shape(&read(trufflehog)), ("trufflehog", vec![("AWS".into(), "a:5".into(), 2)]));
        assert_eq!(read(&kingfisher.repeat(2)).needles().len(), 1, "a value is looked for once");
    }

    #[test]
    fn a_sarif_region_is_cut_out_of_the_file_that_it_names() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a b.env"), "x\nKEY=abcdefgh;\n").expect("written");
        let report = dir.path().join("r.sarif");
        let region = |columns: &str| {
            format!(
                r#"{{"ruleId":"k","locations":[{{"physicalLocation":{{"artifactLocation":{{"uri":"a%20b.env"}},"region":{{"startLine":2{columns}}}}}}}]}}"#
            )
        };
        let text = format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"other"}}}},"results":[{},{}]}}]}}"#,
            region(",\"startColumn\":5,\"endColumn\":13"),
            region("")
        );
        std::fs::write(&report, text).expect("written");
        let report = Report::read(&report, &[dir.path().to_owned()]).expect("known");
        assert_eq!(report.reported[0].values, [SecretValue::new("abcdefgh")]);
        assert!(report.reported[1].values.is_empty());
    }

    #[test]
    fn what_cannot_be_used_is_a_gap() {
        let report = read(
            r#"[{"RuleID":"a","StartLine":2,"File":"a","Secret":"REDACTED"},{"RuleID":"b","StartLine":2,"File":"b","Secret":"elsewhere1"}]"#,
        );
        let coverage = report.coverage(&[], &Fingerprinter::new(&SecretValue::new("k")));
        assert!(coverage.is_partial() && coverage.gaps.len() == 2);
        assert!(coverage.gaps[1].why.contains("not found"));
        assert!(!format!("{coverage:?}").contains("elsewhere1"));
    }
}
