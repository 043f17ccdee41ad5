//! The files of an export, whether it is a folder or a zip file. Names are checked, sizes are bounded, and nothing is ever
//! written to disk.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use zip::ZipArchive;

use super::Coverage;
use crate::error::{Error, Result};

/// Most bytes that one member may unpack to.
const LARGEST: u64 = 4 << 30;

/// Unpacked bytes a packed byte may become; text reaches about 20, a bomb a thousand.
const RATIO: u64 = 400;

/// A folder or a zip file.
pub(super) enum Bundle {
    /// A folder and the paths of its files relative to it.
    Folder(PathBuf, Vec<String>),
    /// A zip file and the safe names of its members with their numbers, in order of the names.
    Zip(Box<Mutex<ZipArchive<BufReader<File>>>>, Vec<(String, usize)>),
    /// A tar file and its members with offset and size, in order of the names.
    Tar(File, Vec<(String, u64, u64)>),
    /// One file, packed with gzip or not; its name without `.gz`.
    Single(PathBuf, String, bool),
}

/// Members up to this size are read whole, so that nobody waits for the archive.
const SHORT: u64 = 8 << 20;

impl Bundle {
    /// Opens a path if it is a folder or a zip file; what may not be read is said in the coverage.
    ///
    /// # Errors
    /// When a zip file is cut off or damaged so that it has no list of members.
    pub(super) fn open(path: &Path, coverage: &mut Coverage) -> Result<Option<Self>> {
        if path.is_dir() {
            let mut names = Vec::new();
            walk(path, "", &mut names, coverage);
            names.sort();
            return Ok(Some(Self::Folder(path.to_owned(), names)));
        }
        if !is_zip(path) {
            return Ok(None);
        }
        let file = File::open(path).map_err(|cause| Error::unreadable(path.display(), cause))?;
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|cause| {
            Error::user(format!("the zip file {} is cut off or damaged", path.display()))
                .because(cause)
                .still("Nothing of it was searched.")
                .next("Download it again, or repair it with `zip -FF` and search the result.")
        })?;
        let mut names = Vec::new();
        for number in 0..archive.len() {
            match archive.by_index_raw(number) {
                Ok(member) => {
                    let name =
                        member.name().map(|name| name.into_owned()).unwrap_or_else(|_| format!("member {number}"));
                    if leads_out(&name) {
                        coverage.fail(name, "name leads out of the archive");
                    } else if !name.ends_with('/') {
                        names.push((name, number));
                    }
                }
                Err(error) => coverage.fail(format!("member {number}"), error.to_string()),
            }
        }
        names.sort();
        Ok(Some(Self::Zip(Box::new(Mutex::new(archive)), names)))
    }

    /// Opens whatever a path is: folder, zip, tar, packed tar, packed file, file.
    ///
    /// # Errors
    /// As [`Self::open`], and when a packed file unpacks to too much.
    pub(super) fn any(path: &Path, coverage: &mut Coverage) -> Result<Option<Self>> {
        if let Some(bundle) = Self::open(path, coverage)? {
            return Ok(Some(bundle));
        }
        let unreadable = |cause| Error::unreadable(path.display(), cause);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut head = Vec::new();
        (&mut file).take(512).read_to_end(&mut head).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !head.starts_with(&[0x1f, 0x8b]) {
            let single = || Self::Single(path.to_owned(), name, false);
            return Ok(Some(if is_tar(&head) { Self::tar(file, coverage).map_err(unreadable)? } else { single() }));
        }
        let mut inner = Vec::new();
        // A packed file that breaks off in its first bytes is named when it is read.
        let _cut = flate2::read::MultiGzDecoder::new(&file).take(512).read_to_end(&mut inner);
        if !is_tar(&inner) {
            return Ok(Some(Self::Single(path.to_owned(), name.trim_end_matches(".gz").to_owned(), true)));
        }
        file.rewind().map_err(unreadable)?;
        // Members are wanted in any order: the tar goes to a file without a name, which is gone when the program ends.
        let limit = file.metadata().map_err(unreadable)?.len().saturating_mul(RATIO).max(1 << 20);
        let mut plain = tempfile::tempfile().map_err(unreadable)?;
        let copied = std::io::copy(&mut flate2::read::MultiGzDecoder::new(&file).take(limit), &mut plain);
        match copied {
            Ok(bytes) if bytes == limit => coverage.fail(name, "unpacks to too much"),
            Ok(_) => {}
            Err(error) => coverage.fail(name, format!("the archive is cut off or damaged: {error}")),
        }
        plain.rewind().map_err(unreadable)?;
        Ok(Some(Self::tar(plain, coverage).map_err(unreadable)?))
    }

    fn tar(file: File, coverage: &mut Coverage) -> std::io::Result<Self> {
        let mut members = Vec::new();
        let mut archive = tar::Archive::new(&file);
        for entry in archive.entries_with_seek()? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    coverage.fail("archive", format!("the archive is cut off or damaged: {error}"));
                    break;
                }
            };
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            if leads_out(&name) {
                coverage.fail(name, "name leads out of the archive");
            } else if entry.header().entry_type().is_file() {
                members.push((name, entry.raw_file_position(), entry.size()));
            } else if !entry.header().entry_type().is_dir() {
                coverage.skip(name, "symbolic link or device");
            }
        }
        members.sort();
        Ok(Self::Tar(file, members))
    }

    /// Size of a file as it is packed.
    pub(super) fn size(&self, name: &str) -> u64 {
        match self {
            Self::Folder(root, _) => root.join(name).metadata().map_or(0, |meta| meta.len()),
            Self::Single(path, ..) => path.metadata().map_or(0, |meta| meta.len()),
            Self::Tar(_, members) => member(members, name).map_or(0, |member| member.2),
            Self::Zip(archive, names) => {
                let Ok(at) = names.binary_search_by(|pair| pair.0.as_str().cmp(name)) else { return 0 };
                let mut archive = archive.lock().expect("because no thread panics with the lock held");
                archive.by_index_raw(names[at].1).map_or(0, |member| member.size())
            }
        }
    }

    /// Reads one file as a stream; a long one in an archive keeps the others waiting.
    ///
    /// # Errors
    /// Why it cannot be read, as part of a sentence, or what `each` says.
    pub(super) fn with(
        &self,
        name: &str,
        each: &mut dyn FnMut(&mut dyn Read) -> Result<(), String>,
    ) -> Result<(), String> {
        match self {
            Self::Folder(root, _) => each(&mut File::open(root.join(name)).map_err(|error| error.to_string())?),
            Self::Single(path, _, packed) => {
                let file = File::open(path).map_err(|error| error.to_string())?;
                if !packed {
                    return each(&mut { file });
                }
                let limit = file.metadata().map_or(0, |meta| meta.len()).saturating_mul(RATIO).max(1 << 20);
                each(&mut Bounded { inner: flate2::read::MultiGzDecoder::new(file), left: limit })
            }
            Self::Tar(file, members) => {
                let (_, offset, size) = member(members, name).ok_or("no such member")?;
                each(&mut Slice { file, at: *offset, end: offset + size })
            }
            Self::Zip(archive, names) => {
                let at = names.binary_search_by(|pair| pair.0.as_str().cmp(name)).map_err(|_| "no such member")?;
                let short = self.size(name) <= SHORT;
                if short {
                    let bytes = self.read(name)?;
                    return each(&mut bytes.as_slice());
                }
                let mut archive = archive.lock().expect("because no thread panics with the lock held");
                let member = archive.by_index(names[at].1).map_err(|error| error.to_string())?;
                let limit = member.compressed_size().saturating_mul(RATIO).max(1 << 20);
                each(&mut Bounded { inner: member, left: limit })
            }
        }
    }

    /// Names of all files, with slashes.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Folder(_, names) => names.iter().map(String::as_str).collect(),
            Self::Zip(_, names) => names.iter().map(|(name, _)| name.as_str()).collect(),
            Self::Tar(_, members) => members.iter().map(|member| member.0.as_str()).collect(),
            Self::Single(_, name, _) => vec![name],
        }
    }

    /// The bytes of one file.
    ///
    /// # Errors
    /// Why it cannot be read, as part of a sentence.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        match self {
            Self::Folder(root, _) => std::fs::read(root.join(name)).map_err(|error| error.to_string()),
            Self::Zip(archive, names) => {
                let at = names.binary_search_by(|pair| pair.0.as_str().cmp(name)).map_err(|_| "no such member")?;
                let number = names[at].1;
                let mut archive = archive.lock().expect("because no thread panics with the lock held");
                let member = archive.by_index(number).map_err(|error| match error {
                    zip::result::ZipError::UnsupportedArchive(why) if why.contains("assword") => "encrypted".to_owned(),
                    other => other.to_string(),
                })?;
                let limit = LARGEST.min(member.compressed_size().saturating_mul(RATIO).max(1 << 20));
                let mut bytes = Vec::new();
                member.take(limit + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
                if bytes.len() as u64 > limit { Err("unpacks to too much".to_owned()) } else { Ok(bytes) }
            }
            Self::Tar(..) | Self::Single(..) => {
                let mut bytes = Vec::new();
                self.with(name, &mut |read| {
                    read.take(LARGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
                    Ok(())
                })?;
                Ok(bytes)
            }
        }
    }
}

