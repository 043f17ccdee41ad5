//! A gate for the developer whose change it judged: what, where, whose, since when, how to go on. Never the value.

use std::io::{self, Write};

use super::Listing;
use super::listing::remedy;
use super::words::{counted, shown};
use crate::finding::Judged;
use crate::source::GapKind;

/// Writes the verdicts.
///
/// # Errors
/// Those of the writer.
pub fn gate_text(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    listing.judged.iter().try_for_each(|one| paragraph(one, out))?;
    writeln!(out, "{}; {}", listing.tally(), blocking(listing.blocking()))?;
    for coverage in listing.coverage {
        writeln!(out, "{}: {}, {} bytes", coverage.source, counted(coverage.documents, "text"), coverage.bytes)?;
        for (reason, count) in &coverage.counts {
            writeln!(out, "  {count} {reason}")?;
        }
        for gap in coverage.gaps.iter().filter(|gap| gap.kind == GapKind::Failed).take(8) {
            writeln!(out, "  not read: {}: {}", shown(&gap.place), shown(&gap.why))?;
        }
    }
    Ok(())
}

fn paragraph(one: &Judged, out: &mut dyn Write) -> io::Result<()> {
    let finding = &one.finding;
    let (line, column) = (finding.location.lines.0, finding.location.columns.0 + 1);
    let mark = if one.blocks { "BLOCKED" } else { "passed" };
    writeln!(out, "{mark}  {}: {}", one.verdict.word(), one.title)?;
    let commit = one.commit.as_ref().map_or_else(String::new, |commit| {
        format!("  commit {} by {}", &commit[..commit.len().min(10)], one.author.as_deref().unwrap_or("nobody named"))
    });
    writeln!(out, "  {}:{line}:{column}{}", shown(&one.path), shown(&commit))?;
    let owner = one.owner.as_ref().map_or_else(String::new, |owner| format!("  owner {owner}"));
    writeln!(out, "  {}{}", shown(&one.why), shown(&owner))?;
    writeln!(out, "  {}  confidence {:.2}  {}", finding.rule, finding.confidence, finding.fingerprint)?;
    if one.blocks {
        writeln!(out, "  {}", remedy(one))?;
    }
    writeln!(out)
}

fn blocking(number: usize) -> String {
    format!("{number} {}", if number == 1 { "blocks" } else { "block" })
}
