//! Which entry of a pack is a delta of which: a forest whose roots are whole objects.

use super::Broken;
use super::pack::{Form, Kind, Pack};

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// The entries of one pack in the order of the file, with their families.
pub(super) struct Forest {
    /// Offset of each entry, rising.
    offsets: Vec<u64>,
    /// Position of each entry in the index.
    positions: Vec<u32>,
    /// Base of each entry, [`NONE`] for roots and for entries that cannot be resolved.
    bases: Vec<u32>,
    /// Kind of the root of each entry's family; `None` until it is known, and for good when it cannot be.
    kinds: Vec<Option<Kind>>,
    /// Where the children of each entry start in `children`; one more entry than there are objects.
    starts: Vec<u32>,
    /// Children, those with the smallest family first, so that few buffers live at once.
    children: Vec<u32>,
    /// Entries in the family below each entry, itself included.
    weights: Vec<u32>,
    /// Entries that cannot be read, and why.
    pub(super) broken: Vec<(u32, Broken)>,
    end: u64,
}

impl Forest {
    /// Reads the head of every entry.
    pub(super) fn of(pack: &Pack) -> Self {
        let count = pack.index.len();
        let mut broken = Vec::new();
        let mut order: Vec<(u64, u32)> =
            (0..count).map(|n| (pack.index.offset(n).unwrap_or(u64::MAX), n as u32)).collect();
        order.sort_unstable();
        let offsets: Vec<u64> = order.iter().map(|pair| pair.0).collect();
        let positions: Vec<u32> = order.iter().map(|pair| pair.1).collect();
        drop(order);
        let mut bases = vec![NONE; count];
        let mut kinds = vec![None; count];
        let mut by_position = Vec::new();
        for entry in 0..count {
            let base = match pack.head(offsets[entry]).map(|head| head.form) {
                Ok(Form::Whole(kind)) => {
                    kinds[entry] = Some(kind);
                    continue;
                }
                Ok(Form::OffsetDelta(base)) => offsets.binary_search(&base).ok(),
                Ok(Form::NamedDelta(at)) => pack.index.find(pack.base_name(at)).map(|position| {
                    if by_position.is_empty() {
                        by_position = inverse(&positions);
                    }
                    by_position[position] as usize
                }),
                Err(why) => {
                    broken.push((entry as u32, why));
                    continue;
                }
            };
            match base {
                Some(base) => bases[entry] = base as u32,
                None => broken.push((entry as u32, "delta base is not in the pack")),
            }
        }
        let mut forest = Self {
            offsets,
            positions,
            bases,
            kinds,
            starts: Vec::new(),
            children: Vec::new(),
            weights: vec![0; count],
            broken,
            end: pack.end(),
        };
        forest.link();
        forest.weigh();
        forest
    }

    /// Turns bases into lists of children.
    fn link(&mut self) {
        let count = self.offsets.len();
        let mut starts = vec![0u32; count + 1];
        for &base in self.bases.iter().filter(|base| **base != NONE) {
            starts[base as usize + 1] += 1;
        }
        for n in 0..count {
            starts[n + 1] += starts[n];
        }
        let mut next = starts.clone();
        let mut children = vec![0u32; starts[count] as usize];
        for (entry, &base) in self.bases.iter().enumerate().filter(|(_, base)| **base != NONE) {
            children[next[base as usize] as usize] = entry as u32;
            next[base as usize] += 1;
        }
        self.starts = starts;
        self.children = children;
    }

    /// Counts families, hands the root's kind down, and finds entries that hang on no root: below a broken entry, or in a
    /// circle of deltas.
    fn weigh(&mut self) {
        let mut order: Vec<u32> =
            (0..self.offsets.len() as u32).filter(|n| self.kinds[*n as usize].is_some()).collect();
        let mut at = 0;
        while at < order.len() {
            let entry = order[at];
            let kind = self.kinds[entry as usize];
            for n in self.range(entry) {
                let child = self.children[n];
                self.kinds[child as usize] = kind;
                order.push(child);
            }
            at += 1;
        }
        for &entry in order.iter().rev() {
            let below: u32 = self.range(entry).map(|n| self.weights[self.children[n] as usize]).sum();
            self.weights[entry as usize] = below + 1;
        }
        for entry in order {
            let range = self.range(entry);
            if range.len() > 1 {
                let weights = &self.weights;
                self.children[range].sort_by_key(|child| weights[*child as usize]);
            }
        }
        let known: std::collections::HashSet<u32> = self.broken.iter().map(|pair| pair.0).collect();
        for entry in (0..self.offsets.len() as u32).filter(|n| self.kinds[*n as usize].is_none()) {
            if !known.contains(&entry) {
                self.broken.push((entry, "its chain of deltas ends in a damaged or missing object, or in itself"));
            }
        }
    }

    fn range(&self, entry: u32) -> std::ops::Range<usize> {
        self.starts[entry as usize] as usize..self.starts[entry as usize + 1] as usize
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Entries that are deltas of this one.
    pub(super) fn children(&self, entry: u32) -> &[u32] {
        &self.children[self.range(entry)]
    }

    /// Entry that this one is a delta of.
    pub(super) fn base(&self, entry: u32) -> Option<u32> {
        Some(self.bases[entry as usize]).filter(|base| *base != NONE)
    }

    /// Kind of an entry, if its chain reaches a whole object.
    pub(super) fn kind(&self, entry: u32) -> Option<Kind> {
        self.kinds[entry as usize]
    }

    /// Entries in the family below an entry, itself included; 0 for entries that cannot be read.
    pub(super) fn weight(&self, entry: u32) -> u32 {
        self.weights[entry as usize]
    }

    /// Position of an entry in the index.
    pub(super) fn position(&self, entry: u32) -> usize {
        self.positions[entry as usize] as usize
    }

    /// Where an entry starts.
    pub(super) fn offset(&self, entry: u32) -> u64 {
        self.offsets[entry as usize]
    }

    /// Where the next entry starts.
    pub(super) fn until(&self, entry: u32) -> u64 {
        self.offsets.get(entry as usize + 1).copied().unwrap_or(self.end).min(self.end)
    }

    /// The entry that starts at an offset.
    pub(super) fn at(&self, offset: u64) -> Option<u32> {
        self.offsets.binary_search(&offset).ok().map(|n| n as u32)
    }
}

fn inverse(positions: &[u32]) -> Vec<u32> {
    let mut by_position = vec![0u32; positions.len()];
    for (entry, &position) in positions.iter().enumerate() {
        by_position[position as usize] = entry as u32;
    }
    by_position
}
