//! Needles: exact values read from stores, searched in every encoding that people paste. A needle finds what no rule can,
//! with no false positives.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

use super::Match;
use crate::secret::SecretValue;

/// Shorter values occur by chance.
const SHORTEST: usize = 6;

/// Values that half the world uses: a hit would say nothing.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "changeme",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "qwerty",
    "secret",
    "localhost",
    "default",
    "example",
    "postgres",
];

/// An exact value to look for.
#[derive(Clone, Debug)]
pub struct Needle {
    /// Where it comes from: `bao:secret/shop/db#password`, never the value.
    pub label: String,
    /// The value.
    pub value: SecretValue,
}

/// A needle that is not searched for, and why; a gap in what the run can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Label of the needle.
    pub label: String,
    /// Why, as part of a sentence.
    pub why: &'static str,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.label, self.why)
    }
}

/// Every needle in every encoding, ready to search.
pub(super) struct Needles {
    automaton: Option<AhoCorasick>,
    /// For each pattern of the automaton: needle and encoding.
    forms: Vec<(usize, &'static str)>,
    needles: Vec<(Arc<str>, SecretValue)>,
    pub(super) refused: Vec<Refused>,
}

impl Needles {
    pub(super) fn new(all: Vec<Needle>) -> Self {
        let mut kept: Vec<(Arc<str>, SecretValue)> = Vec::new();
        let mut refused = Vec::new();
        for needle in all {
            match refusal(needle.value.expose()) {
                Some(why) => refused.push(Refused { label: needle.label, why }),
                None => kept.push((format!("needle:{}", needle.label).into(), needle.value)),
            }
        }
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut forms = Vec::new();
        for (at, (_, value)) in kept.iter().enumerate() {
            for (encoding, bytes) in encodings(value.expose()) {
                patterns.push(bytes);
                forms.push((at, encoding));
            }
        }
        let automaton = (!patterns.is_empty()).then(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .build(&patterns)
                .expect("because the needles of one case fit in memory")
        });
        patterns.iter_mut().for_each(zeroize::Zeroize::zeroize);
        Self { automaton, forms, needles: kept, refused }
    }

    /// Whether there is anything to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// Finds every needle; of overlapping forms of one needle the longest counts.
    pub(super) fn search(&self, bytes: &[u8], out: &mut Vec<Match>) {
        let Some(automaton) = &self.automaton else { return };
        let first = out.len();
        for found in automaton.find_overlapping_iter(bytes) {
            let (needle, encoding) = self.forms[found.pattern().as_usize()];
            let (rule, value) = &self.needles[needle];
            let covered =
                |kept: &Match| kept.rule == *rule && kept.span.start <= found.start() && kept.span.end >= found.end();
            if out[first..].iter().any(covered) {
                continue;
            }
            out.push(Match {
                rule: Arc::clone(rule),
                kind: "password".into(),
                span: found.range(),
                secret: value.clone(),
                confidence: 0.99,
                parts: Vec::new(),
                encodings: if encoding == "raw" { Vec::new() } else { vec![encoding] },
                notes: vec!["exact-value"],
            });
        }
    }
}

/// Why a value is no use as a needle.
fn refusal(value: &[u8]) -> Option<&'static str> {
    let lower = String::from_utf8_lossy(value).to_lowercase();
    if value.len() < SHORTEST {
        Some("shorter than six characters, it would occur by chance")
    } else if COMMON.contains(&lower.as_str()) {
        Some("a value that half the world uses, a hit would say nothing")
    } else if value.iter().all(|byte| *byte == value[0]) {
        Some("one repeated character, it would occur by chance")
    } else if value.iter().all(u8::is_ascii_digit) && value.len() < 8 {
        Some("a short number, it would occur by chance")
    } else {
        None
    }
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
    forms
}

/// The characters of the encoding that depend on the value alone when `shift` bytes stand before it.
fn aligned(value: &[u8], shift: usize, encoding: &data_encoding::Encoding) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(value.iter().copied()).collect();
    let text = encoding.encode(&padded).into_bytes();
    let skip = [0, 2, 3][shift];
    let keep = padded.len() * 8 / 6;
    text[skip..keep.max(skip)].to_vec()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: &str, text: &[u8]) -> Vec<&'static str> {
        let needles = Needles::new(vec![Needle { label: "x".to_owned(), value: SecretValue::new(value) }]);
        let mut out = Vec::new();
        needles.search(text, &mut out);
        out.iter().map(|found| found.encodings.first().copied().unwrap_or("raw")).collect()
    }

    #[test]
    fn every_pasted_form_is_found_once() {
        let value = "Tr0ub4dor&3 \"x\" it's";
        let b64 = |text: String| BASE64.encode(text.as_bytes());
        let forms: Vec<(&str, Vec<u8>)> = vec![
            ("raw", format!("pw: {value}.").into_bytes()),
            ("base64", b64(format!("user:{value}")).into_bytes()),
            ("base64", b64(format!("u:{value}")).into_bytes()),
            ("base64", b64(format!("us:{value}")).into_bytes()),
            ("hex", HEXLOWER.encode(value.as_bytes()).into_bytes()),
            ("url", b"Tr0ub4dor%263%20%22x%22%20it%27s".to_vec()),
            ("json", br#"{"pw":"Tr0ub4dor&3 \"x\" it's"}"#.to_vec()),
            ("json", br#"Tr0ub4dor\u00263 \"x\" it\u0027s"#.to_vec()),
            ("html", b"Tr0ub4dor&amp;3 &quot;x&quot; it&#39;s".to_vec()),
            ("shell", br#"'Tr0ub4dor&3 "x" it'\''s'"#.to_vec()),
            ("csv", br#""Tr0ub4dor&3 ""x"" it's""#.to_vec()),
            ("utf-16", value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ];
        for (encoding, text) in forms {
            assert_eq!(found(value, &text), [encoding], "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn useless_needles_are_refused_with_the_reason() {
        let needle = |value: &str| Needle { label: "l".to_owned(), value: SecretValue::new(value) };
        let needles = Needles::new(vec![needle("abc"), needle("Password"), needle("aaaaaaaa"), needle("1234567")]);
        assert_eq!(needles.refused.len(), 4);
        assert!(needles.is_empty());
    }

    #[test]
    fn another_value_is_not_found() {
        assert!(found("Tr0ub4dor&3", b"Tr0ub4dor&4 Tr0ub4dor3").is_empty());
    }
}
