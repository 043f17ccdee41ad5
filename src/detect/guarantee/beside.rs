//! Where the keyword stands in a match, and what must stand before and behind it.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::{Bytes, bytes, first_of, flatten};

/// A pattern as [`lead`] and [`Beside`] read it: in lower case, without groups, neighbouring letters as one word.
pub(in crate::detect) struct Folded(Hir);

impl Folded {
    pub(in crate::detect) fn of(hir: &Hir) -> Self {
        Self(folded(hir))
    }

    fn parts(&self) -> Vec<&Hir> {
        let mut parts = Vec::new();
        flatten(&self.0, &mut parts);
        parts
    }
}

fn folded(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => hir.clone(),
        HirKind::Literal(literal) => Hir::literal(literal.0.to_ascii_lowercase()),
        HirKind::Class(class) => {
            let set = bytes(class);
            let mut members = set.iter().flat_map(|set| (0..=255u8).filter(|byte| set[usize::from(*byte)]));
            let first = members.next().map(|byte| byte.to_ascii_lowercase());
            match first.filter(|first| members.all(|byte| byte.eq_ignore_ascii_case(first))) {
                Some(letter) => Hir::literal([letter]),
                None => hir.clone(),
            }
        }
        HirKind::Repetition(repetition) => {
            Hir::repetition(Repetition { sub: Box::new(folded(&repetition.sub)), ..repetition.clone() })
        }
        HirKind::Capture(capture) => folded(&capture.sub),
        HirKind::Concat(all) => Hir::concat(all.iter().map(folded).collect()),
        HirKind::Alternation(all) => Hir::alternation(all.iter().map(folded).collect()),
    }
}

/// The longest distance from the start of a match to a keyword (lower case) that every match holds there; `None` when
/// none of the keywords can be placed or the distance has no useful limit.
pub(in crate::detect) fn lead(pattern: &Folded, keywords: &[&[u8]]) -> Option<usize> {
    let parts = pattern.parts();
    let placed = placed(&parts, keywords)?;
    let lengths = parts[..placed].iter().map(|part| part.properties().maximum_len());
    lengths.sum::<Option<usize>>().filter(|lead| *lead <= FARTHEST)
}

/// Whether a match holds one of the keywords, as far as the pattern's own words tell.
pub(in crate::detect) fn holds(pattern: &Folded, keywords: &[&[u8]]) -> bool {
    let parts = pattern.parts();
    placed(&parts, keywords).is_some() || keywords.iter().any(|keyword| written(&pattern.0, keyword))
}

/// Whether a word is written out in some part of a pattern.
fn written(hir: &Hir, word: &[u8]) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => memchr::memmem::find(&literal.0, word).is_some(),
        HirKind::Repetition(repetition) => written(&repetition.sub, word),
        HirKind::Capture(capture) => written(&capture.sub, word),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().any(|one| written(one, word)),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => false,
    }
}

/// The first part of a pattern that begins with a keyword, whatever it matches.
fn placed(parts: &[&Hir], keywords: &[&[u8]]) -> Option<usize> {
    // Most parts begin with other bytes than any keyword, which is told more quickly than by their literals.
    let begins = |part: &Hir| {
        let mut first = [false; 256];
        let empty = first_of(part, &mut first);
        empty
            || keywords
                .iter()
                .filter_map(|word| word.first())
                .any(|byte| first[usize::from(*byte)] || first[usize::from(byte.to_ascii_uppercase())])
    };
    (0..parts.len().min(24)).filter(|n| begins(parts[*n])).find(|n| {
        let prefixes = literals(&parts[*n..]);
        let is = |literal: &Vec<u8>| keywords.iter().any(|keyword| literal.starts_with(keyword));
        prefixes.is_some_and(|(literals, _)| !literals.is_empty() && literals.iter().all(is))
    })
}

/// What some parts can begin with, and whether that is all that they match.
fn literals(parts: &[&Hir]) -> Option<(Vec<Vec<u8>>, bool)> {
    let together = Hir::concat(parts.iter().take(8).map(|part| (*part).clone()).collect());
    let mut extractor = regex_syntax::hir::literal::Extractor::new();
    extractor.limit_class(16).limit_literal_len(64).limit_total(128);
    let prefixes = extractor.extract(&together);
    let literals = prefixes.literals()?;
    let whole = prefixes.is_exact() && parts.len() <= 8;
    Some((literals.iter().map(|one| one.as_bytes().to_ascii_lowercase()).collect(), whole))
}

/// A keyword that may stand farther inside a match is no good place to start from.
const FARTHEST: usize = 256;

