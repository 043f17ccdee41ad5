//! `offkey:allow` beside a finding: a developer says why a value may stand there.
//!
//! ```text
//! password = "…"  # offkey:allow reason="a fixture of the parser tests"
//! // offkey:allow next-line rule=generic-password reason="published example"
//! ```

use std::ops::Range;

/// What an allowance says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The only rule that it covers, if it names one.
    pub rule: Option<String>,
    /// Why the value may stand there; without a reason an allowance counts for nothing.
    pub reason: Option<String>,
}

/// The word that starts an allowance.
const WORD: &[u8] = b"offkey:allow";

/// How far from the value the text of its lines is read: no comment beside a value is longer.
const REACH: usize = 16 << 10;

/// The allowance for what stands at `span`: on one of its lines, or on the line before with `next-line`.
pub fn allowance(text: &[u8], span: &Range<usize>) -> Option<Allowance> {
    let (low, high) = (span.start.saturating_sub(REACH), (span.end + REACH).min(text.len()));
    let start_of = |at: usize| memchr::memrchr(b'\n', &text[low..at]).map_or(low, |newline| low + newline + 1);
    let first = start_of(span.start);
    let above = if first > low { start_of(first - 1) } else { first };
    let last = span.end.clamp(span.start + 1, text.len().max(span.start + 1)) - 1;
    let end = memchr::memchr(b'\n', text.get(last..high)?).map_or(high, |newline| last + newline);
    let near = &text[above..end];
    memchr::memmem::find(near, WORD)?;
    let mut at = above;
    near.split(|byte| *byte == b'\n').find_map(|line| {
        let here = at >= first;
        at += line.len() + 1;
        let start = memchr::memmem::find(line, WORD)? + WORD.len();
        let rest = String::from_utf8_lossy(&line[start..]).into_owned();
        let for_next = rest.trim_start().starts_with("next-line");
        (here != for_next).then(|| Allowance { rule: field(&rest, "rule="), reason: field(&rest, "reason=") })
    })
}

/// A field's value: in double or single quotes, or up to the next blank.
fn field(text: &str, name: &str) -> Option<String> {
    let value = &text[text.find(name)? + name.len()..];
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
        _ => value.split_whitespace().next(),
    };
    value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside(text: &str, value: &str) -> Option<Allowance> {
        let start = text.find(value).expect("there");
        allowance(text.as_bytes(), &(start..start + value.len()))
    }

    #[test]
    fn an_allowance_counts_on_its_line_or_for_the_next() {
        let text =
            "a = 1\nb = 2 # offkey:allow reason=\"a test\"\nc = 3\n# offkey:allow next-line rule=x reason=why\nd = 4\n";
        assert_eq!(beside(text, "1"), None);
        assert_eq!(beside(text, "2"), Some(Allowance { rule: None, reason: Some("a test".to_owned()) }));
        assert_eq!(beside(text, "3"), None, "an allowance without next-line is for its own line");
        let next = Allowance { rule: Some("x".to_owned()), reason: Some("why".to_owned()) };
        assert_eq!(beside(text, "4"), Some(next.clone()));
        let many = "# offkey:allow next-line rule=x reason=why\nfirst\nlast # offkey:allow reason=end\n";
        assert_eq!(beside(many, "first\nlast"), Some(next));
        assert_eq!(beside(many, "last").expect("on its line").reason.as_deref(), Some("end"));
    }

    #[test]
    fn a_missing_reason_is_seen_and_the_edges_of_a_text_are_no_trouble() {
        assert_eq!(beside("x # offkey:allow", "x"), Some(Allowance { rule: None, reason: None }));
        assert_eq!(beside("x # offkey:allow reason=''", "x"), Some(Allowance { rule: None, reason: None }));
        assert_eq!(allowance(b"", &(0..0)), None);
        assert_eq!(allowance(b"x\n", &(2..2)), None);
        let long = format!("value{}offkey:allow reason=far", " ".repeat(REACH + 10));
        assert_eq!(beside(&long, "value"), None);
    }
}
