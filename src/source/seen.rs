//! Objects of git histories that were scanned before with the same rules, so that a second scan reads only what is new.
//!
//! A set belongs to one digest of rules and options: other rules have another set. Only objects that were read whole and
//! in which nothing was found are kept, so an incremental scan reports what a full scan would: objects with findings, and
//! those that could not be read, are looked at again every time.
//!
//! The set is a few files, each a header and sorted first twelve bytes of object names. Twelve bytes, because somebody who
//! wants an object overlooked would have to hit one of the kept prefixes with it, which takes 2⁷⁶ attempts against a million
//! objects. A run writes what is new to it as another file and takes those in that are not twice as large, so that
//! the set of all repositories of an organisation is not written again for each of them. Files appear whole, after they were
//! written to the disk, and go when another holds what they held; one that is damaged counts as empty, and its objects are
//! scanned again.

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
/// How the names of its files end.
const SUFFIX: &str = "seen";
/// Magic, CRC-32 of the records, digest of the rules.
const HEADER: usize = MAGIC.len() + 4 + 32;

type Prefix = [u8; PREFIX];

/// The set of one digest, on disk, and what this run adds to it.
#[derive(Debug)]
pub struct Seen {
    folder: PathBuf,
    digest: [u8; 32],
    known: Vec<Known>,
    fresh: Mutex<Vec<Prefix>>,
}

