//! The `[[store]]` and `[[provider]]` tables: one file for each kind of system says which keys its table takes and how it is
//! opened; the two lists below name the types.

#[cfg(feature = "accounts")]
mod accounts;
#[cfg(feature = "aws")]
mod aws;
mod files;
#[cfg(feature = "issuers")]
mod http;
mod keyring;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "issuers")]
mod shelves;
#[cfg(feature = "vault")]
mod vault;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::provider::Provider;
use crate::secret::{Fingerprinter, SecretValue};
use crate::store::Store;

/// What the keys of one type of table are good for.
pub(super) trait Table<System: ?Sized> {
    /// The name that the person gave.
    fn name(&self) -> &str;

    /// The secret that offkey itself works with there: no plan may end it.
    fn own(&self) -> Option<&SecretSource>;

    /// Makes the system; nothing is asked yet. Paths are relative to `folder`.
    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<System>>;
}

/// Lists the types of a table, `type = "kebab-case"`; a type whose feature is left out is read and refused by name.
macro_rules! tables {
    ($(#[$about:meta])* $entry:ident opens $system:ty; $($kind:ident($table:ty) $(needs $feature:literal)?,)+) => {
        $(#[$about])*
        #[derive(Debug, Deserialize)]
        #[serde(tag = "type", rename_all = "kebab-case")]
        pub(super) enum $entry {
            $(
                $(#[cfg(feature = $feature)])?
                $kind(Box<$table>),
                $(#[cfg(not(feature = $feature))] $kind(NotBuilt),)?
            )+
        }

        impl $entry {
            /// The name that the person gave.
            pub(super) fn name(&self) -> &str {
                match self {
                    $(
                        $(#[cfg(feature = $feature)])?
                        Self::$kind(table) => table.name(),
                        $(#[cfg(not(feature = $feature))] Self::$kind(table) => &table.name,)?
                    )+
                }
            }

            /// Name, and the secret that offkey works with there.
            pub(super) fn own(&self) -> Option<(&str, &SecretSource)> {
                match self {
                    $(
                        $(#[cfg(feature = $feature)])?
                        Self::$kind(table) => Some((table.name(), table.own()?)),
                        $(#[cfg(not(feature = $feature))] Self::$kind(_) => None,)?
                    )+
                }
            }

            pub(super) fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<$system>> {
                match self {
                    $(
                        $(#[cfg(feature = $feature)])?
                        Self::$kind(table) => table.open(folder, fingerprinter),
                        $(#[cfg(not(feature = $feature))] Self::$kind(table) => Err(table.refusal($feature)),)?
                    )+
                }
            }
        }
    };
}

tables! {
    /// A `[[store]]` table.
    StoreEntry opens dyn Store;
    Files(files::Files),
    VaultKv(vault::Kv) needs "vault",
    VaultKv1(vault::Kv1) needs "vault",
    Kubernetes(shelves::Kubernetes) needs "issuers",
    GcpSecrets(shelves::Gcp) needs "issuers",
    GitlabCi(shelves::GitLab) needs "issuers",
    AwsSecrets(aws::Secrets) needs "aws",
}

tables! {
    /// A `[[provider]]` table.
    ProviderEntry opens dyn Provider;
    Keyring(keyring::Keyring),
    Vault(vault::Access) needs "vault",
    AwsIam(aws::Iam) needs "aws",
    Http(http::Issuer) needs "issuers",
    Postgres(postgres::Roles) needs "postgres",
    Mysql(accounts::MySqlTable) needs "accounts",
    Redis(accounts::RedisTable) needs "accounts",
    Rabbitmq(accounts::RabbitTable) needs "accounts",
    Ldap(accounts::LdapTable) needs "accounts",
}

/// A table whose type this program was built without.
#[cfg(not(all(feature = "vault", feature = "aws", feature = "postgres", feature = "issuers", feature = "accounts")))]
#[derive(Debug, Deserialize)]
pub(super) struct NotBuilt {
    name: String,
}

#[cfg(not(all(feature = "vault", feature = "aws", feature = "postgres", feature = "issuers", feature = "accounts")))]
impl NotBuilt {
    fn refusal(&self, feature: &str) -> Error {
        Error::config(format!("{} needs the feature {feature}, which this offkey was built without", self.name))
            .next(format!("Build with --features {feature}, or take the table out."))
    }
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
    /// The secret of the system `whose`.
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

/// How long one answer may take where the table does not say, in seconds.
#[cfg(any(feature = "issuers", feature = "postgres"))]
fn default_deadline() -> u64 {
    15
}
