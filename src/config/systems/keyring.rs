//! `type = "keyring"`: the embedded issuer of the demo.

use std::path::Path;

use serde::Deserialize;

use super::{SecretSource, Table};
use crate::error::Result;
use crate::provider::{self, Provider};
use crate::secret::Fingerprinter;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Keyring {
    name: String,
    address: String,
    admin: SecretSource,
}

impl Table<dyn Provider> for Keyring {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.admin)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let admin = self.admin.read(folder, &format!("provider {}", self.name))?;
        Ok(Box::new(provider::Keyring::new(&self.name, &self.address, admin)))
    }
}
