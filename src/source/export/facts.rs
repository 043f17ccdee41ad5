//! Very many small facts in little memory: an export of some gigabytes names millions of issues, pages and changes before the
//! texts that belong to them come.
//!
//! A name is kept as a hash under a key that nobody outside knows, a fact as bytes in one long row: about 40 bytes a fact beside
//! its own length, where two strings in a table took 150.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Tables that grow one at a time, so that never all of them are held twice.
const SHARDS: usize = 64;
/// Most bytes of all facts; what comes later is not known.
const MOST: usize = 256 << 20;

/// Facts by name; the first one of a name stays.
pub(super) struct Facts {
    key: RandomState,
    shards: Vec<HashMap<u64, u32>>,
    /// Length and bytes of each fact.
    row: Vec<Vec<u8>>,
    length: usize,
}

/// Bytes of one part of the row: a vector that grows would be copied as a whole.
const PART: usize = 1 << 20;

impl Default for Facts {
    fn default() -> Self {
        Self { key: RandomState::new(), shards: Vec::new(), row: Vec::new(), length: 0 }
    }
}

impl Facts {
    /// Notes a fact, unless there is one of this name.
    pub(super) fn note(&mut self, name: &str, fact: &str) {
        let hash = self.key.hash_one(name);
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, HashMap::new);
        }
        let fact = &fact.as_bytes()[..fact.floor_char_boundary(PART / 2)];
        let shard = &mut self.shards[hash as usize % SHARDS];
        if self.length + fact.len() > MOST || shard.contains_key(&hash) {
            return;
        }
        let needed = fact.len() + 4;
        if self.row.last().is_none_or(|part| part.len() + needed > PART) {
            self.row.push(Vec::with_capacity(PART));
        }
        let number = self.row.len() - 1;
        let part = &mut self.row[number];
        let Ok(place) = u32::try_from(number * PART + part.len()) else { return };
        part.extend((fact.len() as u32).to_le_bytes());
        part.extend(fact);
        self.length += needed;
        shard.insert(hash, place);
    }

    /// A fact.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let hash = self.key.hash_one(name);
        let place = *self.shards.get(hash as usize % SHARDS)?.get(&hash)? as usize;
        let rest = &self.row[place / PART][place % PART..];
        let (length, rest) = rest.split_first_chunk::<4>()?;
        std::str::from_utf8(&rest[..u32::from_le_bytes(*length) as usize]).ok()
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
        assert!(facts.get("long").is_some_and(|fact| long.starts_with(fact) && fact.len() > PART / 4));
        (0..200_000).for_each(|n| facts.note(&format!("n {n}"), &format!("fact {n}")));
        assert!((0..200_000).all(|n| facts.get(&format!("n {n}")) == Some(&*format!("fact {n}"))));
    }
}
