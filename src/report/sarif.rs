//! SARIF 2.1.0: for GitHub code scanning, Azure DevOps, editors and everything else that shows findings in code.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Listing;
use super::listing::{VERSION, remedy, sentence};
use crate::finding::{Judged, Verdict};
use crate::source::GapKind;

/// Where the schema of the format lives.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes one run.
///
/// # Errors
/// Those of the writer.
pub fn sarif(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut ids: Vec<&str> = listing.judged.iter().map(|one| one.finding.rule.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let results: Vec<Value> =
        listing.judged.iter().zip(listing.places()).map(|(one, place)| result(listing, one, &ids, &place)).collect();
    let whole = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "offkey",
                "semanticVersion": VERSION,
                "rules": ids.iter().map(|id| rule(listing, id)).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": !listing.is_partial(),
                "startTimeUtc": listing.times.0,
                "endTimeUtc": listing.times.1,
                "toolExecutionNotifications": notifications(listing),
            }],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    out.write_all(b"\n")
}

fn rule(listing: &Listing<'_>, id: &str) -> Value {
    let known = listing.rules.get(id);
    let title = known.map(|rule| rule.name.as_str());
    let title =
        title.or_else(|| listing.judged.iter().find(|one| one.finding.rule == id).map(|one| one.title.as_str()));
    let title = title.unwrap_or(id);
    let mut rule = json!({
        "id": id,
        "shortDescription": { "text": title },
        "fullDescription": { "text": format!("{title}: a value that authenticates stands in the text.") },
        "help": { "text": "Take the value out, read it from a secret store, and rotate it if it was ever pushed." },
        "defaultConfiguration": { "level": "error" },
        "properties": { "tags": ["security", "secret"], "security-severity": "8.0" },
    });
    if let Some(source) = known.map(|rule| rule.source.as_str()).filter(|source| source.starts_with("https://")) {
        rule["helpUri"] = json!(source);
    }
    rule
}

fn result(listing: &Listing<'_>, one: &Judged, ids: &[&str], place: &str) -> Value {
    let (finding, location) = (&one.finding, &one.finding.location);
    let level = match (one.blocks, one.verdict) {
        (true, _) => "error",
        (false, Verdict::Stale | Verdict::New) => "warning",
        (false, _) => "note",
    };
    let mut fingerprints = json!({ "offkeyPlace/v1": place });
    if listing.keyed {
        fingerprints["offkeyCredential/v1"] = json!(finding.fingerprint);
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": ids.binary_search(&finding.rule.as_str()).expect("because every rule of a finding is listed"),
        "level": level,
        "message": { "text": format!("{} {}", sentence(one), remedy(one)) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&one.path) },
            "region": {
                "startLine": location.lines.0.max(1),
                "startColumn": location.columns.0 + 1,
                "endLine": location.lines.1.max(location.lines.0).max(1),
                "endColumn": location.columns.1 + 1,
            },
        }}],
        "partialFingerprints": fingerprints,
        "properties": {
            "verdict": one.verdict,
            "blocks": one.blocks,
            "kind": finding.kind,
            "confidence": finding.confidence,
            "commit": one.commit,
            "author": one.author,
            "owner": one.owner,
        },
    });
    if one.verdict == Verdict::Waived {
        let kind = if finding.waived.as_deref() == Some("inline") { "inSource" } else { "external" };
        result["suppressions"] = json!([{ "kind": kind, "status": "accepted", "justification": one.why }]);
    }
    result
}

fn notifications(listing: &Listing<'_>) -> Vec<Value> {
    let note = |level: &str, text: String| json!({ "level": level, "message": { "text": text } });
    let notes = listing.notes.iter().map(|text| note("note", text.clone()));
    let gaps = listing.coverage.iter().flat_map(|coverage| &coverage.gaps).filter(|gap| gap.kind == GapKind::Failed);
    notes.chain(gaps.map(|gap| note("error", format!("not read: {}: {}", gap.place, gap.why)))).collect()
}

/// A path as a relative reference: everything outside of the unreserved characters is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    // A leading ./ keeps a colon in the first part from looking like a scheme.
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        uri.push_str("./");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'!' | b'@' | b'+' | b':' => {
                uri.push(byte.into());
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("a b/ü.py"), "a%20b/%C3%BC.py");
        assert_eq!(uri("c:x/y"), "./c:x/y");
        assert_eq!(uri("100%"), "100%25");
    }
}
