//! Where a value starts and ends, in quotes or without.

use std::ops::Range;

use super::Quote;

/// Longest value that is read as one.
const LONGEST: usize = 1000;

/// A value that was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) range: Range<usize>,
    pub(super) quote: Quote,
    /// First byte after the value and its closing quote.
    pub(super) end: usize,
}

/// Bytes of a name: letters, digits, `_`, `-`.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// First byte from `at` on that is neither space nor tab.
pub(super) fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    let limit = bytes.len().min(at + 80);
    while at < limit && matches!(bytes[at], b' ' | b'\t') {
        at += 1;
    }
    at
}

/// An opening quote at `at`: its kind, the number of backslashes in front of it, and where the content starts.
pub(super) fn opening(bytes: &[u8], at: usize) -> Option<(Quote, usize, usize)> {
    let slashes = bytes[at..].iter().take(8).take_while(|b| **b == b'\\').count();
    match bytes.get(at + slashes)? {
        b'"' if slashes == 0 => Some((Quote::Double, 0, at + 1)),
        b'\'' if slashes == 0 => Some((Quote::Single, 0, at + 1)),
        b'`' if slashes == 0 => Some((Quote::Backtick, 0, at + 1)),
        b'"' | b'\'' => Some((Quote::Escaped, slashes, at + slashes + 1)),
        b'&' if bytes[at..].starts_with(b"&quot;") => Some((Quote::Escaped, 0, at + 6)),
        _ => None,
    }
}

/// Reads a quoted value whose opening quote stands at `at`; the value ends on the same line.
pub(super) fn quoted(bytes: &[u8], at: usize) -> Option<Read> {
    let (quote, slashes, start) = opening(bytes, at)?;
    if bytes[at..].starts_with(b"&quot;") {
        let line = &bytes[start..bytes.len().min(start + LONGEST)];
        let length = memchr::memmem::find(line, b"&quot;")?;
        return (!line[..length].contains(&b'\n')).then_some(Read {
            range: start..start + length,
            quote,
            end: start + length + 6,
        });
    }
    let mark = bytes[start - 1];
    let triple = slashes == 0 && bytes[start..].starts_with(&[mark, mark]);
    let start = if triple { start + 2 } else { start };
    let limit = bytes.len().min(start + LONGEST);
    let mut run = 0;
    let mut at = start;
    while at < limit {
        match bytes[at] {
            b'\n' if !triple && quote != Quote::Backtick => return None,
            b'\\' => run += 1,
            byte if byte == mark => {
                // The closing quote carries as many backslashes as the opening one.
                let closes = if slashes == 0 { run % 2 == 0 } else { run <= slashes };
                if closes {
                    let end = at - run.min(slashes);
                    return Some(Read {
                        range: start..end,
                        quote,
                        end: if triple { (at + 3).min(bytes.len()) } else { at + 1 },
                    });
                }
                run = 0;
            }
            _ => run = 0,
        }
        at += 1;
    }
    None
}

/// Reads a value without quotes. In a line of a configuration file it may hold anything but blanks; elsewhere it ends at the
/// first byte that ends an expression.
pub(super) fn bare(bytes: &[u8], at: usize, whole_line: bool) -> Option<Read> {
    let limit = bytes.len().min(at + LONGEST);
    let blank = |b: u8| b.is_ascii_whitespace() || b == 0;
    let line: usize = bytes[at..limit].iter().position(|b| blank(*b)).map_or(limit, |n| at + n);
    if whole_line {
        let mut rest = skip_blanks(bytes, line);
        if bytes.get(rest) == Some(&b'\\') && bytes.get(rest + 1).is_none_or(|b| matches!(b, b'\n' | b'\r' | b'n')) {
            rest += 1;
        }
        let ends = bytes.get(rest).is_none_or(|b| matches!(b, b'\n' | b'\r' | b'#'))
            || bytes[rest..].starts_with(b"//")
            || bytes[rest..].starts_with(b"&&");
        if ends {
            let mut end = line;
            while end > at && matches!(bytes[end - 1], b',' | b';' | b'"' | b'\'' | b'`') {
                end -= 1;
            }
            // The string around it ends, and then the call: `send('user=x&password=y')`.
            if let Some(mark) = memchr::memchr3(b'"', b'\'', b'`', &bytes[at..end]).map(|n| at + n)
                && bytes[mark..end].iter().all(|b| b"\"'`)]};,".contains(b))
            {
                end = mark;
                while bytes[at..end].ends_with(b"\\n") || bytes[at..end].ends_with(b"\\r") {
                    end -= 2;
                }
            }
            end -= brackets(bytes, at..end);
            end = link(bytes, at..end);
            // A parameter without a value behind it.
            end -= usize::from(end > at && bytes[end - 1] == b'&');
            if let Some(next) = setting(&bytes[at..end]).or_else(|| tag(&bytes[at..end])) {
                end = at + next;
            }
            return (end > at).then_some(Read { range: at..end, quote: Quote::Bare, end: line });
        }
    }
    let stops = |b: &u8| {
        matches!(
            b,
            b'"' | b'\''
                | b'`'
                | b','
                | b';'
                | b'<'
                | b'>'
                | b'('
                | b')'
                | b'{'
                | b'}'
                | b'['
                | b']'
                | b'|'
                | b'&'
                | b'\\'
        )
    };
    let end = bytes[at..line].iter().position(stops).map_or(line, |n| at + n);
    let mut trimmed = end;
    while trimmed > at && matches!(bytes[trimmed - 1], b'.' | b':' | b'!' | b'?') && trimmed == line {
        trimmed -= 1;
    }
    (trimmed > at).then_some(Read { range: at..trimmed, quote: Quote::Bare, end })
}

