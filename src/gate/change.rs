//! One changed file, with the lines that are new in it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::source::Provenance;

/// Commit that made a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct By {
    pub(super) commit: String,
    pub(super) author: String,
}

/// Which lines of a text are new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// The whole text.
    All,
    /// These lines, from 1, in ascending order.
    Lines(Vec<RangeInclusive<u32>>),
}

impl Added {
    /// Whether any line from `first` to `last` is new.
    pub(super) fn touches(&self, first: u32, last: u32) -> bool {
        match self {
            Self::All => true,
            Self::Lines(ranges) => {
                let at = ranges.partition_point(|range| *range.end() < first);
                ranges.get(at).is_some_and(|range| *range.start() <= last)
            }
        }
    }
}

/// One changed text.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Path in the repository; for a message what it is.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    pub(super) added: Added,
    /// Line of the file that the first line of `bytes` is, less one.
    pub(super) offset: u32,
    pub(super) by: Option<Arc<By>>,
    pub(super) provenance: Provenance,
}

/// Receives changes, one after the other.
pub(super) type Take<'a> = dyn FnMut(Change) -> crate::error::Result<()> + 'a;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_lines_are_found_by_overlap() {
        let added = Added::Lines(vec![2..=3, 7..=7]);
        assert!(!added.touches(1, 1) && added.touches(1, 2) && added.touches(3, 5));
        assert!(!added.touches(4, 6) && added.touches(6, 9) && !added.touches(8, 9));
        assert!(Added::All.touches(1, 1) && !Added::Lines(Vec::new()).touches(1, 9));
    }
}
