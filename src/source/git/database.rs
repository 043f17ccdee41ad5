//! A repository's object database: its packs and loose objects, those of its alternates included.

use std::fs;
use std::path::{Path, PathBuf};

use libdeflater::Decompressor;

use super::super::Copied;
use super::delta;
use super::forest::Forest;
use super::loose;
use super::pack::{Buffer, Form, Kind, Pack};
use super::{Broken, hex};
use crate::error::{Error, Result};

/// A pack and the families of its entries.
pub(super) struct Packed {
    pub(super) pack: Pack,
    pub(super) forest: Forest,
}

/// All objects that a repository can reach on this disk.
pub(super) struct Database {
    /// Folder that holds refs and configuration shared by all work trees.
    pub(super) common: PathBuf,
    /// Folder of this work tree: `HEAD`, `index`.
    pub(super) git_dir: PathBuf,
    /// Length of an object name in bytes: 20 or 32.
    pub(super) hash: usize,
    pub(super) packs: Vec<Packed>,
    /// Object folders: the own one first, then alternates.
    pub(super) folders: Vec<PathBuf>,
    /// Parts that cannot be read: `(place, why)`.
    pub(super) complaints: Vec<(String, String)>,
    /// True when a remote promised objects that are not here.
    pub(super) promisor: bool,
    /// Commits behind which history was cut off, in hexadecimal.
    pub(super) shallow: Vec<String>,
}

impl Database {
    /// Finds the database of the repository at a path: its top folder, its `.git` (folder or file), or a bare repository.
    ///
    /// # Errors
    /// When there is no repository there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let git_dir = git_dir(path).ok_or_else(|| {
            Error::user(format!("{} is not a git repository", path.display()))
                .next("Name the top folder of a work tree, its .git, or a bare repository.")
        })?;
        let common = match fs::read_to_string(git_dir.join("commondir")) {
            Ok(text) => git_dir.join(text.trim()),
            Err(_) => git_dir.clone(),
        };
        let config = fs::read_to_string(common.join("config")).unwrap_or_default().to_ascii_lowercase();
        let mut database = Self {
            hash: if sha256(&config) { 32 } else { 20 },
            folders: folders(&common.join("objects")),
            packs: Vec::new(),
            complaints: Vec::new(),
            promisor: config.contains("promisor = true") || config.contains("partialclone"),
            shallow: lines(&common.join("shallow")),
            common,
            git_dir,
        };
        for folder in database.folders.clone() {
            database.open_packs(&folder);
        }
        Ok(database)
    }

    fn open_packs(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else {
            self.complaints.push((folder.display().to_string(), "object folder cannot be read".to_owned()));
            return;
        };
        drop(entries);
        let mut files: Vec<PathBuf> = fs::read_dir(folder.join("pack"))
            .map(|entries| entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect())
            .unwrap_or_default();
        files.sort();
        self.promisor |= files.iter().any(|file| file.extension().is_some_and(|e| e == "promisor"));
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "pack")) {
            match Pack::open(file, self.hash) {
                Ok((pack, complaint)) => {
                    if let Some(why) = complaint {
                        self.complaints.push((pack.name.clone(), why.to_owned()));
                    }
                    let forest = Forest::of(&pack);
                    self.packs.push(Packed { pack, forest });
                }
                Err(why) => self.complaints.push((file.display().to_string(), why.to_owned())),
            }
        }
    }

    /// Every loose object: its name and file. Files with another name are not objects.
    pub(super) fn loose(&self) -> Vec<(Vec<u8>, PathBuf)> {
        let mut found = Vec::new();
        for folder in &self.folders {
            for byte in 0..=255u8 {
                let first = hex(&[byte]);
                let Ok(entries) = fs::read_dir(folder.join(&first)) else { continue };
                for entry in entries.filter_map(|entry| entry.ok()) {
                    let name = format!("{first}{}", entry.file_name().to_string_lossy());
                    if let Some(name) = unhex(&name).filter(|name| name.len() == self.hash) {
                        found.push((name, entry.path()));
                    }
                }
            }
        }
        found.sort();
        found.dedup_by(|a, b| a.0 == b.0);
        found
    }

    /// The pack and entry that hold an object.
    pub(super) fn find(&self, name: &[u8]) -> Option<(usize, u32)> {
        self.packs.iter().enumerate().find_map(|(n, packed)| {
            let position = packed.pack.index.find(name)?;
            Some((n, packed.forest.at(packed.pack.index.offset(position)?)?))
        })
    }

    /// True when the object is here, packed or loose.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.packs.iter().any(|packed| packed.pack.index.find(name).is_some()) || self.loose_file(name).is_some()
    }

    fn loose_file(&self, name: &[u8]) -> Option<PathBuf> {
        let text = hex(name);
        self.folders.iter().map(|folder| folder.join(&text[..2]).join(&text[2..])).find(|file| file.exists())
    }

    /// Reads one object by its name.
    pub(super) fn read(&self, name: &[u8], worker: &mut Worker) -> Result<(Kind, Vec<u8>), Broken> {
        if let Some((n, entry)) = self.find(name) {
            let packed = &self.packs[n];
            let kind = packed.forest.kind(entry).ok_or("its chain of deltas is damaged")?;
            let mut buffer = Buffer::default();
            packed.resolve(entry, worker, &mut buffer)?;
            return Ok((kind, buffer.content().to_vec()));
        }
        let file = self.loose_file(name).ok_or("object is not in the repository")?;
        loose::read(&file, &mut worker.zlib)
    }
}

