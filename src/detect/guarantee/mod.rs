//! What every match of a pattern must hold, read off its syntax tree: a run of some length from one set of bytes, a start,
//! and what stands on both sides of the keyword. A window without them needs no regular expression.

mod beside;

pub(super) use beside::{Beside, Folded, holds, lead};

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

/// Runs that every match holds, the most telling one first.
pub(super) fn runs(hir: &Hir) -> Vec<Run> {
    let mut parts = Vec::new();
    collect(hir, &mut parts, 0);
    let mut found = Vec::new();
    gather(&parts, &mut found);
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.truncate(MOST);
    found.into_iter().map(|(_, run)| run).collect()
}

/// Parts that are longer than this are cut: a run of 200 is as telling as one of 4000.
const LONGEST: usize = 200;
/// Shorter runs turn too little away.
const SHORTEST: usize = 3;
/// Less telling runs cost more than they save, in bits.
const LEAST: f32 = 14.0;
/// How many runs are looked for.
const MOST: usize = 3;

/// The best run, then the best ones before and behind it.
fn gather(parts: &[Part], found: &mut Vec<(f32, Run)>) {
    if let Some((telling, run, range)) = best(parts).filter(|best| best.0 >= LEAST) {
        found.push((telling, run));
        gather(&parts[..range.start], found);
        gather(&parts[range.end..], found);
    }
}

fn best(parts: &[Part]) -> Option<(f32, Run, std::ops::Range<usize>)> {
    let mut best: Option<(f32, Run, std::ops::Range<usize>)> = None;
    for from in 0..parts.len() {
        let (mut of, mut length) = (Box::new([false; 256]), 0);
        for (n, part) in parts[from..].iter().take(48).enumerate() {
            let Part::Of(set, least) = part else { break };
            of.iter_mut().zip(set.iter()).for_each(|(all, one)| *all |= *one);
            length = (length + least).min(LONGEST);
            let size = of.iter().filter(|member| **member).count().max(1);
            let telling = length as f32 * (8.0 - (size as f32).log2());
            if length >= SHORTEST && size < 160 && best.as_ref().is_none_or(|known| telling > known.0) {
                best = Some((telling, Run { of: of.clone(), length }, from..from + n + 1));
            }
        }
    }
    best
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
                    best(&inner).map(|best| best.1)
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

/// The bytes that a match can start with; `None` when it may be empty or start with anything.
pub(super) fn first(hir: &Hir) -> Option<Box<Bytes>> {
    let mut set = Box::new([false; 256]);
    (!first_of(hir, &mut set)).then_some(set)
}

/// Adds what a part can start with; true when the part may be empty.
fn first_of(hir: &Hir, set: &mut Bytes) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            set[usize::from(literal.0[0])] = true;
            false
        }
        HirKind::Class(class) => {
            match bytes(class) {
                Some(of) => set.iter_mut().zip(of.iter()).for_each(|(all, one)| *all |= *one),
                None => set.fill(true),
            }
            false
        }
        HirKind::Repetition(repetition) => first_of(&repetition.sub, set) || repetition.min == 0,
        HirKind::Capture(capture) => first_of(&capture.sub, set),
        HirKind::Concat(all) => all.iter().all(|one| first_of(one, set)),
        HirKind::Alternation(all) => all.iter().fold(false, |empty, one| first_of(one, set) | empty),
    }
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

    pub(super) fn parse(pattern: &str) -> Hir {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).expect("parses")
    }

    #[test]
    fn runs_are_read_off_the_pattern() {
        let length = |pattern: &str| runs(&parse(pattern)).first().map(|run| run.length);
        assert_eq!(length(r"\b(ghp_[A-Za-z0-9]{36})\b"), Some(40));
        assert_eq!(length(r"[0-9a-f]{8}-[0-9a-f]{4}"), Some(13));
        assert_eq!(length(r"(?:[a-f0-9]{32}|[A-Z]{20,40})x?"), Some(20));
        assert_eq!(length(r"[a-z]{0,9}="), None);
        assert_eq!(length(r"(?:abc){3}"), Some(9));
    }

    #[test]
    fn a_run_is_found_at_any_place() {
        let run = runs(&parse("[0-9]{6}")).pop().expect("a run");
        for text in ["123456", "x123456", "12345x123456y", "1x1234567"] {
            assert!(run.within(text.as_bytes()), "{text}");
        }
        for text in ["", "12345", "12345x12345", "1 2 3 4 5 6"] {
            assert!(!run.within(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn first_bytes_are_known() {
        let first = |pattern: &str| -> Option<String> {
            let set = first(&parse(pattern))?;
            Some((0..=255u8).filter(|byte| set[usize::from(*byte)]).map(char::from).collect())
        };
        assert_eq!(first(r"\b(?:ab|[x-z])c").as_deref(), Some("axyz"));
        assert_eq!(first(r"a?b").as_deref(), Some("ab"));
        assert_eq!(first(r"a?"), None);
    }
}
