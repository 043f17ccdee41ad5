//! One row a finding, for spreadsheets.

use std::io::{self, Write};

use super::Listing;

/// Writes a header and the rows.
///
/// # Errors
/// Those of the writer.
pub fn gate_csv(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record([
        "verdict",
        "blocks",
        "rule",
        "title",
        "path",
        "line",
        "column",
        "commit",
        "author",
        "owner",
        "why",
        "confidence",
        "fingerprint",
    ])?;
    for one in listing.judged {
        let (finding, place) = (&one.finding, &one.finding.location);
        let text = |text: &str| inert(text);
        rows.write_record([
            one.verdict.word().to_owned(),
            one.blocks.to_string(),
            text(&finding.rule),
            text(&one.title),
            text(&one.path),
            place.lines.0.to_string(),
            (place.columns.0 + 1).to_string(),
            text(one.commit.as_deref().unwrap_or_default()),
            text(one.author.as_deref().unwrap_or_default()),
            text(one.owner.as_deref().unwrap_or_default()),
            text(&one.why),
            format!("{:.2}", finding.confidence),
            finding.fingerprint.to_string(),
        ])?;
    }
    rows.flush()
}

/// A cell that a spreadsheet does not take for a formula: whoever names a file or signs a commit is not trusted.
fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_formula_becomes_text() {
        assert_eq!(super::inert("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(super::inert("a=b"), "a=b");
    }
}
