//! `type = "files"`: local files, edited in place. `type = "sops"` and `"age"`: encrypted ones, by their own programs.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{SecretSource, Table};
use crate::error::Result;
use crate::secret::Fingerprinter;
use crate::store::{FileStore, Store};
#[cfg(feature = "issuers")]
use crate::store::{LockedFiles, age_files, sops_files};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Files {
    name: String,
    paths: Vec<PathBuf>,
}

impl Table<dyn Store> for Files {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        None
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let paths = self.paths.iter().map(|path| folder.join(path)).collect();
        Ok(Box::new(FileStore::new(&self.name, paths, fingerprinter.clone())))
    }
}

/// Files of SOPS.
#[cfg(feature = "issuers")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Sops {
    name: String,
    paths: Vec<PathBuf>,
    /// `sops`, looked for as usual, or where it is.
    #[serde(default = "sops")]
    program: PathBuf,
    #[serde(default = "run_deadline")]
    deadline_seconds: u64,
}

/// Files that are encrypted as a whole.
#[cfg(feature = "issuers")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Age {
    name: String,
    paths: Vec<PathBuf>,
    /// File with the key that opens them.
    identity: PathBuf,
    /// File that lists everybody who may open them.
    recipients: PathBuf,
    #[serde(default = "age")]
    program: PathBuf,
    #[serde(default = "run_deadline")]
    deadline_seconds: u64,
}

#[cfg(feature = "issuers")]
fn sops() -> PathBuf {
    PathBuf::from("sops")
}

#[cfg(feature = "issuers")]
fn age() -> PathBuf {
    PathBuf::from("age")
}

/// The program may ask a key service far away.
#[cfg(feature = "issuers")]
fn run_deadline() -> u64 {
    60
}

#[cfg(feature = "issuers")]
fn locked(folder: &Path, paths: &[PathBuf], program: &Path, deadline_seconds: u64) -> LockedFiles {
    // A bare name is looked for on the PATH.
    let bare = program.components().count() == 1;
    LockedFiles {
        paths: paths.iter().map(|path| folder.join(path)).collect(),
        program: if bare { program.to_owned() } else { folder.join(program) },
        deadline: std::time::Duration::from_secs(deadline_seconds),
    }
}

#[cfg(feature = "issuers")]
impl Table<dyn Store> for Sops {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        None
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let files = locked(folder, &self.paths, &self.program, self.deadline_seconds);
        Ok(Box::new(sops_files(&self.name, files, fingerprinter.clone())))
    }
}

#[cfg(feature = "issuers")]
impl Table<dyn Store> for Age {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        None
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let files = locked(folder, &self.paths, &self.program, self.deadline_seconds);
        let (identity, recipients) = (folder.join(&self.identity), folder.join(&self.recipients));
        Ok(Box::new(age_files(&self.name, files, identity, recipients, fingerprinter.clone())))
    }
}
