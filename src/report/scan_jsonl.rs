//! One JSON object for each finding and line: for pipelines, `jq`, and scorers.

use std::io::{self, Write};

use serde::Serialize;

use super::Scan;
use crate::finding::{Credential, Finding, ends};
use crate::source::Provenance;

/// The wire form of a finding. Lines count from 1, columns are bytes from 0, ends are exclusive for columns.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    path: String,
    line_start: u32,
    line_end: u32,
    col_start: u32,
    col_end: u32,
    rule: &'a str,
    kind: &'a str,
    confidence: f32,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    provenance: &'a Provenance,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<(&'a str, String)>,
    /// Fingerprint of the secret that this key id belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_of: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    encodings: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    /// When the value ends by itself, RFC 3339, where its issuer wrote that into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commits: Vec<Commit<'a>>,
}

/// A commit that brought the object in.
#[derive(Serialize)]
struct Commit<'a> {
    commit: &'a str,
    path: &'a str,
    author: String,
    time: &'a str,
    reachable: bool,
}

impl<'a> Line<'a> {
    pub(super) fn new(scan: &'a Scan<'_>, credential: &Credential, finding: &'a Finding) -> Self {
        let location = &finding.location;
        let commits = scan.introductions(finding).iter().map(|introduction| Commit {
            commit: &introduction.by.commit,
            path: &introduction.path,
            author: person(&introduction.by.author),
            time: &introduction.by.time,
            reachable: introduction.by.reachable,
        });
        Self {
            path: scan.path(finding),
            line_start: location.lines.0,
            line_end: location.lines.1,
            col_start: location.columns.0,
            col_end: location.columns.1,
            rule: &finding.rule,
            kind: &finding.kind,
            confidence: finding.confidence,
            fingerprint: finding.fingerprint.to_string(),
            secret: scan.reveal.then(|| scan.value(&credential.value)),
            provenance: &location.provenance,
            parts: finding.parts.iter().map(|(name, text)| (name.as_str(), scan.part(name, text))).collect(),
            part_of: credential.part_of.map(|secret| secret.to_string()),
            encodings: &finding.encodings,
            notes: &finding.notes,
            ends: ends(&credential.value).map(|time| time.to_string()),
            commits: commits.collect(),
        }
    }
}

fn person(person: &crate::source::PersonRef) -> String {
    let name = person.display.as_deref().unwrap_or_default();
    format!("{name} <{}>", person.email.as_deref().unwrap_or_default())
}

/// Writes every finding, in order of credential and place.
///
/// # Errors
/// Those of the writer.
pub fn scan_jsonl(scan: &Scan<'_>, out: &mut dyn Write) -> io::Result<()> {
    for credential in scan.credentials {
        for finding in &credential.findings {
            serde_json::to_writer(&mut *out, &Line::new(scan, credential, finding))?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}
