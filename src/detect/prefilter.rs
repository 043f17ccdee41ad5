//! Finds the few places in a document where a rule could match: its keywords. Everything exact happens in small windows
//! around them.
//!
//! Each keyword is known by its rarest four bytes. A first [`pass`] looks every position up in a table of such fours, many
//! at once; only where it says yes, keywords are compared: eight bytes in one step, then all of them. That is many times
//! faster than an automaton over thousands of keywords, and needs a table that mostly stays in the nearest cache.

mod pass;

use std::ops::Range;
use std::sync::OnceLock;

use pass::{BLOCK, Hits, Pass, Table};

/// A keyword in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Occurrence {
    /// Offset of its first byte.
    pub(super) at: u32,
    /// Number of the keyword.
    pub(super) keyword: u16,
}

/// A keyword and the routes that it leads to.
pub(super) struct Keyword {
    /// Lower case.
    pub(super) text: Box<[u8]>,
    /// Numbers of the routes: see [`Prefilter::new`].
    pub(super) routes: Vec<u16>,
    /// Bytes before and behind the keyword that some route looks at, once it is known.
    pub(super) widest: OnceLock<(usize, usize)>,
}

/// Looks for keywords.
pub(super) struct Prefilter {
    pub(super) keywords: Vec<Keyword>,
    /// Length of the longest keyword.
    pub(super) longest: usize,
    /// Which four bytes belong to a keyword.
    table: Box<Table>,
    /// Where the entries of each place of the table start; one more than there are places.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// Keywords of a single byte. Rule sets hardly have any; each is searched for itself.
    singles: Vec<(u8, u16)>,
    pass: Pass,
}

/// A keyword at one of its places in the table.
#[derive(Clone, Copy)]
struct Entry {
    /// Its first eight bytes with [`CASE`], and which of them it has.
    word: u64,
    mask: u64,
    keyword: u16,
    /// Bytes of the keyword before the four that it is known by.
    before: u16,
    length: u16,
}

/// The bit that tells small letters from capitals, in eight bytes. Other bytes may be confused by it; they are compared again.
const CASE: u64 = 0x2020_2020_2020_2020;

/// Longer keywords are known by their start: around each seam of a delta, twice the length of the longest is searched again.
const KNOWN: usize = 16;

/// What of a keyword is looked for, in lower case.
pub(super) fn known(keyword: &str) -> Vec<u8> {
    let mut known = keyword.to_ascii_lowercase().into_bytes();
    known.truncate(KNOWN);
    known
}

impl Prefilter {
    /// `routes` gives the keywords of each route (a rule); keywords are compared without case.
    pub(super) fn new<'a, K: AsRef<str> + 'a>(routes: impl Iterator<Item = &'a [K]>) -> Self {
        let mut keywords: Vec<Keyword> = Vec::new();
        let mut seen: std::collections::HashMap<Box<[u8]>, usize> = std::collections::HashMap::new();
        for (route, words) in routes.enumerate() {
            for word in words.iter().filter(|word| !word.as_ref().is_empty()) {
                let text: Box<[u8]> = known(word.as_ref()).into();
                let at = *seen.entry(text.clone()).or_insert_with(|| {
                    keywords.push(Keyword { text, routes: Vec::new(), widest: OnceLock::new() });
                    keywords.len() - 1
                });
                if keywords[at].routes.last() != Some(&(route as u16)) {
                    keywords[at].routes.push(route as u16);
                }
            }
        }
        assert!(keywords.len() < usize::from(u16::MAX), "because no rule set has sixty thousand keywords");
        let mut filter = Self {
            longest: keywords.iter().map(|keyword| keyword.text.len()).max().unwrap_or(0),
            keywords,
            table: Box::new([0; 1 << 15]),
            starts: Vec::new(),
            entries: Vec::new(),
            singles: Vec::new(),
            pass: Pass::best(),
        };
        filter.fill();
        filter
    }

    /// Enters every keyword in the table.
    fn fill(&mut self) {
        let mut placed: Vec<(usize, Entry)> = Vec::new();
        for (number, keyword) in self.keywords.iter().enumerate() {
            let text = &*keyword.text;
            let mut first = [0; 8];
            let known = text.len().min(8);
            first[..known].copy_from_slice(&text[..known]);
            let mask = u64::MAX.checked_shr(64 - 8 * known as u32).unwrap_or(0);
            let word = (u64::from_le_bytes(first) | CASE) & mask;
            let entry = |before: usize| Entry {
                word,
                mask,
                keyword: number as u16,
                before: before as u16,
                length: text.len() as u16,
            };
            match *text {
                [only] => self.singles.push((only, number as u16)),
                // Known by itself and any byte behind it.
                [a, b] => (0..32u8).for_each(|c| {
                    self.table[pass::place(a, b, c)] = u8::MAX;
                    placed.push((pass::place(a, b, c), entry(0)));
                }),
                [a, b, c] => {
                    self.table[pass::place(a, b, c)] = u8::MAX;
                    placed.push((pass::place(a, b, c), entry(0)));
                }
                _ => {
                    let fours = text.windows(4).enumerate();
                    let best = fours.max_by_key(|(_, four)| 2 * rarity(&four[..3]) + rarity(&four[1..]));
                    let (before, four) = best.expect("because a keyword has four bytes here");
                    let place = pass::place(four[0], four[1], four[2]);
                    self.table[place] |= pass::bit(four[3]);
                    placed.push((place, entry(before)));
                }
            }
        }
        placed.sort_by_key(|(place, entry)| (*place, entry.keyword));
        self.starts = vec![0; self.table.len() + 1];
        placed.iter().for_each(|(place, _)| self.starts[place + 1] += 1);
        for place in 0..self.table.len() {
            self.starts[place + 1] += self.starts[place];
        }
        self.entries = placed.into_iter().map(|(_, entry)| entry).collect();
    }

