//! Workflow commands of GitHub Actions: each finding becomes an annotation in the diff. The page of the step takes the
//! Markdown form.

use std::io::{self, Write};

use super::Listing;
use super::listing::{remedy, sentence};
use crate::finding::Verdict;

/// Writes one command a finding; known and waived findings are left out, because nobody has to act on them.
///
/// # Errors
/// Those of the writer.
pub fn github(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    for one in listing.judged {
        let command = match (one.blocks, one.verdict) {
            (true, _) => "error",
            (false, Verdict::Stale | Verdict::New) => "warning",
            (false, _) => continue,
        };
        let place = &one.finding.location;
        write!(out, "::{command} file={}", property(&one.path))?;
        write!(out, ",line={},endLine={}", place.lines.0, place.lines.1)?;
        // Columns across lines are refused by the page.
        if place.lines.0 == place.lines.1 {
            write!(out, ",col={},endColumn={}", place.columns.0 + 1, place.columns.1 + 1)?;
        }
        let title = format!("{} credential: {}", one.verdict.word(), one.title);
        writeln!(out, ",title={}::{}", property(&title), text(&format!("{} {}", sentence(one), remedy(one))))?;
    }
    if listing.is_partial() {
        writeln!(
            out,
            "::warning title=offkey::{}",
            text("Not everything could be compared; the log of the step says what.")
        )?;
    }
    writeln!(out, "{}; {} block", text(&listing.tally()), listing.blocking())
}

/// Text of a command: a line break would start another command.
fn text(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(value: &str) -> String {
    text(value).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_starts_no_command_of_its_own() {
        assert_eq!(property("a\n::set-output name=x::y,z"), "a%0A%3A%3Aset-output name=x%3A%3Ay%2Cz");
    }
}
