//! Words around numbers and foreign text, the same in every form for people.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use crate::source::{Coverage, GapKind};

/// Unread parts of a source that are named.
const GAPS: usize = 5;

/// `1 place`, `2 places`.
pub fn counted(number: impl Display, one: &str) -> String {
    let number = number.to_string();
    let ending = if number == "1" { "" } else { "s" };
    format!("{number} {one}{ending}")
}

/// `1 item needs a person`, `2 items need a person`: the verb is given for one and for several.
pub(super) fn items(number: usize, one: &str, several: &str) -> String {
    format!("{} {}", counted(number, "item"), if number == 1 { one } else { several })
}

/// Text that cannot steer a terminal or start a command of a pipeline's log: whoever names a file, a commit's author or a
/// channel is not trusted.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect())
}

/// What was read of one source, and what was not.
pub(super) fn account(coverage: &Coverage, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{indent}{} ({}): {}", coverage.source, coverage.format, coverage.amount())?;
    for (reason, count) in &coverage.counts {
        writeln!(out, "{indent}  {count} {reason}")?;
    }
    for gap in coverage.gaps.iter().filter(|gap| gap.kind == GapKind::Failed).take(GAPS) {
        writeln!(out, "{indent}  not read: {}: {}", gap.place, gap.why)?;
    }
    Ok(())
}

/// A page of text with the same promise; lines and tabs stay. Whole characters are kept together over several writes.
pub struct Tame<'a> {
    out: &'a mut dyn Write,
    rest: Vec<u8>,
}

impl<'a> Tame<'a> {
    /// Everything written to it reaches `out` without control characters.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out, rest: Vec::new() }
    }

    fn pass(&mut self, text: &str) -> io::Result<()> {
        if !text.contains(wild) {
            return self.out.write_all(text.as_bytes());
        }
        text.chars().try_for_each(|c| {
            if wild(c) { write!(self.out, "{}", c.escape_default()) } else { write!(self.out, "{c}") }
        })
    }
}

fn wild(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

impl Write for Tame<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        self.rest = all.split_off(whole);
        self.pass(&String::from_utf8_lossy(&all))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.rest);
        self.pass(&String::from_utf8_lossy(&rest))?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_several_are_several() {
        assert_eq!(
            [counted(0, "place"), counted(1, "place"), counted(2, "place")],
            ["0 places", "1 place", "2 places"]
        );
        assert_eq!(items(1, "needs", "need"), "1 item needs");
    }

    #[test]
    fn a_page_keeps_lines_and_letters_and_no_command_of_a_terminal() {
        let mut page = Vec::new();
        let mut tame = Tame::new(&mut page);
        for byte in "a\u{1b}[2J\r\tü\u{9b}1\n".bytes() {
            tame.write_all(&[byte]).expect("written");
        }
        tame.flush().expect("flushed");
        assert_eq!(String::from_utf8(page).expect("text"), "a\\u{1b}[2J\\r\tü\\u{9b}1\n");
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\u{1b}");
    }
}
