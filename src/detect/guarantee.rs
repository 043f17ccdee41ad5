//! What every match of a pattern must hold, read off its syntax tree: a run of some length from one set of bytes, and a
//! start. A window without such a run needs no regular expression.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A set of bytes.
pub(super) type Bytes = [bool; 256];

/// A run that every match holds.
#[derive(Clone)]
pub(super) struct Run {
    /// The bytes that it consists of.
    pub(super) of: Box<Bytes>,
    /// Least length.
    pub(super) length: usize,
}

impl Run {
    /// Whether a text holds the run. Looks at every `length`-th byte and goes back only from a member of the set.
    pub(super) fn within(&self, text: &[u8]) -> bool {
        let mut end = self.length;
        while end <= text.len() {
            match text[end - self.length..end].iter().rposition(|byte| !self.of[usize::from(*byte)]) {
                None => return true,
                Some(miss) => end += miss + 1,
            }
        }
        false
    }
}

/// One part of a pattern: at least `least` bytes of a set, or something that interrupts.
#[derive(Clone)]
enum Part {
    Of(Box<Bytes>, usize),
    Break,
}

/// The most telling run that every match holds, if there is one worth looking for.
pub(super) fn run(hir: &Hir) -> Option<Run> {
    let mut parts = Vec::new();
    collect(hir, &mut parts, 0);
    best(&parts)
}

/// Parts that are longer than this are cut: a run of 200 is as telling as one of 4000.
const LONGEST: usize = 200;
/// Shorter runs turn too little away.
const SHORTEST: usize = 5;

fn best(parts: &[Part]) -> Option<Run> {
    let mut best: Option<(f32, Run)> = None;
    for from in 0..parts.len() {
        let (mut of, mut length) = (Box::new([false; 256]), 0);
        for part in parts[from..].iter().take(48) {
            let Part::Of(set, least) = part else { break };
            of.iter_mut().zip(set.iter()).for_each(|(all, one)| *all |= *one);
            length = (length + least).min(LONGEST);
            let size = of.iter().filter(|member| **member).count().max(1);
            let telling = length as f32 * (8.0 - (size as f32).log2());
            if length >= SHORTEST && size < 160 && best.as_ref().is_none_or(|(known, _)| telling > *known) {
                best = Some((telling, Run { of: of.clone(), length }));
            }
        }
    }
    best.map(|(_, run)| run)
}

fn collect(hir: &Hir, parts: &mut Vec<Part>, depth: usize) {
    if depth > 40 || parts.len() > 400 {
        return parts.push(Part::Break);
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => parts.extend(literal.0.iter().take(LONGEST).map(|byte| {
            let mut set = Box::new([false; 256]);
            set[usize::from(*byte)] = true;
            Part::Of(set, 1)
        })),
        HirKind::Class(class) => parts.push(match bytes(class) {
            Some(set) => Part::Of(set, 1),
            None => Part::Break,
        }),
        HirKind::Capture(capture) => collect(&capture.sub, parts, depth + 1),
        HirKind::Concat(all) => all.iter().for_each(|one| collect(one, parts, depth + 1)),
        HirKind::Repetition(repetition) => {
            let least = repetition.min as usize;
            if least == 0 {
                return parts.push(Part::Break);
            }
            let mut inner = Vec::new();
            collect(&repetition.sub, &mut inner, depth + 1);
            if let [Part::Of(set, 1)] = inner.as_slice() {
                // More of the same set does not interrupt the run.
                parts.push(Part::Of(set.clone(), least.min(LONGEST)));
            } else {
                let times = if repetition.max == Some(repetition.min) { least.min(LONGEST) } else { 1 };
                (0..times).for_each(|_| parts.extend(inner.iter().cloned()));
                if times == 1 && repetition.max != Some(1) {
                    parts.push(Part::Break);
                }
            }
        }
        HirKind::Alternation(all) => {
            // What all branches share: the shortest of their runs, from any of their sets.
            let runs: Option<Vec<Run>> = all
                .iter()
                .map(|one| {
                    let mut inner = Vec::new();
                    collect(one, &mut inner, depth + 1);
                    best(&inner)
                })
                .collect();
            parts.push(Part::Break);
            if let Some(runs) = runs.filter(|runs| !runs.is_empty()) {
                let length = runs.iter().map(|run| run.length).min().expect("because there is a run");
                let mut set = Box::new([false; 256]);
                runs.iter().for_each(|run| set.iter_mut().zip(run.of.iter()).for_each(|(all, one)| *all |= *one));
                parts.push(Part::Of(set, length));
                parts.push(Part::Break);
            }
        }
    }
}

