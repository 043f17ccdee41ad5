//! One JSON document for a whole scan: credentials with their findings, and the coverage.

use std::io::{self, Write};

use serde::Serialize;

use super::Scan;
use super::scan_jsonl::Line;
use crate::source::Coverage;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    partial: bool,
    credentials: Vec<Entry<'a>>,
    coverage: &'a [Coverage],
}

#[derive(Serialize)]
struct Entry<'a> {
    fingerprint: String,
    rule: &'a str,
    kind: &'a str,
    confidence: f32,
    findings: Vec<Line<'a>>,
}

/// Writes the document.
///
/// # Errors
/// Those of the writer.
pub fn scan_json(scan: &Scan<'_>, out: &mut dyn Write) -> io::Result<()> {
    let credentials = scan.credentials.iter().map(|credential| Entry {
        fingerprint: credential.fingerprint.to_string(),
        rule: &credential.rule,
        kind: &credential.kind,
        confidence: credential.confidence,
        findings: credential.findings.iter().map(|finding| Line::new(scan, credential, finding)).collect(),
    });
    let document = Document {
        schema: "offkey.scan/1",
        version: env!("CARGO_PKG_VERSION"),
        partial: scan.coverage.iter().any(Coverage::is_partial),
        credentials: credentials.collect(),
        coverage: scan.coverage,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}
