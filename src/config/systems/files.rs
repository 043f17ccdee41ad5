//! `type = "files"`: local files, edited in place.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{SecretSource, Table};
use crate::error::Result;
use crate::secret::Fingerprinter;
use crate::store::{FileStore, Store};

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