    /// Calls `visit` for every keyword that lies wholly in a range of the text; the order is that of the rarest parts.
    pub(super) fn occurrences(&self, bytes: &[u8], range: Range<usize>, visit: &mut impl FnMut(Occurrence)) {
        let mut hits = Hits::default();
        let mut at = range.start;
        // A keyword that ends in the range may be told by a byte behind it, if there is one.
        let last = range.end.min(bytes.len().saturating_sub(pass::BEHIND));
        while at < last {
            let count = BLOCK.min(last - at);
            if let Some(block) = bytes[at..].first_chunk() {
                self.pass.run(&self.table, block, count, &mut hits);
            } else {
                let mut block = [0; BLOCK + pass::BEHIND];
                let rest = &bytes[at..bytes.len().min(at + block.len())];
                block[..rest.len()].copy_from_slice(rest);
                self.pass.run(&self.table, &block, count, &mut hits);
            }
            for (n, hit) in hits.iter().enumerate().take(count.div_ceil(32)) {
                let mut hit = *hit;
                while hit != 0 {
                    let offset = n * 32 + hit.trailing_zeros() as usize;
                    hit &= hit - 1;
                    if offset < count {
                        let at = at + offset;
                        self.compare(bytes, &range, at, pass::place(bytes[at], bytes[at + 1], bytes[at + 2]), visit);
                    }
                }
            }
            at += count;
        }
        // The last positions of a text, with any bytes behind it.
        for at in last.max(range.start)..range.end.saturating_sub(1) {
            let third = bytes.get(at + 2).copied().unwrap_or(0);
            self.compare(bytes, &range, at, pass::place(bytes[at], bytes[at + 1], third), visit);
        }
        for (byte, keyword) in &self.singles {
            let places = memchr::memchr2_iter(*byte, byte.to_ascii_uppercase(), &bytes[range.clone()]);
            places.for_each(|at| visit(Occurrence { at: (range.start + at) as u32, keyword: *keyword }));
        }
    }

    /// Compares the keywords of a place of the table with the text at a position.
    #[inline]
    fn compare(&self, bytes: &[u8], range: &Range<usize>, at: usize, place: usize, visit: &mut impl FnMut(Occurrence)) {
        for entry in &self.entries[self.starts[place] as usize..self.starts[place + 1] as usize] {
            let (before, length) = (usize::from(entry.before), usize::from(entry.length));
            if at < range.start + before || at - before + length > range.end {
                continue;
            }
            let start = at - before;
            if let Some(first) = bytes[start..].first_chunk()
                && (u64::from_le_bytes(*first) | CASE) & entry.mask != entry.word
            {
                continue;
            }
            if bytes[start..start + length].eq_ignore_ascii_case(&self.keywords[usize::from(entry.keyword)].text) {
                visit(Occurrence { at: start as u32, keyword: entry.keyword });
            }
        }
    }

    /// Whether any keyword occurs.
    pub(super) fn any(&self, bytes: &[u8]) -> bool {
        // In pieces, so that a hit at the front ends the search early.
        let step = 64 << 10;
        (0..bytes.len()).step_by(step).any(|start| {
            let mut seen = false;
            let end = (start + step + self.longest).min(bytes.len());
            self.occurrences(bytes, start..end, &mut |_| seen = true);
            seen
        })
    }
}

/// How rare a triple is in code and prose, roughly: from triples of letters, and from how much the other bytes tell.
fn rarity(triple: &[u8]) -> u32 {
    let other = |byte: &u8| match byte {
        b' ' => 0,
        b'_' | b'-' | b'.' | b'=' | b'"' | b',' | b'\'' | b'/' | b'(' => 8,
        b'0'..=b'9' => 12,
        b'a'..=b'z' => 0,
        _ => 14,
    };
    60 - super::generic::commonness([triple[0], triple[1], triple[2]]) + triple.iter().map(other).sum::<u32>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slow(words: &[String], text: &[u8]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut unique: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
        unique.sort();
        unique.dedup();
        for word in unique.iter().filter(|word| !word.is_empty()) {
            for at in 0..text.len().saturating_sub(word.len() - 1) {
                if text[at..at + word.len()].eq_ignore_ascii_case(word.as_bytes()) {
                    found.push((at, word.clone()));
                }
            }
        }
        found.sort();
        found
    }

    fn fast(filter: &Prefilter, text: &[u8]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        filter.occurrences(text, 0..text.len(), &mut |one| {
            let word = &filter.keywords[usize::from(one.keyword)].text;
            found.push((one.at as usize, String::from_utf8_lossy(word).into_owned()));
        });
        found.sort();
        found
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            words in prop::collection::vec("[abAB_|0]{1,7}", 1..12),
            text in "[abAB_|0 ]{0,700}",
        ) {
            let filter = Prefilter::new(words.iter().map(std::slice::from_ref));
            prop_assert_eq!(fast(&filter, text.as_bytes()), slow(&words, text.as_bytes()));
            prop_assert_eq!(filter.any(text.as_bytes()), !slow(&words, text.as_bytes()).is_empty());
        }
    }

    #[test]
    fn ranges_hold_whole_keywords_only() {
        let filter = Prefilter::new([&["token"][..], &["ken"]].into_iter());
        let text = b"a token";
        let count = |range: Range<usize>| {
            let mut count = 0;
            filter.occurrences(text, range, &mut |_| count += 1);
            count
        };
        assert_eq!((count(0..7), count(0..6), count(3..7), count(4..7), count(5..7)), (2, 0, 1, 1, 0));
    }
}
