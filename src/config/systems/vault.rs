//! `type = "vault-kv"` (a store) and `type = "vault"` (a provider): one OpenBao or Vault.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, Table, default_deadline};
use crate::error::{Error, Result};
use crate::provider::{Provider, VaultAccess};
use crate::remote::{Vault, VaultSettings};
use crate::secret::Fingerprinter;
use crate::store::{Store, VaultKv, vault_kv1};

/// Entries of KV version 1: the same keys.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct Kv1(Kv);

/// Entries of KV version 2.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Kv {
    name: String,
    address: String,
    token: SecretSource,
    namespace: Option<String>,
    authority: Option<PathBuf>,
    #[serde(default = "default_mount")]
    mount: String,
    /// Folders that may be read; empty: all.
    #[serde(default)]
    folders: Vec<String>,
    #[serde(default = "default_pending")]
    pending: String,
    /// Logs of its audit device, oldest first.
    #[serde(default)]
    audit: Vec<PathBuf>,
    #[serde(default = "default_audit_device")]
    audit_device: String,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

/// Tokens, leases and entities.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Access {
    name: String,
    address: String,
    token: SecretSource,
    namespace: Option<String>,
    authority: Option<PathBuf>,
    /// Logs of its audit device, oldest first.
    #[serde(default)]
    audit: Vec<PathBuf>,
    #[serde(default = "default_audit_device")]
    audit_device: String,
    /// Folders of KV version 2 with all ciphertexts of transit keys (`secret/orders`).
    rewrap: Option<Vec<String>>,
    /// Connections of the database engine whose databases have another administrator (`database/shop`).
    #[serde(default)]
    rotate_root: Vec<String>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn default_mount() -> String {
    "secret".to_owned()
}

fn default_pending() -> String {
    "offkey-pending".to_owned()
}

fn default_audit_device() -> String {
    "file".to_owned()
}

impl Kv {
    fn client(&self, folder: &Path) -> Result<Arc<Vault>> {
        let whose = format!("store {}", self.name);
        let settings = VaultSettings {
            address: self.address.clone(),
            token: self.token.read(folder, &whose)?,
            namespace: self.namespace.clone(),
            authority: self.authority.as_ref().map(|path| folder.join(path)),
            deadline: Duration::from_secs(self.deadline_seconds),
        };
        client(&whose, settings)
    }
}

impl Table<dyn Store> for Kv1 {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.0.token)
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let Kv { name, mount, folders, pending, .. } = &self.0;
        if !self.0.audit.is_empty() {
            return Err(Error::config(format!("store {name}: the audit log does not tell versions of KV version 1"))
                .next("Take `audit` out here, and give it to the provider of type \"vault\"."));
        }
        let vault = self.0.client(folder)?;
        Ok(Box::new(vault_kv1(name, vault, mount, folders.clone(), pending, fingerprinter.clone())))
    }
}

impl Table<dyn Store> for Kv {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let vault = self.client(folder)?;
        let folders = self.folders.clone();
        let store = VaultKv::new(&self.name, vault, &self.mount, folders, &self.pending, fingerprinter.clone());
        Ok(Box::new(store.with_audit(logs(&self.audit, folder), &self.audit_device)))
    }
}

impl Table<dyn Provider> for Access {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let whose = format!("provider {}", self.name);
        let vault = client(
            &whose,
            VaultSettings {
                address: self.address.clone(),
                token: self.token.read(folder, &whose)?,
                namespace: self.namespace.clone(),
                authority: self.authority.as_ref().map(|path| folder.join(path)),
                deadline: Duration::from_secs(self.deadline_seconds),
            },
        )?;
        let access = VaultAccess::new(&self.name, vault, logs(&self.audit, folder), &self.audit_device);
        Ok(Box::new(access.with_rewrap(self.rewrap.clone()).with_rotate_root(self.rotate_root.clone())))
    }
}

fn client(whose: &str, settings: VaultSettings) -> Result<Arc<Vault>> {
    let client = Vault::new(settings);
    Ok(Arc::new(client.map_err(|failure| Error::config(format!("{whose} cannot be opened")).because(failure))?))
}

fn logs(audit: &[PathBuf], folder: &Path) -> Vec<PathBuf> {
    audit.iter().map(|path| folder.join(path)).collect()
}
