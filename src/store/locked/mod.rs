//! Encrypted files on this machine: SOPS and age. offkey holds none of their keys: it drives the organisation's own `sops` or
//! `age`, which find theirs as they always do. Values go in and out by pipes, never in arguments.
//!
//! A file is never edited where it lies: a copy beside it is changed by the program, and takes the place of the file in one step
//! if that is still what was read. A waiting value lies in such a copy, too (`.offkey-pending-…`), encrypted for the same people
//! by the same rules; no consumer looks there, and it is removed when the old value is retired.

mod age;
mod program;
mod sops;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::shelf::{Backend, Entry, Listing, Shelf};
use crate::action::Pending;
use crate::error::Result;
use crate::remote::Failure;
use crate::secret::{Fingerprinter, SecretValue};
use age::Age;
use sops::Sops;

/// What a program does to an encrypted file.
trait Locksmith: Send + Sync {
    fn label(&self) -> &'static str;

    fn kind(&self) -> &'static str;

    /// What is in a file, by field.
    fn read<'a>(&'a self, file: &'a Path) -> Pending<'a, Result<Map<String, Value>, Failure>>;

    /// Changes one field of a file that nobody else looks at.
    fn set<'a>(&'a self, copy: &'a Path, field: &'a str, new: &'a str) -> Pending<'a, Result<(), Failure>>;

    /// What is missing to change the file, as far as this can be seen without doing it.
    fn lacks(&self, _file: &Path) -> Result<Option<String>, Failure> {
        Ok(None)
    }
}

/// How the program of a store of encrypted files is run.
pub struct LockedFiles {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// The program: a name that is looked for as usual, or a path.
    pub program: PathBuf,
    /// How long one run of it may take.
    pub deadline: Duration,
}

struct Files {
    paths: Vec<PathBuf>,
    smith: Box<dyn Locksmith>,
}

/// Files of SOPS, whatever keys they are encrypted with. Needs `sops` 3.11 or newer.
pub fn sops_files(name: impl Into<String>, files: LockedFiles, fingerprinter: Fingerprinter) -> Shelf {
    let smith = Box::new(Sops::new(files.program, files.deadline));
    Shelf::new(name.into(), Arc::new(Files { paths: files.paths, smith }), fingerprinter)
}

/// Dotenv, JSON, YAML and TOML files that are encrypted as a whole with age, `.env.age` and such. `identity` opens them,
/// `recipients` is the file that lists everybody who may.
pub fn age_files(
    name: impl Into<String>,
    files: LockedFiles,
    identity: PathBuf,
    recipients: PathBuf,
    fingerprinter: Fingerprinter,
) -> Shelf {
    let smith = Box::new(Age::new(files.program, files.deadline, identity, recipients));
    Shelf::new(name.into(), Arc::new(Files { paths: files.paths, smith }), fingerprinter)
}

/// A file that cannot be read or written here; nothing was changed.
fn on_disk(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreachable { place: path.display().to_string(), why: error.to_string() }
}

fn refused(path: &Path, why: impl Into<String>) -> Failure {
    let (place, message) = (path.display().to_string(), why.into());
    Failure::Answered { place, status: 0, code: String::new(), message, retry_after: None }
}

/// What the file is now, as a version.
fn version(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)[..8])
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| on_disk(path, &error))
}

/// A private copy of some bytes in the folder of a file and with the end of its name, by which programs know its form.
fn copy_beside(file: &Path, bytes: &[u8]) -> Result<NamedTempFile, Failure> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let folder = file.parent().unwrap_or(Path::new("/"));
    let copy = tempfile::Builder::new().prefix(".offkey-copy-").suffix(&format!(".{name}")).tempfile_in(folder);
    let mut copy = copy.map_err(|error| on_disk(folder, &error))?;
    copy.write_all(bytes).and_then(|()| copy.flush()).map_err(|error| on_disk(file, &error))?;
    Ok(copy)
}

/// Brings what programs wrote to the disk.
fn sync(file: &Path) -> Result<(), Failure> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let synced = fs::File::open(file).and_then(|file| file.sync_all());
    synced.and_then(|()| fs::File::open(folder)?.sync_all()).map_err(|error| on_disk(file, &error))
}

/// The value of a waiting entry as it lies in the field of its copy.
fn waiting_in(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let leaves = super::json::leaves(fields);
    let waits = |text: &str| {
        let parsed: Value = serde_json::from_str(text).ok()?;
        let at = parsed["for"].as_str()?;
        Some(parsed["op"].is_string() && name == super::shelf::pending_name(at))
    };
    leaves.into_iter().map(|leaf| leaf.value).find(|text| waits(text) == Some(true))
}

impl Files {
    fn file(&self, path: &str) -> Option<&PathBuf> {
        self.paths.iter().find(|known| known.as_os_str() == path)
    }

