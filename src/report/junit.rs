//! JUnit's XML: for Jenkins, Bamboo and every other server that shows tests. A finding that blocks is a failed test.

use std::io::{self, Write};

use super::Listing;
use super::listing::{remedy, sentence};
use crate::finding::Verdict;

/// Writes one suite with a test a finding, and one test for the coverage.
///
/// # Errors
/// Those of the writer.
pub fn junit(listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (failures, errors) = (listing.blocking(), usize::from(listing.is_partial()));
    let skipped = listing.judged.iter().filter(|one| !one.blocks && one.verdict == Verdict::Waived).count();
    let tests = listing.judged.len() + 1;
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="offkey" tests="{tests}" failures="{failures}" errors="{errors}">"#)?;
    writeln!(
        out,
        r#"  <testsuite name="offkey" tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" timestamp="{}">"#,
        listing.times.0.get(..19).unwrap_or(&listing.times.0)
    )?;
    let partial = if errors > 0 { r#"<error type="partial" message="not everything could be compared"/>"# } else { "" };
    writeln!(out, r#"    <testcase classname="offkey" name="everything was compared">{partial}</testcase>"#)?;
    for one in listing.judged {
        let place = format!("{}:{}", one.path, one.finding.location.lines.0);
        let name = format!("{}: {} at {place}", one.verdict.word(), one.title);
        write!(out, r#"    <testcase classname="{}" name="{}">"#, xml(&one.finding.rule), xml(&name))?;
        let message = xml(&sentence(one));
        if one.blocks {
            let help = xml(remedy(one));
            write!(out, r#"<failure type="{}" message="{message}">{help}</failure>"#, one.verdict.word())?;
        } else if one.verdict == Verdict::Waived {
            write!(out, r#"<skipped message="{message}"/>"#)?;
        }
        writeln!(out, "</testcase>")?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// Text of an attribute; characters that XML forbids are replaced.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\r' | '\t' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_cannot_end_its_attribute() {
        assert_eq!(super::xml("a\"><b\u{1}\n&"), "a&quot;&gt;&lt;b\u{fffd} &amp;");
    }
}
