//! Finds the few places in a document where a rule could match: its keywords. Everything exact happens in small windows
//! around them.
//!
//! Each keyword is known by its rarest two to four bytes. One pass looks every position up in three small bit sets; a hit
//! is looked up in a table, and only then is a keyword compared. That is several times faster than an automaton over
//! thousands of keywords, and needs nothing but a few kilobytes that stay in the nearest cache.

use std::ops::Range;

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
}

/// Looks for keywords.
pub(super) struct Prefilter {
    pub(super) keywords: Vec<Keyword>,
    /// Length of the longest keyword.
    pub(super) longest: usize,
    fours: Box<[u64; 1024]>,
    threes: Box<[u64; 1024]>,
    twos: Box<[u64; 1024]>,
    /// Open addressing by gram; [`EMPTY`] where there is nothing.
    table: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Slot {
    gram: u32,
    keyword: u16,
    /// Bytes of the keyword before the gram.
    before: u8,
    length: u8,
}

const EMPTY: Slot = Slot { gram: 0, keyword: 0, before: 0, length: 0 };

impl Prefilter {
    /// `routes` gives the keywords of each route (a rule); keywords are compared without case.
    pub(super) fn new<'a, K: AsRef<str> + 'a>(routes: impl Iterator<Item = &'a [K]>) -> Self {
        let mut keywords: Vec<Keyword> = Vec::new();
        let mut seen: std::collections::HashMap<Box<[u8]>, usize> = std::collections::HashMap::new();
        for (route, words) in routes.enumerate() {
            for word in words.iter().filter(|word| !word.as_ref().is_empty()) {
                let text: Box<[u8]> = word.as_ref().to_ascii_lowercase().into_bytes().into();
                let at = *seen.entry(text.clone()).or_insert_with(|| {
                    keywords.push(Keyword { text, routes: Vec::new() });
                    keywords.len() - 1
                });
                if !keywords[at].routes.contains(&(route as u16)) {
                    keywords[at].routes.push(route as u16);
                }
            }
        }
        assert!(keywords.len() < usize::from(u16::MAX), "because no rule set has sixty thousand keywords");
        let mut filter = Self {
            longest: keywords.iter().map(|keyword| keyword.text.len()).max().unwrap_or(0),
            table: vec![EMPTY; (keywords.len() * 4 + 512).next_power_of_two()],
            keywords,
            fours: Box::new([0; 1024]),
            threes: Box::new([0; 1024]),
            twos: Box::new([0; 1024]),
        };
        for number in 0..filter.keywords.len() {
            filter.add(number);
        }
        filter
    }

    fn add(&mut self, number: usize) {
        let text = self.keywords[number].text.clone();
        if let [only] = *text {
            // One byte: known by itself and any byte behind it.
            for second in 0..=255u8 {
                self.put(&[only, second], number, 0);
            }
            return;
        }
        let length = text.len().min(4);
        let grams = text.windows(length).enumerate().take(200);
        let (before, gram) = grams.max_by_key(|(_, gram)| rarity(gram)).expect("because a keyword has two bytes");
        self.put(gram, number, before);
    }

    fn put(&mut self, gram: &[u8], number: usize, before: usize) {
        let value = folded(gram);
        match gram.len() {
            2 => set(&mut self.twos, value & 0xffff),
            3 => set(&mut self.threes, hash(value)),
            _ => set(&mut self.fours, hash(value)),
        }
        let slot = Slot { gram: value, keyword: number as u16, before: before as u8, length: gram.len() as u8 };
        let mask = self.table.len() - 1;
        let mut at = slot_of(value, slot.length) & mask;
        while self.table[at].length != 0 {
            let taken = self.table[at];
            if (taken.gram, taken.keyword, taken.length) == (slot.gram, slot.keyword, slot.length) {
                return;
            }
            at = (at + 1) & mask;
        }
        self.table[at] = slot;
    }

    /// Calls `visit` for every keyword that lies wholly in a range of the text; the order is that of the rarest parts.
    pub(super) fn occurrences(&self, bytes: &[u8], range: Range<usize>, visit: &mut impl FnMut(Occurrence)) {
        let text = &bytes[range.clone()];
        let (twos, threes, fours) = (&*self.twos, &*self.threes, &*self.fours);
        for (at, four) in text.windows(4).enumerate() {
            let value = u32::from_le_bytes([four[0], four[1], four[2], four[3]]) | 0x2020_2020;
            let hits = [bit(twos, value & 0xffff), bit(threes, hash(value & 0xff_ffff)), bit(fours, hash(value))];
            if (hits[0] | hits[1] | hits[2]) & 1 != 0 {
                self.compare(bytes, &range, range.start + at, value, hits, visit);
            }
        }
        for at in text.len().saturating_sub(3)..text.len() {
            let rest = &text[at..];
            let value = folded(rest);
            // At the very end a keyword of one byte has no byte behind it; any would do.
            let value = if rest.len() == 1 { value | 0x2000 } else { value };
            let two = bit(twos, value & 0xffff);
            let three = if rest.len() == 3 { bit(threes, hash(value)) } else { 0 };
            self.compare(bytes, &range, range.start + at, value, [two, three, 0], visit);
        }
    }

    /// Looks up the grams at a position and compares the keywords that have them.
    #[inline(never)]
    fn compare(
        &self,
        bytes: &[u8],
        range: &Range<usize>,
        at: usize,
        value: u32,
        hits: [u64; 3],
        visit: &mut impl FnMut(Occurrence),
    ) {
        let mask = self.table.len() - 1;
        for (length, gram) in [(2u8, value & 0xffff), (3, value & 0xff_ffff), (4, value)] {
            if hits[usize::from(length) - 2] & 1 == 0 {
                continue;
            }
            let mut probe = slot_of(gram, length) & mask;
            loop {
                let slot = self.table[probe];
                if slot.length == 0 {
                    break;
                }
                if slot.gram == gram && slot.length == length && at >= range.start + usize::from(slot.before) {
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

/// Up to four bytes as a number, letters without case. Other bytes are folded too, which costs a comparison and no more.
fn folded(gram: &[u8]) -> u32 {
    gram.iter().take(4).enumerate().fold(0, |value, (n, byte)| value | u32::from(byte | 0x20) << (8 * n))
}

/// Sixteen bits of a gram.
#[inline(always)]
fn hash(value: u32) -> u32 {
    value.wrapping_mul(0x9e37_79b1) >> 16
}

fn slot_of(value: u32, length: u8) -> usize {
    (value.wrapping_mul(0x85eb_ca6b) >> 12) as usize ^ usize::from(length) << 3
}

#[inline(always)]
fn bit(bits: &[u64; 1024], value: u32) -> u64 {
    bits[(value >> 6) as usize & 1023] >> (value & 63)
}

fn set(bits: &mut [u64; 1024], value: u32) {
    bits[(value >> 6) as usize & 1023] |= 1 << (value & 63);
}

/// How rare a gram is in code and prose, roughly.
fn rarity(gram: &[u8]) -> u32 {
    let each = |byte: &u8| match byte {
        b' ' => 0,
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 4,
        b'l' | b'd' | b'c' | b'u' | b'm' | b'p' | b'h' => 6,
        b'g' | b'f' | b'b' | b'y' | b'w' | b'v' | b'k' | b'-' | b'_' | b'.' | b'=' | b'"' | b'/' => 8,
        b'0'..=b'9' => 9,
        b'j' | b'x' | b'q' | b'z' => 12,
        _ => 11,
    };
    gram.iter().map(each).sum()
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
