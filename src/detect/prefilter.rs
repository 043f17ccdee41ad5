//! Finds the few places in a document where a rule could match: its keywords. Everything exact happens in small windows
//! around them.
//!
//! Each keyword is known by its rarest three bytes. One pass looks every position up in a bit set of such triples, without
//! a branch, and notes the positions that are in it: about one in twelve in code. There the byte behind the triple decides,
//! by a second bit set; only where that is passed, too, the triple is looked up in a table and keywords are compared. That
//! is several times faster than an automaton over thousands of keywords, and its two sets stay in the nearest cache.

use std::ops::Range;
use std::sync::OnceLock;

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
    /// Which triples, by their hash, belong to a keyword.
    triples: Box<[u64; BITS / 64]>,
    /// Which triples with the byte behind them do.
    quads: Box<[u64; QUADS / 64]>,
    /// Open addressing by triple; [`EMPTY`] where there is nothing.
    table: Vec<Slot>,
    /// Keywords of a single byte. Rule sets hardly have any; each is searched for itself.
    singles: Vec<(u8, u16)>,
}

#[derive(Clone, Copy)]
struct Slot {
    triple: u32,
    keyword: u16,
    /// Bytes of the keyword before the triple.
    before: u8,
    taken: bool,
}

const EMPTY: Slot = Slot { triple: 0, keyword: 0, before: 0, taken: false };

/// Size of the set of triples.
const BITS: usize = 1 << 17;

/// Size of the set of triples with the byte behind them.
const QUADS: usize = 1 << 18;

/// Positions that are looked up before the hits among them are compared.
const BLOCK: usize = 128;

impl Prefilter {
    /// `routes` gives the keywords of each route (a rule); keywords are compared without case.
    pub(super) fn new<'a, K: AsRef<str> + 'a>(routes: impl Iterator<Item = &'a [K]>) -> Self {
        let mut keywords: Vec<Keyword> = Vec::new();
        let mut seen: std::collections::HashMap<Box<[u8]>, usize> = std::collections::HashMap::new();
        for (route, words) in routes.enumerate() {
            for word in words.iter().filter(|word| !word.as_ref().is_empty()) {
                let text: Box<[u8]> = word.as_ref().to_ascii_lowercase().into_bytes().into();
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
        let pairs = keywords.iter().filter(|keyword| keyword.text.len() == 2).count();
        let mut filter = Self {
            longest: keywords.iter().map(|keyword| keyword.text.len()).max().unwrap_or(0),
            table: vec![EMPTY; (keywords.len() * 4 + pairs * 512 + 512).next_power_of_two()],
            keywords,
            triples: Box::new([0; BITS / 64]),
            quads: Box::new([0; QUADS / 64]),
            singles: Vec::new(),
        };
        for number in 0..filter.keywords.len() {
            filter.add(number);
        }
        filter
    }

    fn add(&mut self, number: usize) {
        let text = self.keywords[number].text.clone();
        match *text {
            [only] => self.singles.push((only, number as u16)),
            // Two bytes: known by themselves and any byte behind them.
            [a, b] => folded_bytes().for_each(|c| self.put([a, b, c], None, number, 0)),
            [a, b, c] => self.put([a, b, c], None, number, 0),
            _ => {
                // A triple that has a byte of the keyword behind it.
                let triples = text.windows(4).enumerate().take(200);
                let best = triples.max_by_key(|(_, four)| rarity(&four[..3]));
                let (before, four) = best.expect("because a keyword has four bytes here");
                self.put([four[0], four[1], four[2]], Some(four[3]), number, before);
            }
        }
    }

    /// `behind` is the byte after the triple, if the keyword has one there.
    fn put(&mut self, triple: [u8; 3], behind: Option<u8>, number: usize, before: usize) {
        let triple = u32::from_le_bytes([triple[0], triple[1], triple[2], 0]) | 0x0020_2020;
        let bit = hash(triple);
        self.triples[bit >> 6] |= 1 << (bit & 63);
        for byte in folded_bytes().filter(|byte| behind.is_none_or(|behind| behind | 0x20 == *byte)) {
            let bit = hash_of_four(triple | u32::from(byte) << 24);
            self.quads[bit >> 6] |= 1 << (bit & 63);
        }
        let slot = Slot { triple, keyword: number as u16, before: before as u8, taken: true };
        let mask = self.table.len() - 1;
        let mut at = slot_of(triple) & mask;
        while self.table[at].taken {
            if (self.table[at].triple, self.table[at].keyword) == (triple, slot.keyword) {
                return;
            }
            at = (at + 1) & mask;
        }
        self.table[at] = slot;
    }

    /// Calls `visit` for every keyword that lies wholly in a range of the text; the order is that of the rarest parts.
    pub(super) fn occurrences(&self, bytes: &[u8], range: Range<usize>, visit: &mut impl FnMut(Occurrence)) {
        let text = &bytes[range.clone()];
        let mut hits = [0u16; BLOCK];
        let triples = &*self.triples;
        let last = text.len().saturating_sub(3);
        for start in (0..last).step_by(BLOCK) {
            let block = &text[start..text.len().min(start + BLOCK + 3)];
            let mut count = 0;
            for (at, four) in block.windows(4).enumerate() {
                let value = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                let bit = hash(value | 0x0020_2020);
                // Written always, kept only if the bit is set.
                hits[count % BLOCK] = at as u16;
                count += (triples[bit >> 6] >> (bit & 63) & 1) as usize;
            }
            for hit in &hits[..count] {
                let at = start + usize::from(*hit);
                let four = u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]) | 0x2020_2020;
                let bit = hash_of_four(four);
                if self.quads[bit >> 6] >> (bit & 63) & 1 != 0 {
                    self.compare(bytes, &range, range.start + at, four & 0x00ff_ffff, visit);
                }
            }
        }
        // The last positions; where a byte is missing any would do, because a keyword of two bytes is there with all.
        for at in last..text.len().saturating_sub(1) {
            let third = text.get(at + 2).copied().unwrap_or(0);
            let value = u32::from_le_bytes([text[at], text[at + 1], third, 0]);
            self.compare(bytes, &range, range.start + at, value | 0x0020_2020, visit);
        }
        for (byte, keyword) in &self.singles {
            let places = memchr::memchr2_iter(*byte, byte.to_ascii_uppercase(), text);
            places.for_each(|at| visit(Occurrence { at: (range.start + at) as u32, keyword: *keyword }));
        }
    }

