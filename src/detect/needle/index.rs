//! From six letters or digits to the needles that hold them.

use super::choose::{Chooser, most};
use super::form::{ANCHOR, Form};
use super::letters::{Letters, ROOM};

/// Anchors of all needles: filters that answer most places of a document without touching the table, and the table.
#[derive(Default)]
pub(super) struct Index {
    /// Anchors that start as text often does. Nearly every place asks it; few needles need it, so it stays near the processor.
    near: Filter,
    /// All anchors.
    far: Filter,
    /// Part of the hash of each slot's key, so that few needles are looked at in vain; 0 where a slot is empty.
    tags: Vec<u8>,
    /// Needle × 16 + number of its form.
    slots: Vec<u32>,
}

/// A set that sometimes says yes in error: three bits of one word for each key.
#[derive(Default)]
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    fn for_keys(count: usize, most: usize) -> Self {
        Self { words: vec![0; count.div_ceil(4).clamp(16, most.max(16))] }
    }

    fn spot(&self, hash: u64) -> (usize, u64) {
        let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63);
        (scale(hash, self.words.len()), bits)
    }

    fn add(&mut self, hash: u64) {
        let (word, bits) = self.spot(hash);
        self.words[word] |= bits;
    }

    fn has(&self, hash: u64) -> bool {
        let (word, bits) = self.spot(hash);
        self.words[word] & bits == bits
    }
}

/// Spreads a key over 64 bits.
pub(super) fn mix(key: u64) -> u64 {
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// The high bits of a hash as a number below `length`.
pub(super) fn scale(hash: u64, length: usize) -> usize {
    ((u128::from(hash) * length as u128) >> 64) as usize
}

/// How an anchor starts, by its first two codes, rarest in text and programs first. A digit beside a letter from g to z stands in
/// nearly every random value and hardly anywhere else; beside one from a to f it may be a hash.
static CLASS: [u8; 1 << 12] = {
    let mut table = [4; 1 << 12];
    let mut pair = 0;
    while pair < table.len() {
        let (first, second) = (pair & 63, pair >> 6);
        let digits = (first > 26) as u8 + (second > 26) as u8;
        let hex = first <= 6 || second <= 6;
        table[pair] = match (digits, odd_letter(first) as u8 + odd_letter(second) as u8) {
            (1, _) => hex as u8,
            (0, 2) => 2,
            (2, _) | (0, 1) => 3,
            _ => 4,
        };
        pair += 1;
    }
    table
};

/// Whether a code is that of j, k, q or v to z.
const fn odd_letter(code: usize) -> bool {
    matches!(code, 10 | 11 | 17 | 22..=26)
}

/// The class of a key's start; 0 and 1 are looked for in the large filter at once.
pub(super) fn class(key: u64) -> u8 {
    CLASS[(key & 63 | key >> 2 & 0xfc0) as usize]
}

/// The last class that asks the large filter at once.
const FAR: u8 = 1;
/// Most words of the small filter: half a megabyte.
const NEAR: usize = 1 << 16;
/// Anchors that go to the table together.
const BATCH: usize = 524288;

fn tag(hash: u64) -> u8 {
    ((hash >> 20) as u8).max(1)
}

/// An anchor on its way to the table.
type Entry = (u64, u32);

impl Index {
    /// Chooses anchors for `count` needles. Gives the needles, too, that have none.
    pub(super) fn new<'a>(count: usize, value: impl Fn(usize) -> &'a [u8]) -> (Self, Vec<usize>) {
        let mut odd = Vec::new();
        let mut chooser = Chooser::new(count);
        let most: usize = (0..count).map(|needle| most(value(needle))).sum();
        let size = most * 5 / 4 + 1;
        let mut index = Self {
            near: Filter::for_keys(most, NEAR),
            far: Filter::for_keys(most, usize::MAX),
            tags: vec![0; size],
            slots: vec![0; size],
        };
        // Batches, because the table lies far away: many of its places are then fetched at once.
        let (mut batch, mut sorted): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
        for needle in 0..count {
            let known = batch.len();
            chooser.choose(value(needle), |number, key| {
                let hash = mix(key);
                if class(key) > FAR {
                    index.near.add(hash);
                }
                batch.push((hash, (needle as u32) << 4 | number));
            });
            if batch.len() == known {
                odd.push(needle);
            }
            if batch.len() >= BATCH {
                index.insert(&mut batch, &mut sorted);
            }
        }
        index.insert(&mut batch, &mut sorted);
        (index, odd)
    }

    /// Puts a batch into the table, part by part of it, so that neighbours in the table are written together.
    fn insert(&mut self, batch: &mut Vec<Entry>, sorted: &mut Vec<Entry>) {
        let part = |hash: u64| (hash >> 56) as usize;
        let mut starts = [0usize; 256];
        batch.iter().for_each(|(hash, _)| starts[part(*hash)] += 1);
        let mut sum = 0;
        starts.iter_mut().for_each(|start| (sum, *start) = (sum + *start, sum));
        sorted.resize(batch.len(), (0, 0));
        for entry in batch.drain(..) {
            let start = &mut starts[part(entry.0)];
            sorted[*start] = entry;
            *start += 1;
        }
        sorted.iter().for_each(|(hash, _)| self.far.add(*hash));
        for (hash, entry) in sorted.iter().copied() {
            let mut at = scale(hash, self.slots.len());
            while self.tags[at] != 0 {
                at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
            }
            self.tags[at] = tag(hash);
            self.slots[at] = entry;
        }
    }

    /// Calls `visit` with needle, form and the offset of the anchor's first letter, for every place where a needle may stand.
    pub(super) fn search(&self, bytes: &[u8], visit: &mut impl FnMut(usize, Form, usize)) {
        if self.slots.is_empty() {
            return;
        }
        let mut letters = Letters::default();
        for (part, chunk) in bytes.chunks(ROOM - ANCHOR).enumerate() {
            letters.read(chunk, part * (ROOM - ANCHOR));
            self.ask(&letters, visit);
            letters.keep();
        }
    }

    /// Looks up every anchor of some letters. No branch depends on what the text says, but for the few that pass the first filter.
    fn ask(&self, letters: &Letters, visit: &mut impl FnMut(usize, Form, usize)) {
        let mut passed = [0u16; ROOM];
        let mut count = 0;
        for (at, key) in letters.keys().enumerate() {
            passed[count & (ROOM - 1)] = at as u16;
            count += usize::from((class(key) <= FAR) | self.near.has(mix(key)));
        }
        for at in &passed[..count] {
            let (key, place) = letters.anchor(usize::from(*at));
            let hash = mix(key);
            if self.far.has(hash) {
                self.look(hash, |entry| visit((entry >> 4) as usize, Form::ALL[(entry & 15) as usize], place));
            }
        }
    }

    fn look(&self, hash: u64, mut visit: impl FnMut(u32)) {
        let mut at = scale(hash, self.slots.len());
        while self.tags[at] != 0 {
            if self.tags[at] == tag(hash) {
                visit(self.slots[at]);
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
    }
}
