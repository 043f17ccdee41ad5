//! The files of an export, whether it is a folder or a zip file. Names are checked, sizes are bounded, and nothing is ever
//! written to disk.

use std::fs::File;
use std::io::{BufReader, Read};
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
    /// A zip file and the safe names of its members with their numbers.
    Zip(Box<Mutex<ZipArchive<BufReader<File>>>>, Vec<(String, usize)>),
}

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
        let file = File::open(path)
            .map_err(|cause| Error::user(format!("{} cannot be read", path.display())).because(cause))?;
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
        Ok(Some(Self::Zip(Box::new(Mutex::new(archive)), names)))
    }

    /// Names of all files, with slashes.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Folder(_, names) => names.iter().map(String::as_str).collect(),
            Self::Zip(_, names) => names.iter().map(|(name, _)| name.as_str()).collect(),
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
                let number = names.iter().find(|pair| pair.0 == name).ok_or("no such member")?.1;
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
        }
    }
}

/// `../x`, `/x`, `C:x`: never written anywhere, and a sign that somebody tampered with the export.
fn leads_out(name: &str) -> bool {
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
