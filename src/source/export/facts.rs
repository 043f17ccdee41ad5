//! Very many small facts in little memory: an export of some gigabytes names millions of issues, pages and changes before the
//! texts that belong to them come.
//!
//! A name is kept as a hash under a key that nobody outside knows, a fact as bytes in one long row: about 16 bytes a fact beside
//! its own length, where two strings in a table took 150. Nothing here grows by being copied to a larger place.

use std::hash::{BuildHasher, RandomState};

/// Most bytes of the row; what comes later is not known.
const MOST: usize = 140 << 20;
/// Bytes of one part of the row.
const PART: usize = 1 << 20;
/// Places of a page, and how many of them may be taken.
const PAGE: (usize, usize) = (4096, 3600);

/// Facts by name; the first one of a name stays.
#[derive(Default)]
pub(super) struct Facts {
    key: RandomState,
    pages: Vec<Page>,
    /// Page of each start of a hash; as many bits as `depth` says.
    starts: Vec<u32>,
    depth: u32,
    /// Hash, length and bytes of each fact.
    row: Vec<Vec<u8>>,
    full: bool,
}

/// Places in the row, each one more than it is so that zero is nothing; a taken place is passed over to the next. A page that is
/// full is split in two by the next bit of the hashes.
struct Page {
    places: Box<[u32]>,
    held: usize,
    depth: u32,
}

impl Page {
    fn new(depth: u32) -> Self {
        Self { places: vec![0; PAGE.0].into(), held: 0, depth }
    }

    /// Where a hash stands or would stand. There is always a free place.
    fn find(&self, hash: u64, row: &[Vec<u8>]) -> usize {
        let mut at = hash as usize % PAGE.0;
        while self.places[at] != 0 && front(row, self.places[at] - 1).0 != hash {
            at = (at + 1) % PAGE.0;
        }
        at
    }

    fn put(&mut self, at: usize, place: u32) {
        self.places[at] = place;
        self.held += 1;
    }
}

/// Hash and bytes of the fact at a place.
fn front(row: &[Vec<u8>], place: u32) -> (u64, &[u8]) {
    let rest = &row[place as usize / PART][place as usize % PART..];
    let (hash, rest) = rest.split_first_chunk::<8>().expect("because a place is where a fact was put");
    let (length, rest) = rest.split_first_chunk::<2>().expect("because a length follows a hash");
    (u64::from_le_bytes(*hash), &rest[..usize::from(u16::from_le_bytes(*length))])
}

/// The first bits of a hash as a number.
fn bits(hash: u64, count: u32) -> usize {
    hash.checked_shr(64 - count).unwrap_or(0) as usize
}

impl Facts {
    /// Notes a fact of up to 64 KiB (a longer one loses its end), unless there is one of this name.
    pub(super) fn note(&mut self, name: &str, fact: &str) {
        let hash = self.key.hash_one(name);
        if self.pages.is_empty() {
            self.pages.push(Page::new(0));
            self.starts.push(0);
        }
        let page = &self.pages[self.starts[bits(hash, self.depth)] as usize];
        if page.places[page.find(hash, &self.row)] != 0 {
            return;
        }
        let fact = &fact.as_bytes()[..fact.floor_char_boundary(usize::from(u16::MAX))];
        let Some(place) = self.append(hash, fact) else {
            self.full = true;
            return;
        };
        let number = self.with_room(hash);
        let at = self.pages[number].find(hash, &self.row);
        self.pages[number].put(at, place + 1);
    }

    /// Adds to the row, if there is room.
    fn append(&mut self, hash: u64, fact: &[u8]) -> Option<u32> {
        let needed = fact.len() + 10;
        if self.row.last().is_none_or(|part| part.len() + needed > PART) {
            if self.row.len() * PART >= MOST {
                return None;
            }
            self.row.push(Vec::with_capacity(PART));
        }
        let number = self.row.len() - 1;
        let part = &mut self.row[number];
        let place = u32::try_from(number * PART + part.len()).ok()?;
        part.extend(hash.to_le_bytes());
        part.extend((fact.len() as u16).to_le_bytes());
        part.extend(fact);
        Some(place)
    }

    /// The page of a hash, split until it has room.
    fn with_room(&mut self, hash: u64) -> usize {
        loop {
            let number = self.starts[bits(hash, self.depth)] as usize;
            if self.pages[number].held < PAGE.1 {
                return number;
            }
            if self.pages[number].depth == self.depth {
                self.starts = self.starts.iter().flat_map(|page| [*page, *page]).collect();
                self.depth += 1;
            }
            let depth = self.pages[number].depth + 1;
            let old = std::mem::replace(&mut self.pages[number], Page::new(depth));
            let upper = self.pages.len();
            self.pages.push(Page::new(depth));
            for place in old.places.into_iter().filter(|place| *place != 0) {
                let hash = front(&self.row, place - 1).0;
                let page = &mut self.pages[if bits(hash, depth) & 1 == 1 { upper } else { number }];
                let at = page.find(hash, &self.row);
                page.put(at, place);
            }
            let half = 1usize << (self.depth - depth);
            let first = bits(hash, depth) | 1;
            self.starts[first * half..(first + 1) * half].fill(upper as u32);
        }
    }

    /// A fact.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let hash = self.key.hash_one(name);
        let page = &self.pages[*self.starts.get(bits(hash, self.depth))? as usize];
        let place = page.places[page.find(hash, &self.row)].checked_sub(1)?;
        std::str::from_utf8(front(&self.row, place).1).ok()
    }

    /// Whether there were more facts than are kept.
    pub(super) fn full(&self) -> bool {
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fact_of_a_name_stays() {
        let mut facts = Facts::default();
        assert_eq!(facts.get("a"), None);
        let long = "\u{e4}".repeat(PART);
        for (name, fact) in [("a", "one"), ("b", ""), ("a", "two"), ("long", &long)] {
            facts.note(name, fact);
        }
        assert_eq!((facts.get("a"), facts.get("b"), facts.get("c")), (Some("one"), Some(""), None));
        assert!(facts.get("long").is_some_and(|fact| long.starts_with(fact) && fact.len() > 60_000));
        (0..200_000).for_each(|n| facts.note(&format!("n {n}"), &format!("fact {n}")));
        assert!((0..200_000).all(|n| facts.get(&format!("n {n}")) == Some(&*format!("fact {n}"))));
        assert!(!facts.full());
    }

    #[test]
    fn too_many_facts_are_told() {
        let (mut facts, long) = (Facts::default(), "x".repeat(60_000));
        (0..3000).for_each(|n| facts.note(&n.to_string(), &long));
        assert!(facts.full());
        assert_eq!((facts.get("0").map(str::len), facts.get("2999")), (Some(60_000), None));
        assert!(facts.row.len() * PART <= MOST);
    }
}