/// What a thread needs to read entries; reused from one to the next.
pub(super) struct Worker {
    pub(super) zlib: Decompressor,
    pub(super) delta: Buffer,
    pub(super) copied: Vec<Copied>,
    spare: Vec<Buffer>,
}

impl Worker {
    pub(super) fn new() -> Self {
        Self { zlib: Decompressor::new(), delta: Buffer::default(), copied: Vec::new(), spare: Vec::new() }
    }

    /// A buffer, used before if possible.
    pub(super) fn buffer(&mut self) -> Buffer {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a buffer back. Large and many ones are freed: one giant must not be paid for until the end.
    pub(super) fn give_back(&mut self, buffer: Buffer) {
        if buffer.capacity() <= 8 << 20 && self.spare.len() < 16 {
            self.spare.push(buffer);
        }
    }
}

impl Packed {
    /// Reads an entry with all its bases into a buffer.
    pub(super) fn resolve(&self, entry: u32, worker: &mut Worker, into: &mut Buffer) -> Result<(), Broken> {
        let mut chain = vec![entry];
        let mut at = entry;
        while let Some(base) = self.forest.base(at) {
            if chain.len() > self.forest.len() {
                return Err("its chain of deltas ends in itself");
            }
            chain.push(base);
            at = base;
        }
        let root = chain.pop().expect("a chain has at least one entry");
        self.whole(root, worker, into)?;
        let mut other = worker.buffer();
        for step in chain.into_iter().rev() {
            self.apply(step, into.content(), worker, &mut other)?;
            std::mem::swap(into, &mut other);
        }
        worker.give_back(other);
        Ok(())
    }

    /// Inflates an entry that is a whole object.
    pub(super) fn whole(&self, entry: u32, worker: &mut Worker, into: &mut Buffer) -> Result<(), Broken> {
        let head = self.pack.head(self.forest.offset(entry))?;
        if !matches!(head.form, Form::Whole(_)) {
            return Err("pack entry is not a whole object");
        }
        self.check(entry)?;
        self.pack.inflate(&head, self.forest.until(entry), &mut worker.zlib, into)
    }

    /// Applies an entry that is a delta to its base. The copies are left in the worker.
    pub(super) fn apply(&self, entry: u32, base: &[u8], worker: &mut Worker, into: &mut Buffer) -> Result<(), Broken> {
        self.check(entry)?;
        let head = self.pack.head(self.forest.offset(entry))?;
        self.pack.inflate(&head, self.forest.until(entry), &mut worker.zlib, &mut worker.delta)?;
        let delta = worker.delta.content();
        let (base_size, size, start) = delta::sizes(delta)?;
        if base_size != base.len() {
            return Err("delta was made for another base");
        }
        if size > MOST {
            return Err("delta makes an object of more than 512 MiB");
        }
        // A size that is a lie must not cost memory.
        if size > LARGE && delta::given(&delta[start..])? != size as u64 {
            return Err("delta does not give the bytes that it announces");
        }
        delta::apply(base, &delta[start..], into.sized(size), &mut worker.copied)
    }

    /// Compares the packed bytes with their CRC in the index.
    pub(super) fn check(&self, entry: u32) -> Result<(), Broken> {
        let Some(expected) = self.pack.index.crc(self.forest.position(entry)) else { return Ok(()) };
        let start = usize::try_from(self.forest.offset(entry)).map_err(|_| "pack entry is damaged")?;
        if crc32fast::hash(self.pack.raw(start, self.forest.until(entry))?) == expected {
            Ok(())
        } else {
            Err("checksum of the pack entry differs from the index")
        }
    }
}

/// Largest object that a delta may make. Git itself makes no deltas above `core.bigFileThreshold`, 512 MiB.
pub(super) const MOST: usize = 512 << 20;
/// Deltas that announce more are looked through before memory is taken for their result.
const LARGE: usize = 1 << 20;

/// The git folder of a path: itself, its `.git`, or where its `.git` file points.
pub(super) fn git_dir(path: &Path) -> Option<PathBuf> {
    let is_git =
        |dir: &Path| dir.join("objects").is_dir() && dir.join("HEAD").exists() || dir.join("commondir").exists();
    for candidate in [path.join(".git"), path.to_path_buf()] {
        if candidate.is_dir() && is_git(&candidate) {
            return Some(candidate);
        }
        // Such a file holds one line; any other file may be an export of many gigabytes.
        if candidate.metadata().is_ok_and(|meta| meta.is_file() && meta.len() < 16 << 10)
            && let Ok(text) = fs::read_to_string(&candidate)
            && let Some(target) = text.strip_prefix("gitdir:")
        {
            let target = candidate.parent().unwrap_or(Path::new(".")).join(target.trim());
            if is_git(&target) {
                return Some(target);
            }
        }
    }
    None
}

fn sha256(config: &str) -> bool {
    config
        .lines()
        .any(|line| line.split_once('=').is_some_and(|(k, v)| k.trim() == "objectformat" && v.trim() == "sha256"))
}

/// The object folder and its alternates, each once.
fn folders(own: &Path) -> Vec<PathBuf> {
    let mut found = vec![own.to_path_buf()];
    let mut at = 0;
    while at < found.len() && found.len() < 1000 {
        for line in lines(&found[at].join("info/alternates")) {
            let other = found[at].join(line.trim_matches('"'));
            let same = |known: &PathBuf| fs::canonicalize(known).ok() == fs::canonicalize(&other).ok();
            if !found.iter().any(same) {
                found.push(other);
            }
        }
        at += 1;
    }
    found
}

fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Bytes of a name in hexadecimal.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}
