//! `type = "http"`: an issuer that a rule file describes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, Table, default_deadline};
use crate::error::Result;
use crate::provider::{HttpIssuer, HttpIssuerSettings, Provider};
use crate::secret::Fingerprinter;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Issuer {
    name: String,
    /// Id of its rule file.
    issuer: String,
    /// Where it is not at its documented address.
    address: Option<String>,
    #[serde(default)]
    addresses: BTreeMap<String, String>,
    admin: Option<SecretSource>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    authority: Option<PathBuf>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

impl Table<dyn Provider> for Issuer {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        self.admin.as_ref()
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let whose = format!("provider {}", self.name);
        let settings = HttpIssuerSettings {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            address: self.address.clone(),
            addresses: self.addresses.clone(),
            admin: self.admin.as_ref().map(|admin| admin.read(folder, &whose)).transpose()?,
            params: self.params.clone(),
            authority: self.authority.as_ref().map(|path| folder.join(path)),
            deadline: Duration::from_secs(self.deadline_seconds),
        };
        Ok(Box::new(HttpIssuer::new(settings, fingerprinter.clone())?))
    }
}
