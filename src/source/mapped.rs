//! Files as byte slices without reading them: packs and their indexes.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::{Advice, Mmap};

/// A file mapped into memory, read-only. An empty file is an empty slice.
pub(super) struct Mapped(Option<Mmap>);

impl Mapped {
    /// Maps a file whose content does not change while it has its name: git writes packs and indexes under a temporary
    /// name, renames them, and deletes them whole.
    ///
    /// # Errors
    /// Whatever opening or mapping the file gives.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        // SAFETY: a mapping is sound as a `&[u8]` as long as nobody changes or truncates the file underneath. Git never
        // writes to a finished pack or index: it creates the file under another name and renames it, and a deletion keeps
        // the mapped pages alive. Files that programs do write in place (trees, exports) are read with `read`, not mapped.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self(Some(map)))
    }

    /// Tells the kernel that the content will be read from front to back. Only a hint, so a refusal is of no matter.
    pub(super) fn read_ahead(&self) {
        if let Some(map) = &self.0 {
            let _refused = map.advise(Advice::WillNeed);
        }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
