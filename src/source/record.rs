//! The raw text of a record of an export, in which is looked for what was found in the text that a decoder made of it.

use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

/// Line and column, both from 0, the column in bytes.
type Place = (u32, u32);

/// Raw text that stands together in the file.
#[derive(Debug, Default)]
struct Piece {
    at: Place,
    bytes: Vec<u8>,
}

/// The raw text of one record.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pieces: Vec<Arc<Piece>>,
    size: usize,
}

/// Fewest bytes that are looked for, most places that are compared, most bytes on either side by which they are compared.
const BOUNDS: (usize, usize, usize) = (4, 2000, 64);

impl Record {
    /// A record that starts at a place; line breaks in front of it do not belong to it.
    pub fn new(at: Place, mut bytes: Vec<u8>) -> Self {
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let breaks = memchr::memchr_iter(b'\n', &bytes[..blank]).count() as u32;
        bytes.drain(..blank);
        let at = if breaks > 0 { (at.0 + breaks, 0) } else { at };
        let size = bytes.len();
        Self { pieces: vec![Arc::new(Piece { at, bytes })], size }
    }

    /// Adds the text of another record.
    pub fn join(&mut self, other: &Self) {
        self.pieces.extend(other.pieces.iter().cloned());
        self.size += other.size;
    }

    /// Bytes of the text.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The line, from 0, in which it starts.
    pub fn line(&self) -> u32 {
        self.pieces.first().map_or(0, |piece| piece.at.0)
    }

    /// The places of the first byte of a part of a decoded text and of the one behind its last, if it stands in the raw text: what
    /// no escape or mark-up can have changed of it is looked for, and of several places the one is taken that most of the
    /// text around agrees with.
    pub fn places(&self, text: &[u8], part: Range<usize>) -> Option<(Place, Place)> {
        let run = plain_runs(text, part.clone()).max_by_key(|run| (run.len(), std::cmp::Reverse(run.start)))?;
        let (piece, at, _) = self
            .pieces
            .iter()
            .flat_map(|piece| {
                let found = memmem::find_iter(&piece.bytes, &text[run.clone()]).take(BOUNDS.1);
                found.map(|at| (piece, at, agreement(text, &run, &piece.bytes, at))).collect::<Vec<_>>()
            })
            .max_by_key(|(_, at, agrees)| (*agrees, std::cmp::Reverse(*at)))?;
        let first = plain_runs(text, part.clone()).next().filter(|first| first.start < run.start);
        let start = first
            .map_or(Some((run.start, at)), |first| {
                // Escapes are at most six times as long as what they stand for.
                let from = at.saturating_sub((run.start - first.start) * 6 + BOUNDS.2);
                Some((first.start, from + memmem::rfind(&piece.bytes[from..at], &text[first])?))
            })
            .unwrap_or((run.start, at));
        let last = plain_runs(text, part.clone()).last().filter(|last| last.start > run.start);
        let behind = at + run.len();
        let end = last
            .map_or(Some((run.end, behind)), |last| {
                let to = (behind + (last.end - run.end) * 6 + BOUNDS.2).min(piece.bytes.len());
                Some((last.end, behind + memmem::find(&piece.bytes[behind..to], &text[last.clone()])? + last.len()))
            })
            .unwrap_or((run.end, behind));
        // What is left on both sides counts where it stands there as it is.
        let lead = start.0 - part.start;
        let start = if piece.bytes[..start.1].ends_with(&text[part.start..start.0]) { start.1 - lead } else { start.1 };
        let tail = &text[end.0..part.end];
        let end = if piece.bytes[end.1..].starts_with(tail) { end.1 + tail.len() } else { end.1 };
        Some((piece.place(start), piece.place(end)))
    }
}

impl Piece {
    fn place(&self, offset: usize) -> Place {
        let before = &self.bytes[..offset];
        match memchr::memrchr(b'\n', before) {
            None => (self.at.0, self.at.1.saturating_add(offset as u32)),
            Some(last) => (self.at.0 + memchr::memchr_iter(b'\n', before).count() as u32, (offset - last - 1) as u32),
        }
    }
}

/// Runs of bytes that JSON, XML, tables and mail write as they are.
fn plain_runs(text: &[u8], part: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+*#!$%(),;@^~|?".contains(byte);
    let mut at = part.start;
    std::iter::from_fn(move || {
        loop {
            let from = at + text[at..part.end].iter().position(plain)?;
            let to = text[from..part.end].iter().position(|byte| !plain(byte)).map_or(part.end, |length| from + length);
            at = to;
            if to - from >= BOUNDS.0 {
                return Some(from..to);
            }
        }
    })
}

/// How many bytes around a run are the same in both texts.
fn agreement(text: &[u8], run: &Range<usize>, raw: &[u8], at: usize) -> usize {
    // An escape is compared without its backslash, and a line break as the letter that may stand for it.
    let bare = |byte: &&u8| **byte != b'\\';
    let letter = |byte: &u8| if *byte == b'\n' { b'n' } else { *byte };
    let before = text[..run.start].iter().rev().filter(bare).zip(raw[..at].iter().rev().filter(bare));
    let behind = text[run.end..].iter().filter(bare).zip(raw[at + run.len()..].iter().filter(bare));
    let same = |(one, other): &(&u8, &u8)| letter(one) == letter(other);
    before.take(BOUNDS.2).take_while(same).count() + behind.take(BOUNDS.2).take_while(same).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(record: &Record, text: &str, part: &str) -> Option<(Place, Place)> {
        let at = text.find(part).expect("a part of the text");
        record.places(text.as_bytes(), at..at + part.len())
    }

    #[test]
    fn values_are_found_where_they_stand_in_the_file() {
        let raw = "{\"a\": \"the key-word\",\n  \"b\": \"say \\\"key-word\\\" \\u003cwas\\nkey-word\"}";
        let record = Record::new((7, 3), raw.as_bytes().to_vec());
        let decoded = "say \"key-word\" <was\nkey-word";
        let second = decoded.rfind("key-word").expect("twice");
        assert_eq!(shown(&record, decoded, "key-word"), Some(((8, 14), (8, 22))));
        assert_eq!(record.places(decoded.as_bytes(), second..second + 8), Some(((8, 36), (8, 44))));
        // From the first word to the last, over what was escaped between.
        assert_eq!(shown(&record, decoded, "key-word\" <was\nkey-word"), Some(((8, 14), (8, 44))));
        assert_eq!(shown(&record, "the key-word", "key-word"), Some(((7, 14), (7, 22))));
        assert_eq!(shown(&record, "other", "other"), None);
        assert_eq!(shown(&record, "a b", "a b"), None);
    }

    #[test]
    fn line_breaks_in_front_are_not_part_of_a_record() {
        let mut record = Record::new((2, 9), b"\nabcd\nefgh".to_vec());
        record.join(&Record::new((40, 1), b"ijkl".to_vec()));
        assert_eq!((record.line(), record.size()), (3, 13));
        assert_eq!(shown(&record, "x efgh", "efgh"), Some(((4, 0), (4, 4))));
        assert_eq!(shown(&record, "x ijkl", "ijkl"), Some(((40, 1), (40, 5))));
    }
}
