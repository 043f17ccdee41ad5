//! GitLab's secret detection report (format 15): the artifact `reports:secret_detection`.

use std::io::{self, Write};

use serde_json::{Value, json};
use uuid::Uuid;

use super::Listing;
use super::listing::{VERSION, remedy, sentence};
use crate::finding::{Judged, Verdict};
use crate::source::GapKind;

/// Version of the report format that this writes.
const FORMAT: &str = "15.0.4";

/// Writes the report. Waived findings are left out: GitLab has no form for them and would ask for work.
///
/// # Errors
/// Those of the writer.
pub fn gitlab_secrets(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let program = json!({ "id": "offkey", "name": "offkey", "version": VERSION, "vendor": { "name": "offkey" } });
    let listed = listing.judged.iter().zip(listing.places()).filter(|(one, _)| one.verdict != Verdict::Waived);
    let whole = json!({
        "version": FORMAT,
        "scan": {
            "type": "secret_detection",
            "status": if listing.is_partial() { "failure" } else { "success" },
            "start_time": second(&listing.times.0),
            "end_time": second(&listing.times.1),
            "analyzer": program,
            "scanner": program,
            "messages": messages(listing),
        },
        "vulnerabilities": listed.map(|(one, place)| vulnerability(one, &place)).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    out.write_all(b"\n")
}

fn vulnerability(one: &Judged, place: &str) -> Value {
    let finding = &one.finding;
    let severity = match (one.verdict, one.blocks) {
        (Verdict::Stale, _) => "Critical",
        (_, true) => "High",
        (_, false) => "Medium",
    };
    let name: String = format!("{} ({})", one.title, one.verdict.word()).chars().take(255).collect();
    // GitLab takes seven zeros for a change that is not committed yet.
    let mut commit = json!({ "sha": one.commit.as_deref().unwrap_or("0000000") });
    if let Some(author) = &one.author {
        commit["author"] = json!(author);
    }
    json!({
        "id": Uuid::new_v5(&Uuid::NAMESPACE_OID, place.as_bytes()),
        "name": name,
        "description": sentence(one),
        "severity": severity,
        "solution": remedy(one),
        "identifiers": [{ "type": "offkey_rule", "name": format!("offkey rule {}", finding.rule), "value": finding.rule }],
        "location": {
            "file": one.path,
            "start_line": finding.location.lines.0,
            "end_line": finding.location.lines.1,
            "commit": commit,
        },
    })
}

fn messages(listing: &Listing<'_>) -> Vec<Value> {
    let message = |level: &str, text: String| json!({ "level": level, "value": text });
    let notes = listing.notes.iter().map(|note| message("info", note.clone()));
    let gaps = listing.coverage.iter().flat_map(|coverage| &coverage.gaps).filter(|gap| gap.kind == GapKind::Failed);
    notes.chain(gaps.map(|gap| message("warn", format!("not read: {}: {}", gap.place, gap.why)))).collect()
}

/// `2026-03-01T09:00:00`: the format wants neither fractions nor a zone.
fn second(time: &str) -> &str {
    time.get(..19).unwrap_or(time)
}
