//! Whether a needle stands around an anchor, whatever escaping, quoting, splitting and mark-up did to it.

use std::ops::Range;

use super::form::{ANCHOR, Form};
use super::letters::codes;

/// Longest break inside a value: a line end, indentation, the sign of a quotation.
const GAP: usize = 48;

/// The place of `value` in `form` around the anchor that starts at `anchor`, and the name of the encoding.
pub(super) fn around(bytes: &[u8], value: &[u8], form: Form, anchor: usize) -> Option<(Range<usize>, &'static str)> {
    let text = matches!(form, Form::Text | Form::Url | Form::Html | Form::Json);
    let pattern = if text { value.to_vec() } else { form.bytes(value) };
    // The anchor may lie at several places of the pattern; letters before it count as so many bytes, or more if spelled.
    for (start, exact) in starts(bytes, &pattern, form, anchor) {
        let read = Reader { bytes, form, at: start, said: None };
        if let Some((end, encoding)) = read.all(&pattern, exact)
            && end >= anchor + ANCHOR
            && edges(bytes, &(start..end), value, form)
        {
            return Some((start..end, encoding));
        }
    }
    None
}

/// Whether the signs of base64 at both ends, which hold bits of the value and of its neighbours, have those of the value.
fn edges(bytes: &[u8], span: &Range<usize>, value: &[u8], form: Form) -> bool {
    let Form::Base64(shift) = form else { return true };
    let sign = |at: Option<usize>| at.and_then(|at| sextet(*bytes.get(at)?));
    let first = match shift {
        0 => None,
        shift => sign(span.start.checked_sub(1)).map(|sign| (sign & 0x3f >> (2 * shift), value[0] >> (2 + 2 * shift))),
    };
    let odd = 2 * (3 - (usize::from(shift) + value.len()) % 3) % 6;
    let last = match (odd, value.last()) {
        (0, _) | (_, None) => None,
        (odd, Some(byte)) => sign(Some(span.end)).map(|sign| (sign >> odd, byte & 0x3f >> odd)),
    };
    first.is_none_or(|(is, wanted)| is == wanted) && last.is_none_or(|(is, wanted)| is == wanted)
}

