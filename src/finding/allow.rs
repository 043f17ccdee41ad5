//! `offkey:allow` beside a finding: a developer says why a value may stand there.
//!
//! ```text
//! password = "…"  # offkey:allow reason="a fixture of the parser tests"
//! // offkey:allow next-line rule=generic-password reason="published example"
//! ```

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

/// The allowance for a finding on the given lines (from 1): on one of them, or on the line before with `next-line`.
pub fn allowance(text: &[u8], lines: (u32, u32)) -> Option<Allowance> {
    memchr::memmem::find(text, WORD)?;
    let (first, last) = (lines.0.max(1) as usize, lines.1.max(1) as usize);
    let above = first.saturating_sub(2);
    let near = text.split(|b| *b == b'\n').enumerate().skip(above).take(last - above);
    near.filter_map(|(at, line)| {
        let start = memchr::memmem::find(line, WORD)? + WORD.len();
        let rest = String::from_utf8_lossy(&line[start..]).into_owned();
        let for_next = rest.trim_start().starts_with("next-line");
        let here = at + 1 >= first;
        (here != for_next).then(|| Allowance { rule: field(&rest, "rule="), reason: field(&rest, "reason=") })
    })
    .next()
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

    #[test]
    fn an_allowance_counts_on_its_line_or_for_the_next() {
        let text = b"a = 1\nb = 2 # offkey:allow reason=\"a test\"\nc = 3\n# offkey:allow next-line rule=x reason=why\nd = 4\n";
        assert_eq!(allowance(text, (1, 1)), None);
        assert_eq!(allowance(text, (2, 2)), Some(Allowance { rule: None, reason: Some("a test".to_owned()) }));
        assert_eq!(allowance(text, (3, 3)), None, "an allowance without next-line is for its own line");
        let next = Allowance { rule: Some("x".to_owned()), reason: Some("why".to_owned()) };
        assert_eq!(allowance(text, (5, 5)), Some(next));
    }

    #[test]
    fn a_missing_reason_is_seen() {
        assert_eq!(allowance(b"x # offkey:allow", (1, 1)), Some(Allowance { rule: None, reason: None }));
        assert_eq!(allowance(b"x # offkey:allow reason=''", (1, 1)), Some(Allowance { rule: None, reason: None }));
    }
}
