//! One changed file, with the lines that are new in it.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;

use git2::{DiffOptions, Patch};

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
    /// What this text before it has not. Comparing line by line costs more than searching, so it is left until something
    /// is found.
    Since(Vec<u8>),
}

impl Added {
    /// The same by lines; `text` is what is new now.
    ///
    /// # Errors
    /// When the two texts cannot be compared.
    pub(super) fn by_lines(&self, text: &[u8]) -> Result<Cow<'_, Self>, git2::Error> {
        let Self::Since(before) = self else { return Ok(Cow::Borrowed(self)) };
        let mut options = DiffOptions::new();
        options.context_lines(0).interhunk_lines(0);
        let patch = Patch::from_buffers(before, None, text, None, Some(&mut options))?;
        // git sees no lines in what it takes for binary: all of it counts as new.
        if patch.delta().flags().is_binary() {
            return Ok(Cow::Owned(Self::All));
        }
        let mut lines = Vec::new();
        for hunk in 0..patch.num_hunks() {
            let (hunk, _) = patch.hunk(hunk)?;
            if hunk.new_lines() > 0 {
                lines.push(hunk.new_start()..=hunk.new_start() + hunk.new_lines() - 1);
            }
        }
        Ok(Cow::Owned(Self::Lines(lines)))
    }

    /// Bytes that are kept for comparing.
    pub(super) fn size(&self) -> usize {
        if let Self::Since(before) = self { before.len() } else { 0 }
    }

    /// Whether any line from `first` to `last` is new.
    pub(super) fn touches(&self, first: u32, last: u32) -> bool {
        match self {
            Self::All | Self::Since(_) => true,
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
        let since = Added::Since(b"one\ntwo\nfour\n".to_vec());
        let lines = since.by_lines(b"one\nTWO\n2b\nfour\nfive\n").expect("compared").into_owned();
        assert_eq!(lines, Added::Lines(vec![2..=3, 5..=5]));
        assert!(Added::All.touches(1, 1) && !Added::Lines(Vec::new()).touches(1, 9));
    }
}
