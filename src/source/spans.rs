//! The way back from decoded text to the raw bytes.

/// Maps offsets of decoded text to offsets of the raw file. Pieces are kept in order of the decoded text.
#[derive(Clone, Debug, Default)]
pub struct SpanMap {
    /// `(decoded start, raw start, raw length)` of each piece; a piece ends where the next one starts.
    pieces: Vec<(usize, usize, usize)>,
    place: Option<Place>,
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
        Self { pieces, place: Some(Place { offset, line, column, own }) }
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
