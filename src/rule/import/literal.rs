//! The fixed text of a pattern: words of which at least one stands in every match. The detector looks for those first.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A word shorter than this stands everywhere.
const SHORTEST: usize = 3;

/// More words than this say nothing about a text.
const MOST: usize = 64;

/// What is known of a part of a pattern.
struct Part {
    /// Its only text, in lower case, if it has only one.
    exact: Option<Vec<u8>>,
    /// Words of which every match of the part holds one.
    words: Option<Vec<Vec<u8>>>,
}

/// Words in lower case of which at least one stands in every match; empty when the pattern has none.
pub(super) fn words(hir: &Hir) -> Vec<String> {
    let words = part(hir).best().unwrap_or_default();
    words.into_iter().filter_map(|word| String::from_utf8(word).ok()).collect()
}

impl Part {
    fn unknown() -> Self {
        Self { exact: None, words: None }
    }

    fn best(self) -> Option<Vec<Vec<u8>>> {
        let exact = self.exact.filter(|text| text.len() >= SHORTEST && text.is_ascii()).map(|text| vec![text]);
        better(exact, self.words)
    }
}

/// Of two sets of words the one whose shortest word is longer.
fn better(a: Option<Vec<Vec<u8>>>, b: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    let shortest = |words: &Vec<Vec<u8>>| words.iter().map(Vec::len).min().unwrap_or(0);
    match (a, b) {
        (Some(a), Some(b)) => Some(if shortest(&a) >= shortest(&b) { a } else { b }),
        (a, b) => a.or(b),
    }
}

fn part(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part { exact: Some(Vec::new()), words: None },
        HirKind::Literal(literal) => Part { exact: Some(literal.0.to_ascii_lowercase()), words: None },
        HirKind::Class(class) => Part { exact: only_letter(class).map(|byte| vec![byte]), words: None },
        HirKind::Capture(capture) => part(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min == 0 => Part::unknown(),
        HirKind::Repetition(repetition) => {
            let inner = part(&repetition.sub);
            let again = repetition.min as usize;
            let exact =
                inner.exact.as_ref().filter(|text| repetition.max == Some(repetition.min) && text.len() * again < 200);
            match exact.map(|text| text.repeat(again)) {
                Some(exact) => Part { exact: Some(exact), words: None },
                None => Part { exact: None, words: inner.best() },
            }
        }
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(parts) => {
            let all: Option<Vec<_>> = parts.iter().map(|one| part(one).best()).collect();
            let mut words: Vec<Vec<u8>> = all.map(|all| all.concat()).unwrap_or_default();
            words.sort();
            words.dedup();
            Part { exact: None, words: Some(words).filter(|words| !words.is_empty() && words.len() <= MOST) }
        }
    }
}

fn concat(parts: &[Hir]) -> Part {
    let (mut run, mut best, mut whole) = (Vec::new(), None, true);
    for one in parts {
        let inner = part(one);
        if let Some(text) = &inner.exact {
            run.extend_from_slice(text);
            continue;
        }
        whole = false;
        let ended = Part { exact: Some(std::mem::take(&mut run)), words: inner.words };
        best = better(best, ended.best());
    }
    if whole {
        return Part { exact: Some(run), words: None };
    }
    Part { exact: None, words: better(best, Part { exact: Some(run), words: None }.best()) }
}

/// The letter of a class that is one letter in both cases.
fn only_letter(class: &Class) -> Option<u8> {
    let mut bytes: Vec<u8> = match class {
        Class::Bytes(class) => class.ranges().iter().flat_map(|range| range.start()..=range.end()).take(3).collect(),
        Class::Unicode(class) => {
            let all = class.ranges().iter().flat_map(|range| range.start()..=range.end()).take(3);
            // The Kelvin sign and the long s are letters in other cases, too; they stand in no token.
            all.filter(char::is_ascii).map(|c| c as u8).collect()
        }
    };
    bytes.iter_mut().for_each(|byte| *byte = byte.to_ascii_lowercase());
    bytes.dedup();
    match bytes[..] {
        [only] => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    fn words(pattern: &str) -> Vec<String> {
        let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        super::words(&parser.parse(pattern).expect("a good pattern"))
    }

    #[test]
    fn fixed_text_is_found_through_cases_groups_and_choices() {
        assert_eq!(words(r"\bghp_[A-Za-z0-9]{36}\b"), ["ghp_"]);
        assert_eq!(words(r"(?i)[\w.-]{0,50}?(?:adobe)(?:[ \t]{0,3}=)([a-f0-9]{32})"), ["adobe"]);
        assert_eq!(words(r"(sk|rk)_(live|test)_[0-9a-z]{10}"), ["live", "test"]);
        assert_eq!(words(r"(?:xoxb-|xoxp-)[0-9]+"), ["xoxb-", "xoxp-"]);
        assert!(words(r"[a-f0-9]{32}").is_empty());
        assert!(words(r"(abc)?[0-9]").is_empty());
        assert!(words(r"abcd|[0-9]{9}").is_empty());
    }
}
