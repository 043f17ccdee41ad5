//! From six letters or digits to the needles that hold them.

use super::form::{ANCHOR, Form, MASK};

/// Marks an empty slot.
const EMPTY: u32 = u32::MAX;

/// Anchors of all needles: a filter that answers most places of a document without touching the table, and the table.
#[derive(Default)]
pub(super) struct Index {
    /// Anchors that start with a digit, and the others: text has few digits.
    digits: Filter,
    letters: Filter,
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
        Self { words: if count == 0 { Vec::new() } else { vec![0; count.div_ceil(4).max(16)] } }
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
        if self.words.is_empty() {
            return false;
        }
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

fn digit(key: u64) -> bool {
    ((key >> (8 * (ANCHOR - 1))) as u8).is_ascii_digit()
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
        let mut entries: Vec<(u64, u32)> = Vec::with_capacity(count * 6);
        for needle in 0..count {
            let before = entries.len();
            for (number, key) in choose(value(needle), &mut crowd) {
                entries.push((key, (needle as u32) << 4 | number));
            }
            if entries.len() == before {
                odd.push(needle);
            }
        }
        let digits = entries.iter().filter(|(key, _)| digit(*key)).count();
        let size = entries.len() * 5 / 4 + 1;
        let mut index = Self {
            digits: Filter::for_keys(digits),
            letters: Filter::for_keys(entries.len() - digits),
            tags: vec![0; size],
            slots: vec![EMPTY; size],
        };
        for (key, entry) in entries {
            index.insert(key, entry);
        }
        (index, odd)
    }

    fn insert(&mut self, key: u64, entry: u32) {
        let hash = mix(key);
        if digit(key) {
            self.digits.add(hash)
        } else {
            self.letters.add(hash)
        }
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
            let hash = mix(key);
            let filter = if digit(key) { &self.digits } else { &self.letters };
            if filter.has(hash) {
                let start = places[(count - ANCHOR) & 7];
                self.look(hash, |entry| {
                    visit((entry >> 4) as usize, Form::ALL[(entry & 15) as usize], start);
                });
            }
        }
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

/// The anchors of one needle: for each form the least crowded, of several the one that starts with a digit.
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
        let cost = |key: u64| u32::from(crowd[scale(mix(key), crowd.len())]) * 2 + u32::from(!digit(key));
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