/// The six bits of a sign of base64.
fn sextet(sign: u8) -> Option<u8> {
    match sign {
        b'A'..=b'Z' => Some(sign - b'A'),
        b'a'..=b'z' => Some(sign - b'a' + 26),
        b'0'..=b'9' => Some(sign - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Where the pattern may start: first where it would if nothing was spelled, then every place before the anchor that could be
/// its first byte.
fn starts(bytes: &[u8], pattern: &[u8], form: Form, anchor: usize) -> Vec<(usize, bool)> {
    let letters = |text| codes(text).zip(0..).filter(|(code, _)| *code != 0);
    let wanted = letters(&bytes[anchor..bytes.len().min(anchor + 400)]).take(ANCHOR);
    let wanted: Vec<u8> = wanted.map(|(code, _)| code).collect();
    let pattern_letters: Vec<(u8, usize)> = letters(pattern).collect();
    let same = |six: &&[(u8, usize)]| six.iter().map(|(code, _)| code).eq(&wanted);
    let before: Vec<usize> = pattern_letters.windows(ANCHOR).filter(same).map(|six| six[0].1).collect();
    // Two anchors may look alike to the table; only spelled forms have letters that the value has not.
    if before.is_empty() && !matches!(form, Form::Url | Form::Html | Form::Json) {
        return Vec::new();
    }
    let mut all: Vec<(usize, bool)> =
        before.iter().filter_map(|at| anchor.checked_sub(*at)).map(|start| (start, true)).collect();
    let furthest = before.last().copied().unwrap_or(pattern.len());
    let floor = anchor.saturating_sub(furthest * 6 + 2 * GAP);
    let first = pattern[0];
    let could = |b: u8| {
        b == first
            || form == Form::Hex && b.eq_ignore_ascii_case(&first)
            || matches!(form, Form::Base64(_)) && matches!((b, first), (b'-', b'+') | (b'_', b'/'))
            || !first.is_ascii_alphanumeric() && matches!(b, b'%' | b'\\' | b'&' | b'"' | b'\'' | b'`' | b'+' | 0xe2)
    };
    all.extend((floor..=anchor).rev().filter(|at| could(bytes[*at])).map(|at| (at, false)));
    all
}

/// Reads a pattern byte by byte.
struct Reader<'a> {
    bytes: &'a [u8],
    form: Form,
    at: usize,
    said: Option<&'static str>,
}

impl Reader<'_> {
    /// The end of the pattern and the name of its encoding.
    fn all(mut self, pattern: &[u8], exact: bool) -> Option<(usize, &'static str)> {
        let own = match self.form {
            Form::Base64(_) => "base64",
            Form::Hex => "hex",
            Form::Reversed => "reversed",
            _ => "raw",
        };
        if exact {
            return self.rest().starts_with(pattern).then(|| (self.at + pattern.len(), own));
        }
        for (n, byte) in pattern.iter().enumerate() {
            if n > 0 {
                self.gap(*byte);
            }
            if !self.one(*byte) {
                return None;
            }
        }
        let said = self.said.unwrap_or(own);
        Some((self.at, if own == "raw" || said == "base64url" { said } else { own }))
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }

    fn take(&mut self, length: usize, name: Option<&'static str>) -> bool {
        self.at += length;
        self.said = self.said.or(name);
        true
    }

    fn one(&mut self, wanted: u8) -> bool {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let Some(first) = rest.first().copied() else { return false };
        match self.form {
            Form::Hex => return first.eq_ignore_ascii_case(&wanted) && self.take(1, None),
            Form::Base64(_) if matches!((first, wanted), (b'-', b'+') | (b'_', b'/')) => {
                return self.take(1, Some("base64url"));
            }
            Form::Reversed => return first == wanted && self.take(1, None),
            _ => {}
        }
        // A line may be broken where a blank was.
        let blank = rest.iter().take(GAP).take_while(|b| b.is_ascii_whitespace()).count();
        if wanted == b' ' && rest[..blank].contains(&b'\n') {
            return self.take(blank, Some("split"));
        }
        let special = !wanted.is_ascii_alphanumeric();
        if special && let Some((length, name)) = escaped(rest, wanted) {
            return self.take(length, Some(name));
        }
        if first == wanted {
            return self.take(1, None);
        }
        percent(rest).is_some_and(|byte| byte == wanted) && self.take(3, Some("url"))
            || numbered(rest).is_some_and(|(byte, _)| byte == wanted) && {
                let length = numbered(rest).map_or(1, |(_, length)| length);
                self.take(length, Some("json"))
            }
    }

    /// Skips what may stand inside a value without being part of it.
    fn gap(&mut self, wanted: u8) {
        let rest = self.rest();
        let nul = rest.iter().take(3).take_while(|b| **b == 0).count();
        if nul > 0 && wanted != 0 {
            self.take(nul, Some("utf-16"));
            return;
        }
        if self.form == Form::Hex {
            let skip = [&b"\\x"[..], b"0x", b", 0x", b",0x", b":", b" "]
                .iter()
                .find(|s| rest.starts_with(s))
                .map_or(0, |s| s.len());
            self.at += skip;
            return;
        }
        if rest.first() == Some(&wanted) && wanted.is_ascii_alphanumeric() {
            return;
        }
        if wanted == b' ' && rest.first().is_some_and(u8::is_ascii_whitespace) {
            return;
        }
        let length = split(rest, wanted);
        if length > 0 {
            self.take(length, Some("split"));
        }
    }
}

fn percent(rest: &[u8]) -> Option<u8> {
    let hex = std::str::from_utf8(rest.strip_prefix(b"%")?.get(..2)?).ok()?;
    u8::from_str_radix(hex, 16).ok()
}

/// `\u0026`, `\x26`: the byte and the length.
fn numbered(rest: &[u8]) -> Option<(u8, usize)> {
    let digits = |from: usize, count: usize| {
        u8::from_str_radix(std::str::from_utf8(rest.get(from..from + count)?).ok()?, 16)
            .ok()
            .map(|byte| (byte, from + count))
    };
    if rest.starts_with(b"\\u00") || rest.starts_with(b"\\U00") {
        digits(4, 2)
    } else if rest.starts_with(b"\\x") {
        digits(2, 2)
    } else {
        None
    }
}

/// A special in one of its spellings: the length and the encoding's name.
fn escaped(rest: &[u8], wanted: u8) -> Option<(usize, &'static str)> {
    if percent(rest) == Some(wanted) {
        return Some((3, "url"));
    }
    if rest.starts_with(b"%25") && percent(&[b"%", rest.get(3..5)?].concat()) == Some(wanted) {
        return Some((5, "url"));
    }
    if let Some((_, length)) = numbered(rest).filter(|(byte, _)| *byte == wanted) {
        return Some((length, "json"));
    }
    let entities: &[(u8, &[u8])] =
        &[(b'&', b"&amp;"), (b'<', b"&lt;"), (b'>', b"&gt;"), (b'"', b"&quot;"), (b'\'', b"&apos;"), (b' ', b"&nbsp;")];
    if let Some((_, name)) = entities.iter().find(|(byte, name)| *byte == wanted && rest.starts_with(name)) {
        return Some((name.len(), "html"));
    }
    if let Some(entity) = numeric_entity(rest, wanted) {
        return Some((entity, "html"));
    }
    if wanted == b'\'' {
        let shell: &[&[u8]] = &[b"'\\''", b"'\"'\"'"];
        if let Some(found) = shell.iter().find(|form| rest.starts_with(form)) {
            return Some((found.len(), "shell"));
        }
    }
    if wanted == b'"' && rest.starts_with(b"\"\"") {
        return Some((2, "csv"));
    }
    if wanted == b' ' && rest.starts_with(b"+") {
        return Some((1, "url"));
    }
    let slashes = rest.iter().take(4).take_while(|b| **b == b'\\').count();
    if slashes > 0 && wanted != b'\\' && rest.get(slashes) == Some(&wanted) {
        return Some((slashes + 1, if wanted == b'"' { "json" } else { "shell" }));
    }
    if wanted == b'\\' && slashes > 1 {
        return Some((2, "json"));
    }
    quoted_otherwise(rest, wanted).map(|length| (length, "quotes"))
}

fn numeric_entity(rest: &[u8], wanted: u8) -> Option<usize> {
    let inner = rest.strip_prefix(b"&#")?;
    let length = inner.iter().take(6).position(|b| *b == b';')?;
    let text = std::str::from_utf8(&inner[..length]).ok()?;
    let number = match text.strip_prefix(['x', 'X']) {
        Some(hex) => u8::from_str_radix(hex, 16).ok()?,
        None => text.parse().ok()?,
    };
    (number == wanted).then_some(length + 3)
}

/// Another quote where a quote is wanted: editors and chat programs curl them, people swap them to fit their own.
fn quoted_otherwise(rest: &[u8], wanted: u8) -> Option<usize> {
    if !matches!(wanted, b'"' | b'\'' | b'`') {
        return None;
    }
    let curled = rest.len() > 2 && rest[0] == 0xe2 && rest[1] == 0x80 && matches!(rest[2], 0x98..=0x9f);
    match rest.first()? {
        b'"' | b'\'' | b'`' if rest[0] != wanted => Some(1),
        0xe2 if curled => Some(3),
        _ => None,
    }
}

/// Length of a break in front of `wanted`: a line end with what continues it, mark-up, characters without width.
fn split(rest: &[u8], wanted: u8) -> usize {
    let mut at = 0;
    let (mut line, mut blank) = (false, false);
    while at < GAP {
        let here = &rest[at.min(rest.len())..];
        let Some(first) = here.first() else { return 0 };
        // The sign of a quotation or a list has a blank or another one behind it.
        let sign = line && matches!(wanted, b'>' | b'#' | b'*' | b'|' | b'+');
        if *first == wanted && !(sign && here.get(1).is_some_and(|next| *next == b' ' || *next == wanted)) {
            break;
        }
        let marks: &[&[u8]] = &[
            b"\xe2\x80\x8b",
            b"\xe2\x80\x8c",
            b"\xe2\x80\x8d",
            b"\xe2\x81\xa0",
            b"\xef\xbb\xbf",
            b"\xc2\xad",
            b"**",
            b"__",
            b"~~",
            b"*",
            b"~",
            b"`",
            b"\\u200b",
        ];
        let breaks: &[&[u8]] =
            &[b"\r\n", b"\n", b"\\r\\n", b"\\n", b"\\\n", b"=\n", b"=\r\n", b"<br>", b"<br/>", b"<br />", b"\\u000a"];
        if let Some(found) = breaks.iter().find(|b| here.starts_with(b)) {
            line = true;
            at += found.len();
        } else if let Some(found) = marks.iter().find(|m| here.starts_with(m)) {
            at += found.len();
        } else if let Some(tag) = tag(here) {
            at += tag;
        } else if matches!(first, b' ' | b'\t')
            || line && matches!(first, b'>' | b'|' | b'#' | b'+' | b'"' | b'\'')
            || matches!(first, b'"' | b'\'' | b'+' | b'\\')
        {
            blank = true;
            at += 1;
        } else {
            return 0;
        }
    }
    // Blanks and quotes alone are other words, not a break.
    if at < GAP && (line || !blank) { at } else { 0 }
}

/// Length of an HTML tag: `<b>`, `</span>`, `<wbr>`.
fn tag(here: &[u8]) -> Option<usize> {
    let inner = here.strip_prefix(b"<")?;
    let end = inner.iter().take(40).position(|b| *b == b'>')?;
    inner[..end].first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'/').then_some(end + 2)
}
