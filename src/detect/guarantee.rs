//! What every match of a pattern must hold, read off its syntax tree: a run of some length from one set of bytes, a start,
//! and what stands on both sides of the keyword. A window without them needs no regular expression.

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

/// The longest distance from the start of a match to a keyword (lower case) that every match holds there; `None` when
/// none of the keywords can be placed or the distance has no useful limit.
pub(super) fn lead(hir: &Hir, keywords: &[&[u8]]) -> Option<usize> {
    let mut parts: Vec<&Hir> = Vec::new();
    flatten(hir, &mut parts);
    let placed = placed(&parts, keywords)?;
    let lengths = parts[..placed].iter().map(|part| part.properties().maximum_len());
    lengths.sum::<Option<usize>>().filter(|lead| *lead <= FARTHEST)
}

/// The first part of a pattern that begins with a keyword, whatever it matches.
fn placed(parts: &[&Hir], keywords: &[&[u8]]) -> Option<usize> {
    (0..parts.len().min(24)).find(|n| {
        let prefixes = literals(&parts[*n..]);
        let is = |literal: &Vec<u8>| keywords.iter().any(|keyword| literal.starts_with(keyword));
        prefixes.is_some_and(|(literals, _)| !literals.is_empty() && literals.iter().all(is))
    })
}

/// What some parts can begin with, in lower case, and whether that is all that they match.
fn literals(parts: &[&Hir]) -> Option<(Vec<Vec<u8>>, bool)> {
    let together = Hir::concat(parts.iter().map(|part| (*part).clone()).collect());
    let mut extractor = regex_syntax::hir::literal::Extractor::new();
    extractor.limit_class(16).limit_literal_len(64).limit_total(512);
    let prefixes = extractor.extract(&together);
    let literals = prefixes.literals()?;
    Some((literals.iter().map(|one| one.as_bytes().to_ascii_lowercase()).collect(), prefixes.is_exact()))
}

/// What every match holds beside its keyword: on the way from it, only bytes of `through`, at most so many, then one of `to`.
#[derive(Clone)]
pub(super) struct Side {
    through: Box<Bytes>,
    most: usize,
    to: Box<Bytes>,
}

impl Side {
    /// Whether the bytes beside a keyword, in the order of their distance from it, allow for a match.
    pub(super) fn allows<'a>(&self, beside: impl Iterator<Item = &'a u8>) -> bool {
        for byte in beside.take(self.most.saturating_add(1)) {
            if self.to[usize::from(*byte)] {
                return true;
            }
            if !self.through[usize::from(*byte)] {
                return false;
            }
        }
        false
    }

    /// Reads the parts that follow a keyword in some direction; `edge` says what a part can show first from there.
    fn of<'a>(parts: impl Iterator<Item = &'a Hir>, edge: fn(&Hir, &mut Bytes) -> bool) -> Option<Self> {
        let mut side = Self { through: Box::new([false; 256]), most: 0, to: Box::new([false; 256]) };
        for part in parts {
            let mut shown = Box::new([false; 256]);
            let empty = edge(part, &mut shown);
            match part.kind() {
                HirKind::Empty | HirKind::Look(_) => {}
                HirKind::Repetition(repetition) if single(&repetition.sub) && (empty || count(&shown) > FEW) => {
                    add(&mut side.through, &shown);
                    side.most = side.most.saturating_add(repetition.max.map_or(usize::MAX, |most| most as usize));
                }
                HirKind::Class(_) if count(&shown) > FEW => {
                    add(&mut side.through, &shown);
                    side.most = side.most.saturating_add(1);
                }
                _ => {
                    add(&mut side.to, &shown);
                    if !empty {
                        return (count(&side.to) <= TELLING).then_some(side);
                    }
                }
            }
        }
        None
    }
}

/// Sets of more bytes than this are passed through rather than looked for.
const FEW: usize = 8;
/// Looking for more bytes than this turns too little away.
const TELLING: usize = 64;

fn count(set: &Bytes) -> usize {
    set.iter().filter(|member| **member).count()
}

fn add(all: &mut Bytes, some: &Bytes) {
    all.iter_mut().zip(some).for_each(|(all, one)| *all |= *one);
}

