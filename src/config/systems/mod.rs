//! The `[[store]]` and `[[provider]]` tables: one file for each kind of system says which keys its table takes and how it is
//! opened; the two lists below name the types.

mod about;
#[cfg(feature = "accounts")]
mod accounts;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "issuers")]
mod blind;
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

pub(crate) use about::About;

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

/// Lists the types of a table, `type = "kebab-case"`, each with what the documentation says about it; a type whose feature is
/// left out is read and refused by name.
macro_rules! tables {
    ($(#[$about:meta])* $entry:ident opens $system:ty; $($kind:ident($table:ty) $(needs $feature:literal)? is $about_kind:ident,)+) => {
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
            /// Every type with its name in the enum, whether this program was built with it or not.
            pub(super) const KINDS: &[(&str, &About)] = &[$((stringify!($kind), &about::$about_kind)),+];

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
    Files(files::Files) is FILES,
    Sops(files::Sops) needs "issuers" is SOPS,
    Age(files::Age) needs "issuers" is AGE,
    VaultKv(vault::Kv) needs "vault" is VAULT_KV,
    VaultKv1(vault::Kv1) needs "vault" is VAULT_KV1,
    Kubernetes(shelves::Kubernetes) needs "issuers" is KUBERNETES,
    GcpSecrets(shelves::Gcp) needs "issuers" is GCP_SECRETS,
    AzureVault(shelves::Azure) needs "issuers" is AZURE_VAULT,
    GitlabCi(shelves::GitLab) needs "issuers" is GITLAB_CI,
    GithubActions(blind::GithubActions) needs "issuers" is GITHUB_ACTIONS,
    Jenkins(blind::Jenkins) needs "issuers" is JENKINS,
    AwsSecrets(aws::Secrets) needs "aws" is AWS_SECRETS,
    AwsSsm(aws::Parameters) needs "aws" is AWS_SSM,
}

tables! {
    /// A `[[provider]]` table.
    ProviderEntry opens dyn Provider;
    Keyring(keyring::Keyring) is KEYRING,
    Vault(vault::Access) needs "vault" is VAULT,
    AwsIam(aws::Iam) needs "aws" is AWS_IAM,
    AwsApiKeys(aws::ApiKeys) needs "aws" is AWS_API_KEYS,
    Http(http::Issuer) needs "issuers" is HTTP,
    Postgres(postgres::Roles) needs "postgres" is POSTGRES,
    Mysql(accounts::MySqlTable) needs "accounts" is MYSQL,
    Redis(accounts::RedisTable) needs "accounts" is REDIS,
    Rabbitmq(accounts::RabbitTable) needs "accounts" is RABBITMQ,
    Ldap(accounts::LdapTable) needs "accounts" is LDAP,
}

/// What can be written as `type` of a `[[store]]`.
pub(crate) fn stores() -> impl Iterator<Item = &'static About> {
    StoreEntry::KINDS.iter().map(|(_, about)| *about)
}

/// What can be written as `type` of a `[[provider]]`.
pub(crate) fn providers() -> impl Iterator<Item = &'static About> {
    ProviderEntry::KINDS.iter().map(|(_, about)| *about)
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
#[serde(try_from = "toml::Value")]
pub(super) enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; line ends at its end do not count.
    File(PathBuf),
}

/// Whatever else somebody wrote may be the secret itself: it is not repeated.
impl TryFrom<toml::Value> for SecretSource {
    type Error = &'static str;

    fn try_from(written: toml::Value) -> Result<Self, Self::Error> {
        let table = written.as_table().filter(|table| table.len() == 1);
        match table.and_then(|table| Some((table.keys().next()?.as_str(), table.values().next()?.as_str()?))) {
            Some(("env", name)) => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) => Ok(Self::File(path.into())),
            _ => Err("a secret is `{ env = \"NAME\" }` or `{ file = \"path\" }`, never written out"),
        }
    }
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

/// TLS is left out only where somebody says so, or for this machine without an authority of its own.
#[cfg(any(feature = "accounts", feature = "postgres"))]
fn tls(wanted: Option<bool>, host: &str, authority: Option<&PathBuf>, folder: &Path) -> crate::remote::Tls {
    use crate::remote::Tls;
    let here = matches!(host, "localhost" | "127.0.0.1" | "::1");
    match (wanted.unwrap_or(!here || authority.is_some()), authority) {
        (false, _) => Tls::Off,
        (true, None) => Tls::System,
        (true, Some(path)) => Tls::Authority(folder.join(path)),
    }
}

/// How long one answer may take where the table does not say, in seconds.
#[cfg(any(feature = "issuers", feature = "postgres"))]
fn default_deadline() -> u64 {
    15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_type_stands_under_the_word_that_a_table_takes() {
        let kebab = |name: &str| {
            let dashes = name.chars().enumerate().map(|(at, c)| {
                let dash = if c.is_uppercase() && at > 0 { "-" } else { "" };
                format!("{dash}{}", c.to_lowercase())
            });
            dashes.collect::<String>()
        };
        for (name, about) in StoreEntry::KINDS.iter().chain(ProviderEntry::KINDS) {
            assert_eq!(kebab(name), about.kind);
            assert!(!about.tests.is_empty() && !about.what.is_empty(), "{name}");
            for test in about.tests {
                let tests = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration"));
                let there = tests.join(format!("{test}.rs")).is_file() || tests.join(test).join("mod.rs").is_file();
                assert!(there, "{name} names the test {test}, which does not exist");
            }
        }
    }
}
