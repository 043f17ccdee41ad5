//! In which line of the file the record starts that is being handed on: the readers of records know it, and the formats between
//! them and the sink need not.

use std::cell::Cell;

thread_local! {
    static LINE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Says in which line, from 0, the next record starts; `None` when it is put together from many places.
pub(super) fn starts(line: Option<u32>) {
    LINE.set(line);
}

/// The line of the record that is being handed on.
pub(super) fn current() -> Option<u32> {
    LINE.get()
}

/// Forgets the line for as long as it lives, and then knows it again: a file may lie in a record of another one.
pub(super) struct Inner(Option<u32>);

impl Inner {
    pub(super) fn begin() -> Self {
        Self(LINE.take())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        LINE.set(self.0);
    }
}