/// How many brackets at the end of a value close what was opened in front of it: `[https://host/?token=…]`.
fn brackets(bytes: &[u8], value: Range<usize>) -> usize {
    let line = &bytes[value.start.saturating_sub(200)..value.start];
    let line = line.rsplit(|b| *b == b'\n').next().unwrap_or(line);
    let count = |text: &[u8], wanted: u8| text.iter().filter(|b| **b == wanted).count();
    let mut end = value.end;
    while end > value.start + 1 {
        let (open, close) = match bytes[end - 1] {
            b']' => (b'[', b']'),
            b')' => (b'(', b')'),
            b'}' => (b'{', b'}'),
            _ => break,
        };
        let inside = &bytes[value.start..end - 1];
        if count(inside, open) > count(inside, close) || count(line, open) <= count(line, close) {
            break;
        }
        end -= 1;
    }
    value.end - end
}

/// Where the address of a link in Markdown ends in which the value stands: `[x](https://host/?key=…)](…)`.
fn link(bytes: &[u8], value: Range<usize>) -> usize {
    let line = &bytes[value.start.saturating_sub(200)..value.start];
    let line = line.rsplit(|b| *b == b'\n').next().unwrap_or(line);
    let open = memchr::memmem::rfind(line, b"](http").is_some_and(|at| !line[at..].contains(&b')'));
    let close = memchr::memchr(b')', &bytes[value.clone()]).filter(|close| open && *close > 0);
    close.map_or(value.end, |close| value.start + close)
}

/// Where the element of a page ends in which the value stands: `x</td></tr>`, `x<br/>`.
fn tag(value: &[u8]) -> Option<usize> {
    let ends = |at: &usize| {
        let inside = &value[at + 1..];
        let name = inside.strip_prefix(b"/").or(inside.starts_with(b"br").then_some(inside)).unwrap_or_default();
        let length = name.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        length > 0 && matches!(name[length..], [b'>', ..] | [b'/', b'>', ..])
    };
    memchr::memchr_iter(b'<', value).find(ends)
}

/// Where the next setting of a list starts behind a value: `x,host=y`, `x&state=y`, `x;User Id=y`.
fn setting(line: &[u8]) -> Option<usize> {
    memchr::memchr3_iter(b',', b'&', b';', line).find(|mark| {
        let rest = &line[mark + 1..];
        let name = rest.iter().take(40).take_while(|b| is_name(**b)).count();
        let words = line[*mark] != b',' || rest[..name].iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
        name > 1 && words && rest.get(name) == Some(&b'=') && rest.get(name + 1).is_some_and(u8::is_ascii_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use crate::detect::{Detector, Options};
    use crate::rule::{RuleSet, expand};

    fn secrets(template: &str) -> Vec<String> {
        let text = expand(template, "value", None).expect("because the template is well-formed");
        let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::from(0.5)).expect("rules are checked");
        let mut all = Vec::new();
        detector.scan(text.as_bytes(), None, &mut all);
        all.iter().map(|found| found.secret.expose_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn the_end_of_a_line_in_a_string_is_no_part_of_a_value() {
        let found = secrets("file.write(\"password=<<an:14>>\\n\")\n");
        assert!(found.len() == 1 && found[0].len() == 14, "{found:?}");
    }

    #[test]
    fn a_link_ends_where_its_bracket_closes() {
        for tail in [")](https://h.example/)", ")\\", ") "] {
            let found = secrets(&format!("[![Chat](https://h.example/badge?api_key=<<an:22>>{tail}\n"));
            assert!(found.len() == 1 && found[0].len() == 22, "{tail}: {found:?}");
        }
    }

    #[test]
    fn the_end_of_an_element_is_no_part_of_a_value() {
        for tail in ["</p>", "</td></tr>", "<br/>", "<br>"] {
            let found = secrets(&format!("password=<<an:14>>{tail}\n"));
            assert!(found.len() == 1 && found[0].len() == 14, "{tail}: {found:?}");
        }
        assert_eq!(secrets("password=<<an:12>></x\n").first().map(String::len), Some(15), "no element ends here");
    }

    #[test]
    fn brackets_around_a_sentence_are_no_part_of_a_value() {
        let token = secrets("see https://h.example/reset?reset_token=<<hex:40>>\n").pop().expect("found");
        for text in ["[https://h.example/reset?reset_token=<<hex:40>>]\n", "(reset_token=<<hex:40>>)\n"] {
            let found = secrets(text);
            assert!(found.len() == 1 && found[0].len() == token.len(), "{text}: {found:?}");
        }
        assert_eq!(
            secrets("password=<<an:14>>]\n").first().map(String::len),
            Some(15),
            "it may be one of its characters"
        );
    }
}