fn member<'a>(members: &'a [(String, u64, u64)], name: &str) -> Option<&'a (String, u64, u64)> {
    members.binary_search_by(|member| member.0.as_str().cmp(name)).ok().map(|at| &members[at])
}

/// Whether the first block is that of a tar file.
pub(super) fn is_tar(head: &[u8]) -> bool {
    head.get(257..262) == Some(b"ustar")
}

/// A part of a file, read without moving the file's own position.
struct Slice<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Slice<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let room = into.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let got = self.file.read_at(&mut into[..room], self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

/// A stream that fails where a bomb would go on.
pub(super) struct Bounded<R> {
    pub(super) inner: R,
    pub(super) left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let got = self.inner.read(into)?;
        self.left = self.left.checked_sub(got as u64).ok_or_else(|| std::io::Error::other("unpacks to too much"))?;
        Ok(got)
    }
}

/// `../x`, `/x`, `C:x`: never written anywhere, and a sign that somebody tampered with the export.
pub(super) fn leads_out(name: &str) -> bool {
    name.starts_with(['/', '\\'])
        || name.split(['/', '\\']).any(|part| part == "..")
        || name.as_bytes().get(1) == Some(&b':')
}

fn is_zip(path: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"PK\x03\x04"
}

/// Files below a folder; symbolic links are left out, they may lead anywhere.
fn walk(root: &Path, inside: &str, names: &mut Vec<String>, coverage: &mut Coverage) {
    let entries = match std::fs::read_dir(root.join(inside)) {
        Ok(entries) => entries,
        Err(error) => return coverage.fail(inside, error.to_string()),
    };
    for entry in entries.flatten() {
        let name = format!("{inside}{}", entry.file_name().to_string_lossy());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(root, &format!("{name}/"), names, coverage),
            Ok(kind) if kind.is_file() => names.push(name),
            Ok(_) => coverage.skip(name, "symbolic link or device"),
            Err(error) => coverage.fail(name, error.to_string()),
        }
    }
}
