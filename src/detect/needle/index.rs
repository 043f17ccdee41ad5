//! From six letters or digits to the needles that hold them.

use super::form::{ANCHOR, Form, MASK};

/// Marks an empty slot.
const EMPTY: u32 = u32::MAX;

/// Anchors of all needles: a filter that answers most places of a document without touching the table, and the table.
#[derive(Default)]
pub(super) struct Index {
    /// Anchors by the [`class`] of their start. Most places of a text ask the third; few needles need it, so it stays near the
    /// processor.
    filters: [Filter; 3],
    /// Part of the hash of each slot's key, so that few needles are looked at in vain.
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
    fn for_keys(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(4).max(16)] }
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
fn mix(key: u64) -> u64 {
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// The high bits of a hash as a number below `length`.
fn scale(hash: u64, length: usize) -> usize {
    ((u128::from(hash) * length as u128) >> 64) as usize
}

/// Digits and the letters that are rare in text and in programs.
static RARE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b'0'..=b'9' | b'j' | b'k' | b'q' | b'v'..=b'z');
        byte += 1;
    }
    table
};

/// How an anchor starts: 0 with two of the rare letters, 1 with one, 2 with a common one.
fn class(key: u64) -> usize {
    let rare = |place: usize| usize::from(RARE[usize::from((key >> (8 * (ANCHOR - place))) as u8)]);
    2 - rare(1) * (1 + rare(2))
}

fn tag(hash: u64) -> u8 {
    (hash >> 20) as u8
}

impl Index {
    /// Chooses anchors for `count` needles. Gives the needles, too, that have none.
    pub(super) fn new<'a>(count: usize, value: impl Fn(usize) -> &'a [u8]) -> (Self, Vec<usize>) {
        let mut odd = Vec::new();
        // How often a key was chosen, roughly: what many needles share makes a poor anchor.
        let mut crowd = vec![0u8; (count * 4).next_power_of_two().clamp(1 << 10, 1 << 22)];
        let most: usize = (0..count).map(|needle| most(value(needle))).sum();
        let size = most * 5 / 4 + 1;
        let mut index = Self {
            filters: [Filter::for_keys(most), Filter::default(), Filter::default()],
            tags: vec![0; size],
            slots: vec![EMPTY; size],
        };
        // Every form of a needle goes to the table at once; of two classes the hashes are kept until they are counted.
        let mut kept: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
        for needle in 0..count {
            let mut none = true;
            for (number, key) in choose(value(needle), &mut crowd) {
                let hash = mix(key);
                match class(key) {
                    0 => index.filters[0].add(hash),
                    class => kept[class - 1].push(hash),
                }
                index.insert(hash, (needle as u32) << 4 | number);
                none = false;
            }
            if none {
                odd.push(needle);
            }
        }
        // The filter that is asked most has few keys and room for them: every yes in error costs a look at the table.
        for ((filter, hashes), room) in index.filters[1..].iter_mut().zip(kept).zip([1, 4]) {
            *filter = Filter::for_keys(hashes.len() * room);
            hashes.into_iter().for_each(|hash| filter.add(hash));
        }
        (index, odd)
    }

    fn insert(&mut self, hash: u64, entry: u32) {
        let mut at = scale(hash, self.slots.len());
        while self.slots[at] != EMPTY {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        self.slots[at] = entry;
        self.tags[at] = tag(hash);
    }

    /// Calls `visit` with needle, form and the offset of the anchor's first letter, for every place where a needle may stand.
    pub(super) fn search(&self, bytes: &[u8], visit: &mut impl FnMut(usize, Form, usize)) {
        if self.slots.is_empty() {
            return;
        }
        let (mut key, mut count) = (0u64, 0usize);
        let mut places = [0usize; 8];
        let mut block = Block { keys: [0; BLOCK], starts: [0; BLOCK], used: 0 };
        for (at, byte) in bytes.iter().enumerate() {
            let folded = FOLD[usize::from(*byte)];
            if folded == 0 || matches!(byte, b'n' | b'r' | b't') && at > 0 && bytes[at - 1] == b'\\' {
                continue;
            }
            key = (key << 8 | u64::from(folded)) & MASK;
            places[count & 7] = at;
            count += 1;
            if count < ANCHOR {
                continue;
            }
            (block.keys[block.used], block.starts[block.used]) = (key, places[(count - ANCHOR) & 7]);
            block.used += 1;
            if block.used == BLOCK {
                self.ask(&mut block, visit);
            }
        }
        self.ask(&mut block, visit);
    }

    /// Looks a block of keys up. The filter of a million needles lies far away: without branches in between many of its words are
    /// fetched at once.
    fn ask(&self, block: &mut Block, visit: &mut impl FnMut(usize, Form, usize)) {
        let mut hits = 0u64;
        for (at, key) in block.keys[..block.used].iter().enumerate() {
            hits |= u64::from(self.filters[class(*key)].has(mix(*key))) << at;
        }
        while hits != 0 {
            let at = hits.trailing_zeros() as usize;
            hits &= hits - 1;
            self.look(mix(block.keys[at]), |entry| {
                visit((entry >> 4) as usize, Form::ALL[(entry & 15) as usize], block.starts[at]);
            });
        }
        block.used = 0;
    }

    fn look(&self, hash: u64, mut visit: impl FnMut(u32)) {
        let mut at = scale(hash, self.slots.len());
        while self.slots[at] != EMPTY {
            if self.tags[at] == tag(hash) {
                visit(self.slots[at]);
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
    }
}

/// Keys that are looked up together: one bit of a word each.
const BLOCK: usize = 64;

/// Keys of a text and where their anchors start.
struct Block {
    keys: [u64; BLOCK],
    starts: [usize; BLOCK],
    used: usize,
}

/// How many anchors [`choose`] can give a value.
fn most(value: &[u8]) -> usize {
    let whole =
        value.chunk_by(|a, b| a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()).any(|run| run.len() > ANCHOR);
    Form::ALL.len() + 1 - if whole { 3 } else { 0 }
}

/// Letters without case and digits; 0 for all else.
static FOLD: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        if byte == 255 {
            break table;
        }
        byte += 1;
    }
};

