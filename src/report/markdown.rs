//! Markdown for a comment on a merge request and for the page of a step.

use std::io::{self, Write};

use super::Listing;
use super::listing::remedy;
use crate::finding::{Judged, Verdict};

/// Rows shown; servers refuse long comments, and nobody reads them.
const ROWS: usize = 50;

/// Writes the comment.
///
/// # Errors
/// Those of the writer.
pub fn markdown(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let blocking = listing.blocking();
    let heading = match blocking {
        0 => "offkey: nothing blocks".to_owned(),
        1 => "offkey: one credential blocks this change".to_owned(),
        many => format!("offkey: {many} credentials block this change"),
    };
    writeln!(out, "### {heading}\n\n{}.\n", listing.tally())?;
    if !listing.judged.is_empty() {
        writeln!(out, "| | what | where | whose | why |\n|---|---|---|---|---|")?;
        listing.judged.iter().take(ROWS).try_for_each(|one| row(one, out))?;
        if listing.judged.len() > ROWS {
            writeln!(out, "\nand {} more; the job's report lists all.", listing.judged.len() - ROWS)?;
        }
        writeln!(out)?;
    }
    for verdict in [Verdict::Stale, Verdict::New] {
        if let Some(one) = listing.judged.iter().find(|one| one.blocks && one.verdict == verdict) {
            writeln!(out, "**{}**: {}\n", verdict.word(), remedy(one))?;
        }
    }
    if listing.is_partial() {
        writeln!(out, "**Not everything could be compared.** The job's log says what is missing.\n")?;
    }
    listing.notes.iter().try_for_each(|note| writeln!(out, "- {}", inert(note)))
}

fn row(one: &Judged, out: &mut dyn Write) -> io::Result<()> {
    let mark = if one.blocks { "**blocks**" } else { "passes" };
    let commit =
        one.commit.as_ref().map_or_else(String::new, |commit| format!(" in {}", &commit[..commit.len().min(10)]));
    writeln!(
        out,
        "| {mark} | {}: {} | {}:{}{commit} | {} | {} |",
        one.verdict.word(),
        inert(&one.title),
        inert(&one.path),
        one.finding.location.lines.0,
        inert(one.owner.as_deref().unwrap_or("")),
        inert(&one.why),
    )
}

/// Text that cannot become a link, a mention, an image, HTML or another cell.
fn inert(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            // A mention would call people; the invisible joint keeps the name readable.
            '@' => safe.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                safe.push('\\');
                safe.push(character);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    // Servers turn bare addresses into links.
    safe.replace("://", ":\u{2060}//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_text() {
        let safe = inert("a|b\n@all [x](http://h) <img> `c`");
        assert!(!safe.contains("a|b") && !safe.contains('\n') && !safe.contains("@all") && !safe.contains("://"));
        assert!(safe.contains("&lt;img&gt;") && safe.contains("\\`c\\`"));
    }
}
