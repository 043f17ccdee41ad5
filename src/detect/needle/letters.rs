//! Letters and digits of a text, without what stands between them.

use super::form::ANCHOR;

/// Letters that are looked at together.
pub(super) const ROOM: usize = 1024;
/// Bits of a key: one byte for each letter.
pub(super) const MASK: u64 = (1 << (8 * ANCHOR)) - 1;

/// 1 to 26 for letters without case, 27 to 36 for digits, 0 for all else; the second table holds behind a backslash. The letter of
/// `\n`, `\r` and `\t` is none: a text that is broken there and put into JSON would have one more.
static CODES: [[u8; 256]; 2] = {
    let mut tables = [[0; 256]; 2];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        let code = if letter.is_ascii_digit() {
            27 + letter - b'0'
        } else if letter.is_ascii_alphabetic() {
            1 + letter.to_ascii_lowercase() - b'a'
        } else {
            0
        };
        tables[0][byte] = code;
        tables[1][byte] = if matches!(letter, b'n' | b'r' | b't') { 0 } else { code };
        byte += 1;
    }
    tables
};

/// The code of each byte of a text; 0 for what is no letter of an anchor.
pub(super) fn codes(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut escape = false;
    bytes.iter().map(move |byte| {
        let code = CODES[usize::from(escape)][usize::from(*byte)];
        escape = *byte == b'\\';
        code
    })
}

/// A window on the letters of a text.
pub(super) struct Letters {
    /// One code each; the last ones make room for reading eight at a time.
    codes: [u8; ROOM + 2],
    /// Where each stands.
    places: [usize; ROOM],
    used: usize,
    escape: bool,
}

impl Default for Letters {
    fn default() -> Self {
        Self { codes: [0; ROOM + 2], places: [0; ROOM], used: 0, escape: false }
    }
}

impl Letters {
    /// Adds a part of a text, at most [`ROOM`] less an anchor, that starts at `start`. No branch depends on what it says.
    pub(super) fn read(&mut self, part: &[u8], start: usize) {
        let (mut used, mut escape) = (self.used, self.escape);
        for (at, byte) in part.iter().enumerate() {
            let code = CODES[usize::from(escape)][usize::from(*byte)];
            escape = *byte == b'\\';
            self.codes[used & (ROOM - 1)] = code;
            self.places[used & (ROOM - 1)] = start + at;
            used += usize::from(code != 0);
        }
        (self.used, self.escape) = (used, escape);
    }

    /// The key of every anchor.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.codes[..self.used + 2].array_windows::<8>().map(|window| u64::from_le_bytes(*window) & MASK)
    }

    /// The key of one anchor and where its first letter stands.
    pub(super) fn anchor(&self, at: usize) -> (u64, usize) {
        let codes = &self.codes[at..at + ANCHOR];
        (codes.iter().rev().fold(0, |key, code| key << 8 | u64::from(*code)), self.places[at])
    }

    /// Forgets all letters but those that an anchor can start with and go on in the next part.
    pub(super) fn keep(&mut self) {
        let kept = self.used.min(ANCHOR - 1);
        self.codes.copy_within(self.used - kept..self.used, 0);
        self.places.copy_within(self.used - kept..self.used, 0);
        self.used = kept;
    }
}
