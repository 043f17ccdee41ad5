//! One pack: entries at offsets, each a zlib stream behind a small header (gitformat-pack(5)).

use std::path::Path;

use libdeflater::Decompressor;

use super::super::mapped::Mapped;
use super::Broken;
use super::index::Index;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

/// How an entry of a pack is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The whole object.
    Whole(Kind),
    /// A delta against the entry at an earlier offset.
    OffsetDelta(u64),
    /// A delta against a named object; its name starts at this position of the pack.
    NamedDelta(usize),
}

/// Head of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) form: Form,
    /// Size of the inflated stream: of the object, or of the delta.
    pub(super) size: u64,
    /// Where the zlib stream starts.
    pub(super) stream: usize,
}

/// A pack with its index.
pub(super) struct Pack {
    data: Mapped,
    pub(super) index: Index,
    hash: usize,
    /// Name of the file, for messages.
    pub(super) name: String,
}

impl Pack {
    /// Maps a pack and its index. The second value is a complaint about a pack that can still be read in part.
    pub(super) fn open(path: &Path, hash: usize) -> Result<(Self, Option<Broken>), Broken> {
        let index = Index::open(&path.with_extension("idx"), hash)?;
        let data = Mapped::open(path).map_err(|_| "pack cannot be opened")?;
        if data.len() < 12 + hash || &data[..4] != b"PACK" {
            return Err("not a pack, or cut off at the start");
        }
        let trailer = &data[data.len() - hash..];
        let complaint = (trailer != index.pack_checksum())
            .then_some("pack checksum differs from the one in its index; it is damaged or cut off");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((Self { data, index, hash, name }, complaint))
    }

    /// Where entries end and the checksum starts.
    pub(super) fn end(&self) -> u64 {
        (self.data.len() - self.hash) as u64
    }

    /// Asks the kernel to read the pack ahead.
    pub(super) fn read_ahead(&self) {
        self.data.read_ahead();
    }

    /// Reads the head of the entry at an offset.
    pub(super) fn head(&self, offset: u64) -> Result<Head, Broken> {
        const BAD: Broken = "pack entry is damaged";
        let start = usize::try_from(offset).map_err(|_| BAD)?;
        let bytes = self.data.get(start..self.data.len() - self.hash).ok_or("pack entry lies outside of the pack")?;
        let mut used = 1;
        let first = *bytes.first().ok_or(BAD)?;
        let mut size = u64::from(first & 0x0f);
        let (mut byte, mut shift) = (first, 4);
        while byte & 0x80 != 0 {
            byte = *bytes.get(used).ok_or(BAD)?;
            if shift > 57 {
                return Err(BAD);
            }
            size |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            used += 1;
        }
        let form = match (first >> 4) & 7 {
            1 => Form::Whole(Kind::Commit),
            2 => Form::Whole(Kind::Tree),
            3 => Form::Whole(Kind::Blob),
            4 => Form::Whole(Kind::Tag),
            6 => {
                let mut byte = *bytes.get(used).ok_or(BAD)?;
                used += 1;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    byte = *bytes.get(used).ok_or(BAD)?;
                    used += 1;
                    back = (back + 1).checked_shl(7).ok_or(BAD)? | u64::from(byte & 0x7f);
                    if back > offset {
                        return Err(BAD);
                    }
                }
                Form::OffsetDelta(offset.checked_sub(back).filter(|base| *base < offset).ok_or(BAD)?)
            }
            7 => {
                let at = start + used;
                used += self.hash;
                if used > bytes.len() {
                    return Err(BAD);
                }
                Form::NamedDelta(at)
            }
            _ => return Err("pack entry of an unknown type"),
        };
        Ok(Head { form, size, stream: start + used })
    }

    /// Name that a [`Form::NamedDelta`] points to.
    pub(super) fn base_name(&self, at: usize) -> &[u8] {
        &self.data[at..at + self.hash]
    }

    /// Packed bytes from `from` to `to`.
    pub(super) fn raw(&self, from: usize, to: u64) -> Result<&[u8], Broken> {
        let to = usize::try_from(to.min(self.end())).map_err(|_| "pack entry is damaged")?;
        self.data.get(from..to).ok_or("pack entry is damaged")
    }

    /// Inflates the stream of an entry into a buffer, which is made at least as large as the entry says.
    pub(super) fn inflate(
        &self,
        head: &Head,
        until: u64,
        zlib: &mut Decompressor,
        into: &mut Buffer,
    ) -> Result<(), Broken> {
        let raw = self.raw(head.stream, until)?;
        // Deflate cannot shrink by more than 1032 to 1: a header that claims more is a lie that must not allocate.
        if head.size > (raw.len() as u64 + 64) * 1040 {
            return Err("pack entry claims more bytes than it can hold");
        }
        let size = usize::try_from(head.size).map_err(|_| "object is too large for this machine")?;
        let out = into.sized(size);
        match zlib.zlib_decompress(raw, out) {
            Ok(written) if written == size => Ok(()),
            _ => Err("compressed data is damaged"),
        }
    }
}

/// A buffer that keeps its largest size, so that it is zeroed once and not for each object.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    used: usize,
}

impl Buffer {
    /// The buffer with exactly this size; the content is whatever was there before.
    pub(super) fn sized(&mut self, size: usize) -> &mut [u8] {
        if self.bytes.len() < size {
            // Not resized: the old content need not be copied, and zeroed memory comes from the system for nothing.
            self.bytes = vec![0; size.next_multiple_of(4096)];
        }
        self.used = size;
        &mut self.bytes[..size]
    }

    /// The content.
    pub(super) fn content(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Bytes held, used or not.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }
}
