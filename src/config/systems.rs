//! The `[[store]]` and `[[provider]]` tables: what each type takes, and how it is opened.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::provider::{Keyring, Provider};
use crate::secret::{Fingerprinter, SecretValue};
use crate::store::{FileStore, Store};

/// A `[[store]]` table.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum StoreEntry {
    /// Local files, edited in place.
    Files { name: String, paths: Vec<PathBuf> },
    /// OpenBao or Vault, KV version 2.
    #[cfg_attr(not(feature = "vault"), allow(dead_code, reason = "read and refused in a build without it"))]
    VaultKv {
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
    },
}

/// A `[[provider]]` table.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ProviderEntry {
    /// The embedded issuer of the demo.
    Keyring { name: String, address: String, admin: SecretSource },
    /// Tokens, leases and entities of OpenBao or Vault.
    #[cfg_attr(not(feature = "vault"), allow(dead_code, reason = "read and refused in a build without it"))]
    Vault {
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
        #[serde(default = "default_deadline")]
        deadline_seconds: u64,
    },
    /// Roles of a PostgreSQL server.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "read and refused in a build without it"))]
    Postgres {
        name: String,
        host: String,
        #[serde(default = "default_postgres_port")]
        port: u16,
        #[serde(default = "default_postgres_database")]
        database: String,
        user: String,
        password: SecretSource,
        #[serde(default)]
        also_known_as: Vec<String>,
        #[serde(default = "default_deadline")]
        deadline_seconds: u64,
    },
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

fn default_deadline() -> u64 {
    15
}

fn default_postgres_port() -> u16 {
    5432
}

fn default_postgres_database() -> String {
    "postgres".to_owned()
}

/// Where a secret of the configuration comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; line ends at its end do not count.
    File(PathBuf),
}

impl SecretSource {
    pub(super) fn read(&self, folder: &Path, whose: &str) -> Result<SecretValue> {
        let value = match self {
            Self::Env(name) => std::env::var(name).map(SecretValue::from).map_err(|_| {
                Error::config(format!("{whose} wants the environment variable {name}, which is not set"))
                    .next(format!("Set {name} for offkey, or name a file instead."))
            })?,
            Self::File(path) => {
                let path = folder.join(path);
                let text = std::fs::read_to_string(&path).map_err(|cause| {
                    Error::config(format!("{whose} wants the file {}, which cannot be read", path.display()))
                        .because(cause)
                })?;
                SecretValue::new(text.trim_end_matches(['\n', '\r']).as_bytes())
            }
        };
        if value.is_empty() {
            return Err(Error::config(format!("the secret of {whose} is empty")).next("Fill it in, then run again."));
        }
        Ok(value)
    }
}

impl StoreEntry {
    /// Name, and the secret that offkey works with there.
    pub(super) fn own(&self) -> Option<(&str, &SecretSource)> {
        match self {
            Self::Files { .. } => None,
            Self::VaultKv { name, token, .. } => Some((name, token)),
        }
    }

    pub(super) fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        match self {
            Self::Files { name, paths } => {
                let paths = paths.iter().map(|path| folder.join(path)).collect();
                Ok(Box::new(FileStore::new(name, paths, fingerprinter.clone())))
            }
            #[cfg(feature = "vault")]
            Self::VaultKv {
                name,
                address,
                token,
                namespace,
                authority,
                mount,
                folders,
                pending,
                audit,
                audit_device,
                deadline_seconds,
            } => {
                let whose = format!("store {name}");
                let token = token.read(folder, &whose)?;
                let authority = authority.as_ref().map(|path| folder.join(path));
                let vault = vault_client(&whose, address, token, namespace.clone(), authority, *deadline_seconds)?;
                let store =
                    crate::store::VaultKv::new(name, vault, mount, folders.clone(), pending, fingerprinter.clone());
                let logs = audit.iter().map(|path| folder.join(path)).collect();
                Ok(Box::new(store.with_audit(logs, audit_device)))
            }
            #[cfg(not(feature = "vault"))]
            Self::VaultKv { name, .. } => Err(not_built(name, "vault")),
        }
    }
}

/// A client of OpenBao or Vault.
#[cfg(feature = "vault")]
fn vault_client(
    whose: &str,
    address: &str,
    token: SecretValue,
    namespace: Option<String>,
    authority: Option<PathBuf>,
    deadline_seconds: u64,
) -> Result<std::sync::Arc<crate::remote::Vault>> {
    let settings = crate::remote::VaultSettings {
        address: address.to_owned(),
        token,
        namespace,
        authority,
        deadline: std::time::Duration::from_secs(deadline_seconds),
    };
    let client = crate::remote::Vault::new(settings);
    let client = client.map_err(|failure| Error::config(format!("{whose} cannot be opened")).because(failure))?;
    Ok(std::sync::Arc::new(client))
}

impl ProviderEntry {
    /// Name, and the secret that offkey works with there.
    pub(super) fn own(&self) -> (&str, &SecretSource) {
        match self {
            Self::Keyring { name, admin, .. } => (name, admin),
            Self::Vault { name, token, .. } => (name, token),
            Self::Postgres { name, password, .. } => (name, password),
        }
    }

    pub(super) fn open(&self, folder: &Path) -> Result<Box<dyn Provider>> {
        match self {
            Self::Keyring { name, address, admin } => {
                let admin = admin.read(folder, &format!("provider {name}"))?;
                Ok(Box::new(Keyring::new(name, address, admin)))
            }
            #[cfg(feature = "vault")]
            Self::Vault { name, address, token, namespace, authority, audit, audit_device, deadline_seconds } => {
                let whose = format!("provider {name}");
                let token = token.read(folder, &whose)?;
                let authority = authority.as_ref().map(|path| folder.join(path));
                let vault = vault_client(&whose, address, token, namespace.clone(), authority, *deadline_seconds)?;
                let logs = audit.iter().map(|path| folder.join(path)).collect();
                Ok(Box::new(crate::provider::VaultAccess::new(name, vault, logs, audit_device)))
            }
            #[cfg(not(feature = "vault"))]
            Self::Vault { name, .. } => Err(not_built(name, "vault")),
            #[cfg(feature = "postgres")]
            Self::Postgres { name, host, port, database, user, password, also_known_as, deadline_seconds } => {
                let server = crate::remote::Postgres::new(crate::remote::PostgresSettings {
                    host: host.clone(),
                    port: *port,
                    database: database.clone(),
                    user: user.clone(),
                    password: password.read(folder, &format!("provider {name}"))?,
                    deadline: std::time::Duration::from_secs(*deadline_seconds),
                });
                Ok(Box::new(crate::provider::PostgresRoles::new(name, server, also_known_as.clone())))
            }
            #[cfg(not(feature = "postgres"))]
            Self::Postgres { name, .. } => Err(not_built(name, "postgres")),
        }
    }
}

#[cfg(not(all(feature = "vault", feature = "postgres")))]
fn not_built(name: &str, feature: &str) -> Error {
    Error::config(format!("{name} needs the feature {feature}, which this offkey was built without"))
        .next(format!("Build with --features {feature}, or take the table out."))
}