    /// Looks up the triple at a position and compares the keywords that have it.
    #[inline]
    fn compare(&self, bytes: &[u8], range: &Range<usize>, at: usize, triple: u32, visit: &mut impl FnMut(Occurrence)) {
        let mask = self.table.len() - 1;
        let mut probe = slot_of(triple) & mask;
        loop {
            let slot = self.table[probe];
            if !slot.taken {
                return;
            }
            if slot.triple == triple && at >= range.start + usize::from(slot.before) {
                let start = at - usize::from(slot.before);
                let keyword = &self.keywords[usize::from(slot.keyword)].text;
                let end = start + keyword.len();
                if end <= range.end && bytes[start..end].eq_ignore_ascii_case(keyword) {
                    visit(Occurrence { at: start as u32, keyword: slot.keyword });
                }
            }
            probe = (probe + 1) & mask;
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

/// Place of a triple in the set; the fourth byte of the value does not count.
#[inline(always)]
fn hash(value: u32) -> usize {
    ((value << 8).wrapping_mul(0x9e37_79b1) >> 15) as usize & (BITS - 1)
}

/// Place of a triple and the byte behind it in their set; all four are folded.
#[inline(always)]
fn hash_of_four(four: u32) -> usize {
    (four.wrapping_mul(0x9e37_79b1) >> 14) as usize & (QUADS - 1)
}

/// Every byte as it looks once the bit of lower case is set.
fn folded_bytes() -> impl Iterator<Item = u8> {
    (0..=255u8).filter(|byte| byte & 0x20 != 0)
}

fn slot_of(triple: u32) -> usize {
    (triple.wrapping_mul(0x85eb_ca6b) >> 12) as usize
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
            text in "[abAB_|0 ]{0,80}",
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