    fn sidecar(file: &Path, name: &str) -> PathBuf {
        let own = file.file_name().unwrap_or_default().to_string_lossy();
        file.with_file_name(format!(".{name}.{own}"))
    }

    /// The copy in which a value waits.
    fn found(&self, name: &str) -> Option<PathBuf> {
        self.paths.iter().map(|file| Self::sidecar(file, name)).find(|sidecar| sidecar.exists())
    }

    async fn entry(&self, file: &Path) -> Result<Entry, Failure> {
        let bytes = bytes_of(file)?;
        let fields = self.smith.read(file).await?;
        Ok(Entry { path: file.display().to_string(), version: version(&bytes), fields })
    }
}

impl Backend for Files {
    fn label(&self) -> &'static str {
        self.smith.label()
    }

    fn kind(&self) -> &'static str {
        self.smith.kind()
    }

    fn list(&self) -> Pending<'_, Result<Listing, Failure>> {
        Box::pin(async move {
            let mut listing = Listing::default();
            for file in &self.paths {
                match self.entry(file).await {
                    Ok(entry) => listing.entries.push(entry),
                    Err(failure) => listing.failed.push((file.display().to_string(), failure.to_string())),
                }
            }
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>> {
        Box::pin(async move {
            match self.file(path).filter(|file| file.exists()) {
                Some(file) => self.entry(file).await.map(Some),
                None => Ok(None),
            }
        })
    }

    fn put<'a>(&'a self, entry: &'a Entry, field: &'a str) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let file = self.file(&entry.path).ok_or_else(|| refused(Path::new(&entry.path), "it is not there"))?;
            // A link stays one: what it points to is replaced.
            let file = fs::canonicalize(file).map_err(|error| on_disk(file, &error))?;
            let new = super::json::get(&entry.fields, field).ok_or_else(|| refused(&file, "there is no such field"))?;
            let before = bytes_of(&file)?;
            if version(&before) != entry.version {
                return Ok(false);
            }
            let copy = copy_beside(&file, &before)?;
            self.smith.set(copy.path(), field, new).await?;
            if !holds(&self.smith.read(copy.path()).await?, field, new) {
                return Err(refused(&file, "the changed copy does not read back as it should"));
            }
            let mode = fs::metadata(&file).map_err(|error| on_disk(&file, &error))?.permissions();
            fs::set_permissions(copy.path(), mode).map_err(|error| on_disk(&file, &error))?;
            sync(copy.path())?;
            if version(&bytes_of(&file)?) != entry.version {
                return Ok(false);
            }
            copy.into_temp_path().persist(&file).map_err(|error| on_disk(&file, &error.error))?;
            sync(&file).map(|()| true)
        })
    }

    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            if self.found(name).is_some() {
                return Ok(false);
            }
            let text = content.expose_str().unwrap_or_default();
            let place: Value = serde_json::from_str(text).unwrap_or_default();
            let (path, field) = place["for"].as_str().and_then(|at| at.split_once('#')).unwrap_or_default();
            let file = self.file(path).ok_or_else(|| refused(Path::new(path), "it is not there"))?;
            let copy = copy_beside(file, &bytes_of(file)?)?;
            self.smith.set(copy.path(), field, text).await?;
            // Rules of the organisation may leave fields of some names in clear text.
            for value in ["new", "old"].iter().filter_map(|name| place[*name].as_str()) {
                if memchr::memmem::find(&bytes_of(copy.path())?, value.as_bytes()).is_some() {
                    return Err(refused(file, "the field lies there in clear text, so no value can wait in it"));
                }
            }
            sync(copy.path())?;
            let sidecar = Self::sidecar(file, name);
            match copy.into_temp_path().persist_noclobber(&sidecar) {
                Ok(()) => sync(&sidecar).map(|()| true),
                Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(on_disk(&sidecar, &error.error)),
            }
        })
    }

    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>> {
        Box::pin(async move {
            let Some(sidecar) = self.found(name) else { return Ok(None) };
            let fields = self.smith.read(&sidecar).await?;
            let text = waiting_in(&fields, name);
            text.map(|text| Some(SecretValue::from(text))).ok_or_else(|| refused(&sidecar, "no value waits in it"))
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let Some(sidecar) = self.found(name) else { return Ok(()) };
            match fs::remove_file(&sidecar) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(on_disk(&sidecar, &error)),
                _ => Ok(()),
            }
        })
    }

    fn lacks<'a>(&'a self, path: &'a str, _: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let Some(file) = self.file(path).filter(|file| file.exists()) else { return Ok(None) };
            let folder = file.parent().unwrap_or(Path::new("/"));
            NamedTempFile::new_in(folder).map_err(|error| on_disk(folder, &error))?;
            self.smith.lacks(file)
        })
    }
}

fn holds(fields: &Map<String, Value>, field: &str, value: &str) -> bool {
    super::json::get(fields, field) == Some(value)
}
