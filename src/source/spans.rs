//! The way back from decoded text to the raw bytes.

use std::sync::Arc;

use super::Record;

/// Maps offsets of decoded text to offsets of the raw file. Pieces are kept in order of the decoded text.
#[derive(Clone, Debug, Default)]
pub struct SpanMap {
    /// `(decoded start, raw start, raw length)` of each piece; a piece ends where the next one starts.
    pieces: Vec<(usize, usize, usize)>,
    place: Option<Place>,
    /// Where decoded text stands in the raw file: `(decoded start, line, column)`, both from 0, in order.
    lines: Vec<(usize, u32, u32)>,
    /// The record that all of the text comes from.
    record: Option<Arc<Record>>,
    /// Starts of the matches that belong to this text, if not all do.
    own: Option<std::ops::Range<usize>>,
}

/// Where a window stands in content that was too large to hand on whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset of the window's first byte.
    pub offset: u64,
    /// Lines before it.
    pub line: u32,
    /// Column of its first byte, in bytes.
    pub column: u64,
    /// Starts of the matches that belong to this window; others are seen whole by a neighbour.
    pub own: std::ops::Range<usize>,
}

impl SpanMap {
    /// The map of a window of a larger content; arguments as in [`Place`].
    pub fn window(offset: u64, line: u32, column: u64, own: std::ops::Range<usize>) -> Self {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let pieces = vec![(0, start, usize::MAX - start)];
        Self { pieces, place: Some(Place { offset, line, column, own }), ..Self::default() }
    }

    /// The map of text out of one record of a larger file.
    pub fn record(record: Arc<Record>) -> Self {
        Self { record: Some(record), ..Self::default() }
    }

    /// Lines and columns, from 0, of the first byte of a part of the text and of the one behind its last, where they can be found in
    /// the raw text of its record. `text` is all of the decoded text.
    pub fn in_record(&self, text: &[u8], part: std::ops::Range<usize>) -> Option<((u32, u32), (u32, u32))> {
        self.record.as_ref()?.places(text, part)
    }

    /// Raw line, from 0, of the record that the text comes from, if nothing nearer is known.
    pub fn record_line(&self) -> Option<u32> {
        self.record.as_ref().map(|record| record.line())
    }

    /// Notes that decoded text from `decoded` on comes from one raw line: this one, from this column on, both from 0.
    pub fn line(&mut self, decoded: usize, line: u32, column: u32) {
        self.lines.push((decoded, line, column));
    }

    /// Says that only matches that start in a part of the text belong to it; the rest is there as context.
    #[must_use]
    pub fn owning(mut self, own: std::ops::Range<usize>) -> Self {
        self.own = Some(own);
        self
    }

    /// Starts of the matches that belong to this text; `None` when all do.
    pub fn own(&self) -> Option<&std::ops::Range<usize>> {
        self.own.as_ref().or(self.place.as_ref().map(|place| &place.own))
    }

    /// Raw line and column of an offset, both from 0, where the decoder knows them.
    pub fn raw_line(&self, decoded: usize) -> Option<(u32, u32)> {
        let (from, line, column) = self.lines[self.lines.partition_point(|one| one.0 <= decoded).checked_sub(1)?];
        Some((line, column.saturating_add(u32::try_from(decoded - from).unwrap_or(u32::MAX))))
    }

    /// Where the text stands, if it is a window.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Notes that decoded text from `decoded` on comes from `raw_length` raw bytes at `raw`.
    pub fn push(&mut self, decoded: usize, raw: usize, raw_length: usize) {
        self.pieces.push((decoded, raw, raw_length));
    }

    /// The raw range that a decoded range came from: whole pieces where a piece was rewritten, exact inside plain copies.
    pub fn raw(&self, decoded: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let start = self.raw_offset(decoded.start);
        let end = self.raw_offset(decoded.end.saturating_sub(1).max(decoded.start)) + 1;
        start..end.max(start)
    }

    fn raw_offset(&self, decoded: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.0 <= decoded);
        match after.checked_sub(1).map(|n| self.pieces[n]) {
            Some((from, raw, length)) => raw + (decoded - from).min(length.saturating_sub(1)),
            None => decoded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_text_knows_its_raw_lines() {
        let mut map = SpanMap::default();
        assert_eq!(map.raw_line(5), None);
        map.line(0, 7, 12);
        map.line(10, 9, 0);
        assert_eq!((map.raw_line(3), map.raw_line(10)), (Some((7, 15)), Some((9, 0))));
        assert_eq!(map.clone().owning(2..4).own(), Some(&(2..4)));
        assert_eq!(map.own(), None);
    }

    #[test]
    fn offsets_map_back_through_escapes() {
        // raw `a\u0041b` is decoded to `aAb`
        let mut map = SpanMap::default();
        map.push(0, 0, 1);
        map.push(1, 1, 6);
        map.push(2, 7, 1);
        assert_eq!(map.raw(0..1), 0..1);
        assert_eq!(map.raw(1..2), 1..2);
        assert_eq!(map.raw(2..3), 7..8);
    }
}