/// The anchors of one needle: for each form the least crowded, of several one with a rare start.
fn choose(value: &[u8], crowd: &mut [u8]) -> Vec<(u32, u64)> {
    let whole = !Form::Text.anchors(value).is_empty();
    let mut chosen = Vec::new();
    for (number, form) in Form::ALL.into_iter().enumerate() {
        if whole && matches!(form, Form::Url | Form::Html | Form::Json) {
            continue;
        }
        let bytes = form.bytes(value);
        let mut anchors = form.anchors(&bytes);
        if form == Form::Text && !whole {
            anchors = Form::anchors_across(&bytes);
            if anchors.is_empty() {
                return Vec::new();
            }
        }
        anchors.truncate(if form == Form::Text { 32 } else { 8 });
        // A few needles may share an anchor; what dozens share makes a poor one.
        let cost = |key: u64| u32::from(crowd[scale(mix(key), crowd.len())] >> 3) * 3 + class(key) as u32;
        let Some((key, place)) = anchors.iter().copied().min_by_key(|(key, _)| cost(*key)) else { continue };
        // A second one, apart from the first, for values that are broken inside the first.
        if form == Form::Text
            && let Some((second, _)) =
                anchors.into_iter().filter(|(_, at)| at.abs_diff(place) >= ANCHOR).min_by_key(|(key, _)| cost(*key))
        {
            chosen.push((number as u32, second));
        }
        if chosen.iter().any(|(_, known)| *known == key) && matches!(form, Form::Url | Form::Html | Form::Json) {
            continue;
        }
        let spot = scale(mix(key), crowd.len());
        crowd[spot] = crowd[spot].saturating_add(1);
        chosen.push((number as u32, key));
    }
    chosen
}
