//! Objects of git histories that were scanned before with the same rules, so that a second scan reads only what is new.
//!
//! A set belongs to one digest of rules and options: other rules have another set. Only objects that were read whole and
//! in which nothing was found are kept, so an incremental scan reports what a full scan would: objects with findings, and
//! those that could not be read, are looked at again every time.
//!
//! The file is a header and the sorted first twelve bytes of the object names. Twelve bytes, because somebody who wants an
//! object overlooked would have to hit one of the kept prefixes with it, which takes 2⁷⁶ attempts against a million
//! objects. A new file replaces the old one whole, after it was written to the disk; a file that is damaged counts as
//! empty, and everything is scanned again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::mapped::Mapped;
use crate::error::{Error, Result};

/// Bytes that are kept of an object name.
const PREFIX: usize = 12;
/// First bytes of the file; the digit is the version.
const MAGIC: &[u8; 12] = b"offkey-seen1";
/// Magic, CRC-32 of the records, digest of the rules.
const HEADER: usize = MAGIC.len() + 4 + 32;

type Prefix = [u8; PREFIX];

/// The set of one digest, on disk, and what this run adds to it.
#[derive(Debug)]
pub struct Seen {
    file: PathBuf,
    digest: [u8; 32],
    known: Known,
    fresh: Mutex<Vec<Prefix>>,
}

/// The records of a file.
struct Known(Option<Mapped>);

impl Seen {
    /// Opens the set for a digest in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, digest: [u8; 32]) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|cause| {
            Error::user(format!("the folder of earlier scans, {}, cannot be made", folder.display()))
                .because(cause)
                .next("Name another folder, or scan without --incremental.")
        })?;
        let file = folder.join(format!("{}.seen", data_encoding::HEXLOWER.encode(&digest[..16])));
        let known = Known::read(&file, &digest);
        Ok(Self { file, digest, known, fresh: Mutex::new(Vec::new()) })
    }

    /// How many objects are known from earlier runs.
    pub fn len(&self) -> usize {
        self.known.records().len() / PREFIX
    }

    /// True when no earlier run left anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an object was scanned before. The name is that of git, 20 or 32 bytes.
    pub fn contains(&self, name: &[u8]) -> bool {
        prefix(name).is_some_and(|prefix| self.known.contains(&prefix))
    }

    /// Notes an object that was read whole in this run.
    pub fn note(&self, name: &[u8]) {
        let mut fresh = self.fresh.lock().expect("because no thread panics with the lock held");
        fresh.extend(prefix(name));
    }

    /// Adds what this run noted to the file, without the objects in `found` (names in hexadecimal): those are to be found
    /// again. Runs at the same time lose nothing to each other.
    ///
    /// # Errors
    /// When the file cannot be written; the old one is then still there.
    pub fn save<'a>(&self, found: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let write = || -> io::Result<()> {
            let lock = File::create(self.file.with_extension("lock"))?;
            lock.lock()?;
            let found: std::collections::HashSet<Prefix> = found
                .into_iter()
                .filter_map(|oid| prefix(&data_encoding::HEXLOWER.decode(oid.as_bytes()).ok()?))
                .collect();
            let now = Known::read(&self.file, &self.digest);
            let mut all: Vec<Prefix> = now.records().chunks_exact(PREFIX).filter_map(prefix).collect();
            let fresh = self.fresh.lock().expect("because no thread panics with the lock held");
            all.extend(fresh.iter().filter(|one| !found.contains(*one)));
            all.sort_unstable();
            all.dedup();
            self.replace(all.as_flattened())
        };
        write().map_err(|cause| {
            Error::user(format!("{} cannot be written", self.file.display()))
                .because(cause)
                .still("The findings of this scan are complete; the next scan reads everything again.")
        })
    }

    fn replace(&self, records: &[u8]) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(MAGIC)?;
        new.write_all(&crc32fast::hash(records).to_le_bytes())?;
        new.write_all(&self.digest)?;
        new.write_all(records)?;
        new.as_file().sync_all()?;
        new.persist(&self.file).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

impl Known {
    /// What a file holds; nothing if it is not there, damaged, or made for other rules.
    fn read(file: &Path, digest: &[u8; 32]) -> Self {
        let data = Mapped::open(file).ok().filter(|data| {
            let Some((header, records)) = data.split_at_checked(HEADER) else { return false };
            let (magic, rest) = header.split_at(MAGIC.len());
            magic == MAGIC
                && rest[4..] == digest[..]
                && records.len().is_multiple_of(PREFIX)
                && rest[..4] == crc32fast::hash(records).to_le_bytes()
        });
        Self(data)
    }

    fn records(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], |data| &data[HEADER..])
    }

    fn contains(&self, prefix: &Prefix) -> bool {
        let records = self.records();
        let (mut low, mut high) = (0, records.len() / PREFIX);
        while low < high {
            let middle = low + (high - low) / 2;
            match records[middle * PREFIX..(middle + 1) * PREFIX].cmp(prefix) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return true,
            }
        }
        false
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} objects", self.records().len() / PREFIX)
    }
}

fn prefix(name: &[u8]) -> Option<Prefix> {
    name.get(..PREFIX)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: u8) -> Vec<u8> {
        let mut name = vec![n.wrapping_mul(151); 20];
        name[13..].fill(0);
        name
    }

    fn hexed(n: u8) -> String {
        data_encoding::HEXLOWER.encode(&name(n))
    }

    #[test]
    fn what_was_noted_is_known_to_the_next_run_and_found_objects_are_not() {
        let folder = tempfile::tempdir().expect("folder");
        let first = Seen::open(folder.path(), [7; 32]).expect("opens");
        let other = Seen::open(folder.path(), [7; 32]).expect("opens");
        (0..100).for_each(|n| first.note(&name(n)));
        (90..120).for_each(|n| other.note(&name(n)));
        assert!(first.is_empty() && !first.contains(&name(3)), "nothing is known before it is saved");
        first.save([hexed(5).as_str()]).expect("saves");
        other.save([]).expect("saves");
        let next = Seen::open(folder.path(), [7; 32]).expect("opens");
        assert_eq!(next.len(), 119);
        assert!((0..120).all(|n| next.contains(&name(n)) == (n != 5)) && !next.contains(&name(200)));
        assert!(Seen::open(folder.path(), [8; 32]).expect("opens").is_empty(), "other rules, another set");
        let size = fs::metadata(&next.file).expect("file").len();
        assert_eq!(size, (HEADER + 119 * 12) as u64);
    }

    #[test]
    fn a_damaged_file_counts_as_empty() {
        let folder = tempfile::tempdir().expect("folder");
        let first = Seen::open(folder.path(), [7; 32]).expect("opens");
        (0..100).for_each(|n| first.note(&name(n)));
        first.save([]).expect("saves");
        let good = fs::read(&first.file).expect("reads");
        for at in [0, 13, 30, HEADER + 1, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&first.file, &bad).expect("writes");
            assert!(Seen::open(folder.path(), [7; 32]).expect("opens").is_empty(), "byte {at}");
        }
        for length in [0, 5, HEADER, good.len() - 5, good.len() - 12] {
            fs::write(&first.file, &good[..length]).expect("writes");
            assert!(Seen::open(folder.path(), [7; 32]).expect("opens").is_empty(), "length {length}");
        }
        first.save([]).expect("a damaged file is replaced");
        assert_eq!(Seen::open(folder.path(), [7; 32]).expect("opens").len(), 100);
    }
}
