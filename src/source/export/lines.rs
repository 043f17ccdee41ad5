//! Where in the file the record stands that is being handed on: the readers of records know it, and the formats between them and the
//! sink need not.

use std::cell::RefCell;
use std::sync::Arc;

use super::super::Record;

thread_local! {
    static RECORD: RefCell<Option<Arc<Record>>> = const { RefCell::new(None) };
}

/// Says which record comes next; `None` when its place is not known.
pub(in crate::source) fn starts(record: Option<Record>) {
    RECORD.set(record.map(Arc::new));
}

/// The record that is being handed on.
pub(in crate::source) fn current() -> Option<Arc<Record>> {
    RECORD.with_borrow(Clone::clone)
}

/// Forgets the record for as long as it lives, and then knows it again: a file may lie in a record of another one.
pub(in crate::source) struct Inner(Option<Arc<Record>>);

impl Inner {
    pub(in crate::source) fn begin() -> Self {
        Self(RECORD.take())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        RECORD.set(self.0.take());
    }
}
