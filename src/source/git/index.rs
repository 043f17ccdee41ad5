//! The index beside a pack: which object lies at which offset. Versions 1 and 2, SHA-1 and SHA-256.
//! Layout: gitformat-pack(5), "Version 2 pack-*.idx files".

use std::path::Path;

use super::super::mapped::Mapped;
use super::Broken;

const MAGIC: [u8; 4] = [0xff, b't', b'O', b'c'];

/// A pack index.
pub(super) struct Index {
    data: Mapped,
    hash: usize,
    count: usize,
    layout: Layout,
}

/// Where the tables start.
enum Layout {
    /// Rows of offset and name.
    V1 { rows: usize },
    /// One table each.
    V2 { names: usize, crcs: usize, offsets: usize, large: usize },
}

impl Index {
    /// Maps an index and checks that its tables fit into the file.
    pub(super) fn open(path: &Path, hash: usize) -> Result<Self, Broken> {
        let data = Mapped::open(path).map_err(|_| "pack index cannot be opened")?;
        let second = data.starts_with(&MAGIC);
        let fanout = if second { 8 } else { 0 };
        if second && be32(&data, 4) != Some(2) {
            return Err("pack index of an unknown version");
        }
        let count = be32(&data, fanout + 255 * 4).ok_or("pack index is cut off")? as usize;
        let tables = fanout + 256 * 4;
        let (layout, end) = if second {
            let crcs = tables + count * hash;
            let offsets = crcs + count * 4;
            let large = offsets + count * 4;
            (Layout::V2 { names: tables, crcs, offsets, large }, large)
        } else {
            (Layout::V1 { rows: tables }, tables + count * (4 + hash))
        };
        if data.len() < end + 2 * hash {
            return Err("pack index is cut off");
        }
        let index = Self { data, hash, count, layout };
        let mut last = 0;
        for byte in 0..=255 {
            let here = index.fan(byte);
            if here < last || here > count {
                return Err("pack index is damaged");
            }
            last = here;
        }
        Ok(index)
    }

    /// How many objects it lists.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Name of the object at a position, sorted by name. The position must be below [`Self::len`].
    pub(super) fn name(&self, position: usize) -> &[u8] {
        let at = match self.layout {
            Layout::V1 { rows } => rows + position * (4 + self.hash) + 4,
            Layout::V2 { names, .. } => names + position * self.hash,
        };
        &self.data[at..at + self.hash]
    }

    /// CRC-32 of the packed bytes of the object at a position; version 1 has none.
    pub(super) fn crc(&self, position: usize) -> Option<u32> {
        match self.layout {
            Layout::V1 { .. } => None,
            Layout::V2 { crcs, .. } => be32(&self.data, crcs + position * 4),
        }
    }

    /// Offset in the pack of the object at a position; `None` when the index points outside of its own table.
    pub(super) fn offset(&self, position: usize) -> Option<u64> {
        match self.layout {
            Layout::V1 { rows } => be32(&self.data, rows + position * (4 + self.hash)).map(u64::from),
            Layout::V2 { offsets, large, .. } => {
                let short = be32(&self.data, offsets + position * 4)?;
                if short & 0x8000_0000 == 0 {
                    return Some(u64::from(short));
                }
                let at = large + (short & 0x7fff_ffff) as usize * 8;
                let bytes = self.data.get(at..at + 8)?;
                Some(u64::from_be_bytes(bytes.try_into().expect("eight bytes were taken")))
            }
        }
    }

    /// Position of an object by its name.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        let first = *name.first()?;
        let mut low = if first == 0 { 0 } else { self.fan(first - 1) };
        let mut high = self.fan(first);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// Checksum of the pack that this index was made for.
    pub(super) fn pack_checksum(&self) -> &[u8] {
        let end = self.data.len() - self.hash;
        &self.data[end - self.hash..end]
    }

    fn fan(&self, byte: u8) -> usize {
        let base = if matches!(self.layout, Layout::V2 { .. }) { 8 } else { 0 };
        be32(&self.data, base + usize::from(byte) * 4).unwrap_or(0) as usize
    }
}

fn be32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at + 4).map(|b| u32::from_be_bytes(b.try_into().expect("four bytes were taken")))
}
