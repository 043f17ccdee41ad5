//! GitLab's code quality report: shown in the merge request in every edition, `reports:codequality`.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Listing;
use super::listing::sentence;
use crate::finding::Verdict;

/// Writes the report. Waived findings are left out: the widget has no form for them.
///
/// # Errors
/// Those of the writer.
pub fn gitlab_quality(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let listed = listing.judged.iter().zip(listing.places()).filter(|(one, _)| one.verdict != Verdict::Waived);
    let issues = listed.map(|(one, place)| {
        let severity = match (one.blocks, one.verdict) {
            (true, Verdict::Stale) => "blocker",
            (true, _) => "critical",
            (false, Verdict::Stale | Verdict::New) => "major",
            (false, _) => "info",
        };
        json!({
            "description": sentence(one),
            "check_name": one.finding.rule,
            "fingerprint": place,
            "severity": severity,
            "location": { "path": one.path, "lines": { "begin": one.finding.location.lines.0 } },
        })
    });
    serde_json::to_writer_pretty(&mut *out, &issues.collect::<Vec<Value>>())?;
    out.write_all(b"\n")
}
