//! Needles with too few letters and digits for an anchor: every form is searched for as it is.

use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

use super::SHORTEST;
use super::form::aligned;

/// Needles that are looked for with a line end inside, too: that is a pattern for each place and kind of break.
const BROKEN: usize = 1000;
/// Longer values have letters.
const LONG: usize = 64;

/// The forms of such needles.
#[derive(Default)]
pub(super) struct Odd {
    automaton: Option<AhoCorasick>,
    /// For each pattern of the automaton: needle and encoding.
    forms: Vec<(usize, &'static str)>,
}

impl Odd {
    pub(super) fn new<'a>(needles: impl Iterator<Item = (usize, &'a [u8])>) -> Self {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut forms = Vec::new();
        for (number, (at, value)) in needles.enumerate() {
            let broken = if number < BROKEN { breaks(value) } else { Vec::new() };
            for (encoding, bytes) in encodings(value).into_iter().chain(broken) {
                patterns.push(bytes);
                forms.push((at, encoding));
            }
        }
        let automaton = (!patterns.is_empty()).then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .build(&patterns)
                .expect("because few needles have hardly a letter or digit")
        });
        patterns.iter_mut().for_each(zeroize::Zeroize::zeroize);
        Self { automaton, forms }
    }

    pub(super) fn search(&self, bytes: &[u8], visit: &mut impl FnMut(usize, std::ops::Range<usize>, &'static str)) {
        let Some(automaton) = &self.automaton else { return };
        for found in automaton.find_overlapping_iter(bytes) {
            let (needle, encoding) = self.forms[found.pattern().as_usize()];
            visit(needle, found.range(), encoding);
        }
    }
}

/// The value with a line end inside.
fn breaks(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let places = 1..value.len().min(LONG);
    let kinds = [&b"\n"[..], b"\r\n", b"\\n", b"\n> ", b"\\n> "];
    places.flat_map(|at| kinds.map(|line| ("split", [&value[..at], line, &value[at..]].concat()))).collect()
}

/// The value as people paste it: name of the encoding and its bytes; equal forms once.
fn encodings(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms: Vec<(&'static str, Vec<u8>)> = vec![("raw", value.to_vec())];
    let mut add = |name: &'static str, bytes: Vec<u8>| {
        if bytes.len() >= SHORTEST && forms.iter().all(|(_, known)| *known != bytes) {
            forms.push((name, bytes));
        }
    };
    for shift in 0..3 {
        add("base64", aligned(value, shift, &BASE64));
        add("base64url", aligned(value, shift, &BASE64URL));
    }
    add("hex", HEXLOWER.encode(value).into_bytes());
    add("hex", HEXUPPER.encode(value).into_bytes());
    add("url", escaped(value, |b| !b.is_ascii_alphanumeric() && !b"-_.~".contains(&b), |b| format!("%{b:02X}")));
    add("url", escaped(value, |b| !b.is_ascii_alphanumeric() && !b"-_.~".contains(&b), |b| format!("%{b:02x}")));
    add("url", escaped(value, |b| b"@:/?#[]%&=+ \"<>".contains(&b), |b| format!("%{b:02X}")));
    add("json", escaped(value, |b| b"\"\\".contains(&b), |b| format!("\\{}", char::from(b))));
    add("json", escaped(value, |b| b"\"\\/".contains(&b), |b| format!("\\{}", char::from(b))));
    add(
        "json",
        escaped(
            value,
            |b| b"\"\\<>&'".contains(&b),
            |b| if b"\"\\".contains(&b) { format!("\\{}", char::from(b)) } else { format!("\\u{b:04x}") },
        ),
    );
    let entity = |quote: &'static str| {
        move |b: u8| match b {
            b'&' => "&amp;".to_owned(),
            b'<' => "&lt;".to_owned(),
            b'>' => "&gt;".to_owned(),
            b'"' => "&quot;".to_owned(),
            _ => quote.to_owned(),
        }
    };
    add("html", escaped(value, |b| b"&<>".contains(&b), entity("")));
    add("html", escaped(value, |b| b"&<>\"".contains(&b), entity("")));
    add("html", escaped(value, |b| b"&<>\"'".contains(&b), entity("&#39;")));
    add("html", escaped(value, |b| b"&<>\"'".contains(&b), entity("&#x27;")));
    add("shell", escaped(value, |b| b == b'\'', |_| "'\\''".to_owned()));
    add(
        "shell",
        escaped(
            value,
            |b| !b.is_ascii_alphanumeric() && !b"-_./,:=@%+".contains(&b),
            |b| format!("\\{}", char::from(b)),
        ),
    );
    add("shell", escaped(value, |b| b"\"$`\\!".contains(&b), |b| format!("\\{}", char::from(b))));
    add("csv", escaped(value, |b| b == b'"', |_| "\"\"".to_owned()));
    add("utf-16", value.iter().flat_map(|b| [*b, 0]).collect());
    add("reversed", value.iter().rev().copied().collect());
    forms
}

fn escaped(value: &[u8], which: impl Fn(u8) -> bool, how: impl Fn(u8) -> String) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() * 2);
    for byte in value {
        if which(*byte) {
            out.extend_from_slice(how(*byte).as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}