fn bytes(class: &Class) -> Option<Box<Bytes>> {
    let Class::Bytes(class) = class else {
        return None;
    };
    let mut set = Box::new([false; 256]);
    class
        .ranges()
        .iter()
        .for_each(|range| (range.start()..=range.end()).for_each(|byte| set[usize::from(byte)] = true));
    Some(set)
}

/// Whether every match starts with one of the keywords (lower case), at most one byte before it.
pub(super) fn starts_with(hir: &Hir, keywords: &[&[u8]]) -> bool {
    let mut at: Vec<&Hir> = Vec::new();
    flatten(hir, &mut at);
    let mut parts =
        at.into_iter().skip_while(|part| matches!(part.kind(), HirKind::Look(_) | HirKind::Empty)).peekable();
    // `(?:^|[^A-Za-z0-9])` in place of a word boundary
    if parts
        .peek()
        .is_some_and(|part| part.properties().maximum_len() == Some(1) && part.properties().minimum_len() == Some(0))
    {
        parts.next();
    }
    let rest = Hir::concat(parts.cloned().collect());
    let mut extractor = regex_syntax::hir::literal::Extractor::new();
    extractor.limit_class(16).limit_literal_len(64).limit_total(512);
    let prefixes = extractor.extract(&rest);
    let Some(literals) = prefixes.literals().filter(|literals| !literals.is_empty()) else { return false };
    literals.iter().all(|literal| {
        let literal = literal.as_bytes().to_ascii_lowercase();
        keywords.iter().any(|keyword| literal.starts_with(keyword))
    })
}

fn flatten<'a>(hir: &'a Hir, into: &mut Vec<&'a Hir>) {
    match hir.kind() {
        HirKind::Concat(all) => all.iter().for_each(|one| flatten(one, into)),
        HirKind::Capture(capture) => flatten(&capture.sub, into),
        _ => into.push(hir),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pattern: &str) -> Hir {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).expect("parses")
    }

    #[test]
    fn runs_are_read_off_the_pattern() {
        let length = |pattern: &str| run(&parse(pattern)).map(|run| run.length);
        assert_eq!(length(r"\b(ghp_[A-Za-z0-9]{36})\b"), Some(40));
        assert_eq!(length(r"[0-9a-f]{8}-[0-9a-f]{4}"), Some(13));
        assert_eq!(length(r"(?:[a-f0-9]{32}|[A-Z]{20,40})x?"), Some(20));
        assert_eq!(length(r"[a-z]{0,9}="), None);
        assert_eq!(length(r"(?:abc){3}"), Some(9));
    }

    #[test]
    fn a_run_is_found_at_any_place() {
        let run = run(&parse("[0-9]{6}")).expect("a run");
        for text in ["123456", "x123456", "12345x123456y", "1x1234567"] {
            assert!(run.within(text.as_bytes()), "{text}");
        }
        for text in ["", "12345", "12345x12345", "1 2 3 4 5 6"] {
            assert!(!run.within(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn starts_are_seen_through_boundaries() {
        let starts = |pattern: &str, words: &[&[u8]]| starts_with(&parse(pattern), words);
        assert!(starts(r"\b(ghp_[A-Za-z0-9]{36})", &[b"ghp_"]));
        assert!(starts(r"(?:^|[^A-Z])(EAAA[a-z]{6})", &[b"eaaa"]));
        assert!(starts(r"(?i)\b(?:foo|bar)=", &[b"foo", b"bar"]));
        assert!(starts(r"x?ghp_", &[b"ghp_"]) && !starts(r"[a-z]{3}ghp_", &[b"ghp_"]));
    }
}
