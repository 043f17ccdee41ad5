//! Needles: exact values read from stores, searched in every encoding that people paste. A needle finds what no rule can,
//! with no false positives.
//!
//! Six letters or digits in a row, an anchor, are looked up in a table for each needle and encoding ([`index`]); what stands
//! around an anchor that is known is then compared with the value, with all that escaping, quoting, splitting and mark-up may
//! have done to it ([`verify`]). So a million needles take about as long as a thousand, and under a hundred bytes each.

mod choose;
mod form;
mod index;
mod letters;
mod odd;
mod values;
mod verify;

use std::sync::Arc;

use self::index::Index;
use self::odd::Odd;
pub use self::values::Values;
use super::Match;
use crate::secret::SecretValue;

/// Shorter values occur by chance.
const SHORTEST: usize = 6;

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
    values: Values,
    index: Index,
    odd: Odd,
}

impl Needles {
    pub(super) fn new(values: Values) -> Self {
        let (index, odd) = Index::new(values.len(), |at| values.value(at));
        let odd = Odd::new(odd.into_iter().map(|at| (at, values.value(at))));
        Self { values, index, odd }
    }

    /// Whether there is anything to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn refused(&self) -> &[Refused] {
        self.values.refused()
    }

    /// Finds every needle; of overlapping forms of one needle the longest counts.
    pub(super) fn search(&self, bytes: &[u8], out: &mut Vec<Match>) {
        if self.is_empty() {
            return;
        }
        let mut found: Vec<(usize, std::ops::Range<usize>, &'static str)> = Vec::new();
        let mut add = |needle: usize, span: std::ops::Range<usize>, encoding: &'static str| {
            let near = found.iter_mut().rev().take(64);
            let mut same = near.filter(|(n, s, _)| *n == needle && s.start < span.end && span.start < s.end);
            match same.next() {
                Some(kept) if kept.1.len() < span.len() => (kept.1, kept.2) = (span, encoding),
                Some(_) => {}
                None => found.push((needle, span, encoding)),
            }
        };
        self.index.search(bytes, &mut |needle, form, anchor| {
            if let Some((span, encoding)) = verify::around(bytes, self.values.value(needle), form, anchor) {
                add(needle, span, encoding);
            }
        });
        self.odd.search(bytes, &mut add);
        out.extend(found.into_iter().map(|(needle, span, encoding)| Match {
            rule: format!("needle:{}", self.values.label(needle)).into(),
            kind: Arc::from("password"),
            span,
            secret: SecretValue::new(self.values.value(needle)),
            confidence: 0.99,
            parts: Vec::new(),
            encodings: if encoding == "raw" { Vec::new() } else { vec![encoding] },
            notes: vec!["exact-value"],
        }));
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64URL, HEXLOWER};

    use super::*;

    fn found(value: &str, text: &[u8]) -> Vec<&'static str> {
        let needles = Needles::new(vec![Needle { label: "x".to_owned(), value: SecretValue::new(value) }].into());
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
            ("utf-16", value.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            ("quotes", "Tr0ub4dor&3 \u{201c}x\u{201d} it\u{2019}s".as_bytes().to_vec()),
            ("quotes", b"Tr0ub4dor&3 'x' it\"s".to_vec()),
            ("split", b"> Tr0ub4\n> dor&3 \"x\" it's".to_vec()),
            ("split", b"Tr0ub4dor&3 \"x\"\r\n   it's".to_vec()),
            ("split", b"{\"text\":\"Tr0ub4\\ndor&3 \"x\" it's\"}".to_vec()),
            ("split", b"**Tr0ub4dor**&3 \"x\" it's".to_vec()),
            ("split", b"Tr0ub4dor<b>&3</b> \"x\" it's".to_vec()),
            ("split", "Tr0ub4\u{200b}dor&3 \"x\" it's".as_bytes().to_vec()),
            ("base64", BASE64URL.encode(format!("us:{value}>>>").as_bytes()).into_bytes()),
            ("reversed", value.bytes().rev().collect()),
            ("hex", b"54:72:30:75:62:34:64:6f:72:26:33:20:22:78:22:20:69:74:27:73".to_vec()),
        ];
        for (encoding, text) in forms {
            assert_eq!(found(value, &text), [encoding], "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn another_value_is_not_found() {
        assert!(found("Tr0ub4dor&3", b"Tr0ub4dor&4 Tr0ub4dor3").is_empty());
    }

    /// Values as password makers give them: letters stand alone between specials.
    #[test]
    fn a_value_of_many_specials_is_found_in_every_form() {
        let value = "x7#Kq!92mZ$pL&w<9'";
        let forms: Vec<(&str, Vec<u8>)> = vec![
            ("raw", format!("\"{value}\"").into_bytes()),
            ("url", b"?p=x7%23Kq%2192mZ%24pL%26w%3C9%27&x".to_vec()),
            ("url", b"?p=x7%23Kq!92mZ$pL%26w%3c9'&x".to_vec()),
            ("html", b"<td>x7#Kq!92mZ$pL&amp;w&lt;9&#39;</td>".to_vec()),
            ("html", b"<td>x7#Kq!92mZ$pL&amp;w&lt;9'</td>".to_vec()),
            ("json", br"x7#Kq!92mZ$pL\u0026w\u003c9\u0027".to_vec()),
            ("base64", BASE64.encode(format!("u:{value}").as_bytes()).into_bytes()),
            ("utf-16", value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ];
        for (encoding, text) in forms {
            assert_eq!(found(value, &text), [encoding], "{}", String::from_utf8_lossy(&text));
        }
    }

    /// Mark-up with letters of its own breaks one anchor; a long value has two.
    #[test]
    fn a_long_value_is_found_with_a_tag_in_it() {
        for text in ["k9vQw2Lm8xRt4<wbr>ZpY7", "k9<i>vQw2Lm8xRt4ZpY7</i>"] {
            assert_eq!(found("k9vQw2Lm8xRt4ZpY7", text.as_bytes()), ["split"], "{text}");
        }
    }

    /// The last sign of base64 tells values apart that differ in their last bits alone.
    #[test]
    fn base64_of_a_value_that_ends_otherwise_is_not_the_value() {
        for before in ["", "u", "us"] {
            let text = BASE64.encode(format!("{before}Summer2006!").as_bytes());
            assert_eq!(found("Summer2006!", text.as_bytes()), ["base64"]);
            assert!(found("Summer2006#", text.as_bytes()).is_empty());
            assert!(found("summer2006!", text.as_bytes()).is_empty());
        }
    }

    #[test]
    fn a_value_goes_on_behind_a_line_end_with_what_may_mark_a_quotation() {
        for (value, text) in [("Tr0ub4dor+x9", "Tr0ub4dor\n+x9"), ("Tr0ub4dor>x9", "> Tr0ub4dor\n> >x9")] {
            assert_eq!(found(value, text.as_bytes()), ["split"], "{text}");
        }
    }

    #[test]
    fn what_is_alike_is_not_the_value() {
        for text in ["tr0ub4dor&3", "Tr0ub4dor &3", "Tr0ub4 dor&3", "Tr0ub4dor%27", "Tr0ub4dor&amp;4", "Tr0ub4dor\n&4"]
        {
            assert!(found("Tr0ub4dor&3", text.as_bytes()).is_empty(), "{text}");
        }
    }

    #[test]
    fn values_with_hardly_a_letter_are_found_too() {
        assert_eq!(found("!$%&/()=", b"pw: !$%&/()= ."), ["raw"]);
        assert_eq!(found("a!b\"c$d", br#"{"p":"a!b\"c$d"}"#), ["json"]);
        assert_eq!(found("a!b:+c$d", b"> a!b:\n> +c$d"), ["split"]);
        assert_eq!(found("a!b:+c$d", b"d$c+:b!a"), ["reversed"]);
    }

    #[test]
    fn many_needles_with_the_same_start_are_found_one_by_one() {
        let needle =
            |n: usize| Needle { label: n.to_string(), value: SecretValue::new(format!("service-secret-{n:06}")) };
        let needles = Needles::new((0..2_000).map(needle).collect::<Vec<_>>().into());
        let text: String = (0..2_000).step_by(97).map(|n| format!("a service-secret-{n:06} b\n")).collect();
        let mut out = Vec::new();
        needles.search(text.as_bytes(), &mut out);
        let labels: Vec<String> = out.iter().map(|found| found.rule.to_string()).collect();
        let wanted: Vec<String> = (0..2_000).step_by(97).map(|n| format!("needle:{n}")).collect();
        assert_eq!(labels, wanted);
    }
}
