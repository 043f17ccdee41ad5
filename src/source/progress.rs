//! How far a long read is; the command line draws it, sources only count.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that a source moves and a progress bar reads. Cheap enough to touch for each document.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    /// Adds to the number of bytes that will be read, as soon as it is known.
    pub fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds to the number of bytes read.
    pub fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// `(done, total)` in bytes; a total of 0 means not known yet.
    pub fn state(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}