/// Whether a part matches exactly one byte.
fn single(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(_) => true,
        HirKind::Literal(literal) => literal.0.len() == 1,
        HirKind::Capture(capture) => single(&capture.sub),
        _ => false,
    }
}

/// What must stand before and behind the keyword of a match, where that can be told.
pub(super) fn sides(hir: &Hir, keywords: &[&[u8]]) -> [Option<Side>; 2] {
    let mut parts: Vec<&Hir> = Vec::new();
    flatten(hir, &mut parts);
    let Some(at) = placed(&parts, keywords) else { return [None, None] };
    let before = Side::of(parts[..at].iter().rev().copied(), last_of);
    // Where the keyword ends: behind the parts that match one of the keywords and nothing else.
    let whole = |end: &usize| {
        literals(&parts[at..*end])
            .is_some_and(|(all, exact)| exact && all.iter().all(|one| keywords.contains(&one.as_slice())))
    };
    let end = (at + 1..=parts.len().min(at + 24)).find(whole);
    let behind = end.and_then(|end| Side::of(parts[end..].iter().copied(), first_of));
    [before, behind]
}

/// A keyword that may stand farther inside a match is no good place to start from.
const FARTHEST: usize = 256;

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

/// The same for what a part can end with.
fn last_of(hir: &Hir, set: &mut Bytes) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => {
            set[usize::from(literal.0[literal.0.len() - 1])] = true;
            false
        }
        HirKind::Repetition(repetition) => last_of(&repetition.sub, set) || repetition.min == 0,
        HirKind::Capture(capture) => last_of(&capture.sub, set),
        HirKind::Concat(all) => all.iter().rev().all(|one| last_of(one, set)),
        HirKind::Alternation(all) => all.iter().fold(false, |empty, one| last_of(one, set) | empty),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => first_of(hir, set),
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

    fn parse(pattern: &str) -> Hir {
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
    fn keywords_are_placed_in_the_pattern() {
        let lead = |pattern: &str, words: &[&[u8]]| lead(&parse(pattern), words);
        assert_eq!(lead(r"\b(ghp_[A-Za-z0-9]{36})", &[b"ghp_"]), Some(0));
        assert_eq!(lead(r"(?:^|[^A-Z])(EAAA[a-z]{6})", &[b"eaaa"]), Some(1));
        assert_eq!(lead(r"(?i)\b(?:foo|bar)=", &[b"foo", b"bar"]), Some(0));
        assert_eq!(lead(r"[a-z]{3,8}://x", &[b"://"]), Some(8));
        assert_eq!(lead(r"[a-z]+://x", &[b"://"]), None);
        assert_eq!(lead(r"[a-z]{9}", &[b"other"]), None);
    }

    #[test]
    fn the_sides_of_a_keyword_are_known() {
        let allowed = |pattern: &str, word: &str, text: &str| {
            let [before, behind] = sides(&parse(pattern), &[word.as_bytes()]);
            let at = text.find(word).expect("the keyword is there");
            let back = before.is_none_or(|side| side.allows(text.as_bytes()[..at].iter().rev()));
            back && behind.is_none_or(|side| side.allows(text.as_bytes()[at + word.len()..].iter()))
        };
        let url = r"\b[a-z]{2,9}://(?P<user>[^\s:/@]{0,80}):([^\s/@]{1,99})@[a-z]+";
        assert!(allowed(url, "://", "see http://a:b@host"));
        assert!(allowed(url, "://", "see http://a:b"), "the first thing looked for is the colon");
        assert!(!allowed(url, "://", "see http://host/a:b@c") && !allowed(url, "://", "see http://host"));
        let named = r"(?i)\[[a-z]{2,8}\]\n(?:user=[a-z]{1,9}\n){0,4}\s{0,3}password\s{0,3}=\s{0,2}[a-z]+";
        assert!(allowed(named, "password", "[x]\n password = a"));
        assert!(!allowed(named, "password", "a password = a") && !allowed(named, "password", "]\npassword: a"));
        assert!(!allowed(named, "password", "]\npassword    = a"), "more blanks than the pattern allows");
        assert!(sides(&parse("ab|cd"), &[b"ab"]).iter().all(Option::is_none), "a keyword that not every match has");
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
