//! A gate for programs: one document, or one object a line.

use std::io::{self, Write};

use serde::Serialize;

use super::Listing;
use crate::finding::Judged;
use crate::source::Coverage;

#[derive(Serialize)]
struct Whole<'a> {
    schema: &'static str,
    blocked: bool,
    partial: bool,
    findings: &'a [Judged],
    coverage: &'a [Coverage],
    notes: &'a [String],
}

/// Writes one document.
///
/// # Errors
/// Those of the writer.
pub fn gate_json(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let whole = Whole {
        schema: "offkey.gate/1",
        blocked: listing.blocking() > 0,
        partial: listing.is_partial(),
        findings: listing.judged,
        coverage: listing.coverage,
        notes: listing.notes,
    };
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    out.write_all(b"\n")
}

/// Writes one object a finding.
///
/// # Errors
/// Those of the writer.
pub fn gate_jsonl(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    for one in listing.judged {
        serde_json::to_writer(&mut *out, one)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
