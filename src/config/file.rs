//! Reads `offkey.toml`: stores, providers, policy, waivers. Paths in it are relative to the file.
//!
//! ```toml
//! [[store]]
//! name = "files"
//! type = "files"
//! paths = ["deploy/.env", "config/app.yaml"]
//!
//! [[provider]]
//! name = "keyring"
//! type = "keyring"
//! address = "127.0.0.1:40123"
//! admin = { env = "KEYRING_ADMIN" }
//!
//! [policy]
//! cap = 50
//!
//! [[waiver]]
//! id = "legacy-hook"
//! fingerprint = "fp:…"
//! owner = "bob@harbourfinch.example"
//! reason = "the vendor replaces it on 1 December"
//! until = "2026-12-01"
//! ```
//!
//! Secrets never stand in this file: a secret is `{ env = "NAME" }` or `{ file = "path" }`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::plan::{Policy, Waiver};
use crate::provider::{Keyring, Provider};
use crate::rotation::Systems;
use crate::secret::{Fingerprinter, SecretValue};
use crate::store::{FileStore, Store};

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default, rename = "store")]
    stores: Vec<StoreEntry>,
    #[serde(default, rename = "provider")]
    providers: Vec<ProviderEntry>,
    /// What was decided beforehand.
    #[serde(default)]
    pub policy: Policy,
    /// Exceptions.
    #[serde(default, rename = "waiver")]
    pub waivers: Vec<Waiver>,
    /// Folder of the file; paths are relative to it.
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum StoreEntry {
    Files { name: String, paths: Vec<PathBuf> },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
enum ProviderEntry {
    Keyring { name: String, address: String, admin: SecretSource },
}

/// Where a secret of the configuration comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum SecretSource {
    Env(String),
    File(PathBuf),
}

impl SecretSource {
    fn read(&self, folder: &Path, whose: &str) -> Result<SecretValue> {
        match self {
            Self::Env(name) => std::env::var(name).map(SecretValue::from).map_err(|_| {
                Error::config(format!("{whose} wants the environment variable {name}, which is not set"))
                    .next(format!("Set {name} for offkey, or name a file instead."))
            }),
            Self::File(path) => {
                let path = folder.join(path);
                let text = std::fs::read_to_string(&path).map_err(|cause| {
                    Error::config(format!("{whose} wants the file {}, which cannot be read", path.display()))
                        .because(cause)
                })?;
                Ok(SecretValue::new(text.trim_end_matches(['\n', '\r']).as_bytes()))
            }
        }
    }
}

/// Reads the file; a missing one is an empty configuration only where `optional` says so.
///
/// # Errors
/// When it cannot be read, or is not of the form above (the message shows the line).
pub fn load(path: &Path, optional: bool) -> Result<Config> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if optional && error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(cause) => {
            return Err(Error::config(format!("the configuration {shown} cannot be read"))
                .because(cause)
                .next("Pass --config FILE; docs/config.md shows the form."));
        }
    };
    let mut config: Config = toml::from_str(&text).map_err(|cause| {
        Error::config(format!("the configuration {shown} is not valid"))
            .because(cause)
            .next("docs/config.md shows every table and key.")
    })?;
    // Absolute, so that a plan names the same places from whichever folder it is carried out.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    config.folder = whole.parent().unwrap_or(Path::new("")).to_owned();
    Ok(config)
}

impl Config {
    /// Opens every system that the file names; nothing is asked yet.
    ///
    /// # Errors
    /// When a secret of the configuration cannot be read, or two systems have one name.
    pub fn systems(&self, fingerprinter: &Fingerprinter) -> Result<Systems> {
        let mut systems = Systems::default();
        for entry in &self.stores {
            systems.stores.push(self.store(entry, fingerprinter)?);
        }
        for entry in &self.providers {
            systems.providers.push(self.provider(entry)?);
        }
        let stores = systems.stores.iter().map(|s| s.name());
        let mut names: Vec<&str> = stores.chain(systems.providers.iter().map(|p| p.name())).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::config(format!("two systems are named {}", pair[0]))
                .next("Give each store and provider its own name."));
        }
        Ok(systems)
    }

    fn store(&self, entry: &StoreEntry, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        match entry {
            StoreEntry::Files { name, paths } => {
                let paths = paths.iter().map(|path| self.folder.join(path)).collect();
                Ok(Box::new(FileStore::new(name, paths, fingerprinter.clone())))
            }
        }
    }

    fn provider(&self, entry: &ProviderEntry) -> Result<Box<dyn Provider>> {
        match entry {
            ProviderEntry::Keyring { name, address, admin } => {
                let admin = admin.read(&self.folder, &format!("provider {name}"))?;
                Ok(Box::new(Keyring::new(name, address, admin)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Config> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("offkey.toml");
        std::fs::write(&path, text).expect("written");
        load(&path, false)
    }

    #[test]
    fn a_mistake_is_shown_with_its_line() {
        let error = config("[[store]]\nname = \"a\"\ntype = \"files\"\npaths = [\"x\"]\ncolour = 1\n")
            .expect_err("unknown key");
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn two_systems_with_one_name_are_refused() {
        let text = "[[store]]\nname = \"a\"\ntype = \"files\"\npaths = []\n[[store]]\nname = \"a\"\ntype = \"files\"\npaths = []\n";
        let config = config(text).expect("parses");
        let error = config.systems(&Fingerprinter::new(&SecretValue::new("k"))).err().expect("refused");
        assert!(error.to_string().contains("two systems are named a"), "{error}");
    }

    #[test]
    fn a_missing_secret_names_the_variable() {
        let text = "[[provider]]\nname = \"k\"\ntype = \"keyring\"\naddress = \"127.0.0.1:1\"\nadmin = { env = \"OFFKEY_NOT_SET\" }\n";
        let config = config(text).expect("parses");
        let error = config.systems(&Fingerprinter::new(&SecretValue::new("k"))).err().expect("refused");
        assert!(error.to_string().contains("OFFKEY_NOT_SET"), "{error}");
    }
}
