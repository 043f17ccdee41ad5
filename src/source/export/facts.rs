//! Very many small facts in little memory: an export of some gigabytes names millions of issues, pages and changes before the
//! texts that belong to them come.
//!
//! A name is kept as a hash under a key that nobody outside knows, a fact as bytes in one long row: about 17 bytes a fact beside
//! its own length, where two strings in a table took 150.

use std::hash::{BuildHasher, RandomState};

/// Tables that grow one at a time, so that never all of them are held twice.
const SHARDS: usize = 64;
/// Most bytes of all facts; what comes later is not known.
const MOST: usize = 256 << 20;
/// Bytes of one part of the row: a vector that grows would be copied as a whole.
const PART: usize = 1 << 20;
/// Bytes in front of a fact: the hash of its name, and its length.
const FRONT: usize = 10;

/// Facts by name; the first one of a name stays.
#[derive(Default)]
pub(super) struct Facts {
    key: RandomState,
    shards: Vec<Shard>,
    /// Hash, length and bytes of each fact.
    row: Vec<Vec<u8>>,
    length: usize,
    full: bool,
}

/// Places in the row, each one more than it is so that zero is nothing; a taken place is passed over to the next.
#[derive(Default)]
struct Shard {
    places: Vec<u32>,
    held: usize,
}

impl Shard {
    /// Where a hash stands or would stand. There is always a free place.
    fn find(&self, hash: u64, row: &[Vec<u8>]) -> Option<usize> {
        let wide = u128::from(hash) * self.places.len() as u128;
        let mut at = (wide >> 64) as usize;
        while *self.places.get(at)? != 0 && front(row, self.places[at] - 1).0 != hash {
            at = (at + 1) % self.places.len();
        }
        Some(at)
    }

    /// Makes room for one more: a third more places at a time, so that between a half and three quarters are taken.
    fn grow(&mut self, row: &[Vec<u8>]) {
        if (self.held + 1) * 4 <= self.places.len() * 3 {
            return;
        }
        let more = vec![0; self.places.len() * 4 / 3 + 16];
        for place in std::mem::replace(&mut self.places, more).into_iter().filter(|place| *place != 0) {
            if let Some(at) = self.find(front(row, place - 1).0, row) {
                self.places[at] = place;
            }
        }
    }
}

/// Hash and bytes of the fact at a place.
fn front(row: &[Vec<u8>], place: u32) -> (u64, &[u8]) {
    let rest = &row[place as usize / PART][place as usize % PART..];
    let (hash, rest) = rest.split_first_chunk::<8>().expect("because a place is where a fact was put");
    let (length, rest) = rest.split_first_chunk::<2>().expect("because a length follows a hash");
    (u64::from_le_bytes(*hash), &rest[..usize::from(u16::from_le_bytes(*length))])
}

impl Facts {
    /// Notes a fact of up to 64 KiB (a longer one loses its end), unless there is one of this name.
    pub(super) fn note(&mut self, name: &str, fact: &str) {
        let hash = self.key.hash_one(name);
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, Shard::default);
        }
        let fact = &fact.as_bytes()[..fact.floor_char_boundary(usize::from(u16::MAX))];
        // The upper bits choose the place inside of a shard.
        let shard = &mut self.shards[hash as usize % SHARDS];
        shard.grow(&self.row);
        let Some(at) = shard.find(hash, &self.row).filter(|at| shard.places[*at] == 0) else { return };
        if self.length + fact.len() > MOST {
            self.full = true;
            return;
        }
        let needed = fact.len() + FRONT;
        if self.row.last().is_none_or(|part| part.len() + needed > PART) {
            self.row.push(Vec::with_capacity(PART));
        }
        let number = self.row.len() - 1;
        let part = &mut self.row[number];
        let Ok(place) = u32::try_from(number * PART + part.len()) else { return };
        part.extend(hash.to_le_bytes());
        part.extend((fact.len() as u16).to_le_bytes());
        part.extend(fact);
        self.length += needed;
        shard.places[at] = place + 1;
        shard.held += 1;
    }

    /// A fact.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let hash = self.key.hash_one(name);
        let shard = self.shards.get(hash as usize % SHARDS)?;
        let place = shard.places[shard.find(hash, &self.row)?].checked_sub(1)?;
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
    }
}