/// What every match holds beside its keyword: on the way from it, only bytes of `through`, at most so many, then one of `to`.
#[derive(Clone)]
struct Side {
    through: Box<Bytes>,
    most: usize,
    to: Box<Bytes>,
}

impl Side {
    /// Whether the bytes beside a keyword, in the order of their distance from it, allow for a match.
    fn allows<'a>(&self, beside: impl Iterator<Item = &'a u8>) -> bool {
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
            (b'a'..=b'z').for_each(|byte| shown[usize::from(byte.to_ascii_uppercase())] |= shown[usize::from(byte)]);
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

/// What every match holds before and behind its keyword, where that can be told.
#[derive(Default)]
pub(in crate::detect) struct Beside {
    before: Option<Side>,
    behind: Option<Side>,
    /// One of these stands somewhere behind it.
    words: Option<AhoCorasick>,
}

impl Beside {
    /// Reads a pattern; `keywords` are in lower case.
    pub(in crate::detect) fn of(pattern: &Folded, keywords: &[&[u8]]) -> Self {
        let parts = pattern.parts();
        let Some(at) = placed(&parts, keywords) else { return Self::default() };
        let before = Side::of(parts[..at].iter().rev().copied(), last_of);
        // Where the keyword ends: behind the parts that match one of the keywords and nothing else.
        let whole = |end: &usize| {
            literals(&parts[at..*end])
                .is_some_and(|(all, exact)| exact && all.iter().all(|one| keywords.contains(&one.as_slice())))
        };
        let Some(end) = (at + 1..=parts.len().min(at + 24)).find(whole) else {
            return Self { before, ..Self::default() };
        };
        let behind = Side::of(parts[end..].iter().copied(), first_of);
        Self { before, behind, words: words(&parts[end..]) }
    }

    /// Whether a match around a keyword is possible at all.
    pub(in crate::detect) fn allows(&self, window: &[u8], keyword: &Range<usize>) -> bool {
        let behind = &window[keyword.end..];
        self.before.as_ref().is_none_or(|side| side.allows(window[..keyword.start].iter().rev()))
            && self.behind.as_ref().is_none_or(|side| side.allows(behind.iter()))
            && self.words.as_ref().is_none_or(|words| words.is_match(behind))
    }
}

/// The most telling of the parts that show one of a few words: the one whose shortest word is the longest.
fn words(parts: &[&Hir]) -> Option<AhoCorasick> {
    let told = parts.iter().filter_map(|part| {
        let (mut words, _) = literals(&[part])?;
        words.sort_unstable();
        words.dedup();
        let shortest = words.iter().map(Vec::len).min().filter(|shortest| *shortest > 1)?;
        (words.len() <= FEW).then_some((shortest, words))
    });
    let (_, words) = told.max_by_key(|(shortest, _)| *shortest)?;
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
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

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    #[test]
    fn keywords_are_placed_in_the_pattern() {
        let lead = |pattern: &str, words: &[&[u8]]| lead(&Folded::of(&parse(pattern)), words);
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
            let at = text.find(word).expect("the keyword is there");
            Beside::of(&Folded::of(&parse(pattern)), &[word.as_bytes()]).allows(text.as_bytes(), &(at..at + word.len()))
        };
        let url = r"\b[a-z]{2,9}://(?P<user>[^\s:/@]{0,80}):([^\s/@]{1,99})@[a-z]+";
        assert!(allowed(url, "://", "see http://a:b@host"));
        assert!(allowed(url, "://", "see http://a:b"), "the first thing looked for is the colon");
        assert!(!allowed(url, "://", "see http://host/a:b@c") && !allowed(url, "://", "see http://host"));
        let named = r"(?i)\[[a-z]{2,8}\]\n(?:user=[a-z]{1,9}\n){0,4}\s{0,3}password\s{0,3}=\s{0,2}[a-z]+";
        assert!(allowed(named, "password", "[x]\n password = a"));
        assert!(!allowed(named, "password", "a password = a") && !allowed(named, "password", "]\npassword: a"));
        assert!(!allowed(named, "password", "]\npassword    = a"), "more blanks than the pattern allows");
        let command = r"\btool\b[^\n]{0,99}?\s(?:-P|--secret)[ =]x";
        assert!(allowed(command, "tool", "tool a b --secret x") && allowed(command, "tool", "tool\n -P x"));
        assert!(!allowed(command, "tool", "tool a b --silent x"), "no option of the pattern");
        assert!(allowed("ab|cd", "ab", "ab"), "a keyword that not every match has tells nothing");
    }
}