/// The records of a file.
struct Known {
    file: PathBuf,
    data: Option<Mapped>,
}

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
        let folder = folder.to_owned();
        let known = Known::all(&folder, &digest).map_err(|cause| {
            Error::user(format!("the folder of earlier scans, {}, cannot be read", folder.display()))
                .because(cause)
                .next("Name another folder, or scan without --incremental.")
        })?;
        Ok(Self { folder, digest, known, fresh: Mutex::new(Vec::new()) })
    }

    /// How many objects are known from earlier runs.
    pub fn len(&self) -> usize {
        self.known.iter().map(Known::len).sum()
    }

    /// True when no earlier run left anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an object was scanned before. The name is that of git, 20 or 32 bytes.
    pub fn contains(&self, name: &[u8]) -> bool {
        prefix(name).is_some_and(|prefix| self.knows(&prefix))
    }

    /// Notes an object that was read whole in this run.
    pub fn note(&self, name: &[u8]) {
        let mut fresh = self.fresh.lock().expect("because no thread panics with the lock held");
        fresh.extend(prefix(name));
    }

    fn knows(&self, prefix: &Prefix) -> bool {
        self.known.iter().any(|known| known.contains(prefix))
    }

    /// Adds what this run noted to the set, without the objects in `found` (names in hexadecimal): those are to be found
    /// again. Runs at the same time lose nothing to each other.
    ///
    /// # Errors
    /// When the set cannot be written; the old one is then still there.
    pub fn save<'a>(&self, found: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let found: std::collections::HashSet<Prefix> =
            found.into_iter().filter_map(|oid| prefix(&data_encoding::HEXLOWER.decode(oid.as_bytes()).ok()?)).collect();
        let noted = self.fresh.lock().expect("because no thread panics with the lock held");
        let fresh = noted.iter().filter(|one| !found.contains(*one) && !self.knows(one));
        let fresh: Vec<Prefix> = fresh.copied().collect();
        if fresh.is_empty() {
            return Ok(());
        }
        self.add(fresh).map_err(|cause| {
            Error::user(format!("what was scanned cannot be noted in {}", self.folder.display()))
                .because(cause)
                .still("The findings of this scan are complete; the next scan reads the same again.")
        })
    }

    /// Writes a file with new records and those of the files that are not twice as large, which go.
    fn add(&self, mut records: Vec<Prefix>) -> io::Result<()> {
        let lock = File::create(self.folder.join(stem(&self.digest)).with_extension("lock"))?;
        lock.lock()?;
        let mut others = Known::all(&self.folder, &self.digest)?;
        // Other runs may have noted the same meanwhile.
        records.retain(|one| !others.iter().any(|other| other.contains(one)));
        others.reverse();
        let mut gone = Vec::new();
        for other in others {
            if other.len() > 2 * records.len() {
                break;
            }
            records.extend(other.records().chunks_exact(PREFIX).filter_map(prefix));
            gone.push(other);
        }
        records.sort_unstable();
        records.dedup();
        self.write(records.as_flattened())?;
        // The objects of a file that cannot be removed are known twice, and no harm is done.
        gone.into_iter().for_each(|Known { file, data }| {
            drop(data);
            drop(fs::remove_file(file));
        });
        Ok(())
    }

    fn write(&self, records: &[u8]) -> io::Result<()> {
        let name = format!("{}-", stem(&self.digest));
        let mut new = tempfile::Builder::new().prefix(&name).suffix(".new").tempfile_in(&self.folder)?;
        new.write_all(MAGIC)?;
        new.write_all(&crc32fast::hash(records).to_le_bytes())?;
        new.write_all(&self.digest)?;
        new.write_all(records)?;
        new.as_file().sync_all()?;
        let whole = new.path().with_extension(SUFFIX);
        new.persist_noclobber(whole).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// What the names of a digest's files start with.
fn stem(digest: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(&digest[..16])
}

impl Known {
    /// The files of a digest in a folder, the largest first.
    fn all(folder: &Path, digest: &[u8; 32]) -> io::Result<Vec<Self>> {
        let stem = stem(digest);
        let mut all = Vec::new();
        for entry in fs::read_dir(folder)? {
            let file = entry?.path();
            let named = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&stem));
            if named && file.extension().is_some_and(|suffix| suffix == SUFFIX) {
                all.push(Self::read(file, digest));
            }
        }
        all.sort_by_key(|known| std::cmp::Reverse(known.len()));
        Ok(all)
    }

    /// What a file holds; nothing if it is damaged or made for other rules.
    fn read(file: PathBuf, digest: &[u8; 32]) -> Self {
        let data = Mapped::open(&file).ok().filter(|data| {
            let Some((header, records)) = data.split_at_checked(HEADER) else { return false };
            let (magic, rest) = header.split_at(MAGIC.len());
            magic == MAGIC
                && rest[4..] == digest[..]
                && records.len().is_multiple_of(PREFIX)
                && rest[..4] == crc32fast::hash(records).to_le_bytes()
        });
        Self { file, data }
    }

    fn len(&self) -> usize {
        self.records().len() / PREFIX
    }

    fn records(&self) -> &[u8] {
        self.data.as_deref().map_or(&[], |data| &data[HEADER..])
    }

    fn contains(&self, prefix: &Prefix) -> bool {
        let records = self.records();
        let (mut low, mut high) = (0, self.len());
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
        write!(f, "{} objects", self.len())
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
        assert_eq!(sizes(folder.path()), [HEADER + 20 * 12, HEADER + 99 * 12]);
    }

    fn sizes(folder: &Path) -> Vec<usize> {
        let files = fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path());
        let files = files.filter(|file| file.extension().is_some_and(|suffix| suffix == SUFFIX));
        let mut all: Vec<usize> = files.map(|file| fs::metadata(file).expect("file").len() as usize).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_small_run_leaves_the_files_of_larger_ones_alone_until_it_has_grown() {
        let folder = tempfile::tempdir().expect("folder");
        let run = |names: std::ops::Range<u8>| {
            let seen = Seen::open(folder.path(), [7; 32]).expect("opens");
            names.for_each(|n| seen.note(&name(n)));
            seen.save([]).expect("saves");
        };
        let size = |records: usize| HEADER + records * PREFIX;
        run(0..100);
        run(100..104);
        assert_eq!(sizes(folder.path()), [size(4), size(100)]);
        run(90..104);
        assert_eq!(sizes(folder.path()), [size(4), size(100)], "nothing new, nothing written");
        run(104..110);
        assert_eq!(sizes(folder.path()), [size(10), size(100)], "six take four in, but not a hundred");
        run(110..160);
        assert_eq!(sizes(folder.path()), [size(160)]);
        let all = Seen::open(folder.path(), [7; 32]).expect("opens");
        assert!((0..160).all(|n| all.contains(&name(n))) && all.len() == 160);
    }

    #[test]
    fn a_damaged_file_counts_as_empty() {
        let folder = tempfile::tempdir().expect("folder");
        let first = Seen::open(folder.path(), [7; 32]).expect("opens");
        (0..100).for_each(|n| first.note(&name(n)));
        first.save([]).expect("saves");
        let file = Seen::open(folder.path(), [7; 32]).expect("opens").known.remove(0).file;
        let good = fs::read(&file).expect("reads");
        for at in [0, 13, 30, HEADER + 1, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&file, &bad).expect("writes");
            assert!(Seen::open(folder.path(), [7; 32]).expect("opens").is_empty(), "byte {at}");
        }
        for length in [0, 5, HEADER, good.len() - 5, good.len() - 12] {
            fs::write(&file, &good[..length]).expect("writes");
            assert!(Seen::open(folder.path(), [7; 32]).expect("opens").is_empty(), "length {length}");
        }
        first.save([]).expect("a damaged file is replaced");
        assert_eq!(Seen::open(folder.path(), [7; 32]).expect("opens").len(), 100);
    }
}
