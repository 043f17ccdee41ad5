//! `type = "aws-secrets"` and `"aws-ssm"` (stores), `"aws-iam"` and `"aws-api-keys"` (providers): one account of AWS in one region.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, Table, default_deadline};
use crate::error::{Error, Result};
use crate::provider::{AwsApiKeys, AwsIam, Provider};
use crate::remote::{Aws, AwsKey, AwsSettings};
use crate::secret::Fingerprinter;
use crate::store::{AwsSecrets, Store, aws_parameters};

/// Secrets Manager.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Secrets {
    name: String,
    region: String,
    /// One address for all services; default: AWS itself.
    endpoint: Option<String>,
    /// Without a key: environment, profile or instance role, as every AWS tool.
    key_id: Option<String>,
    key: Option<SecretSource>,
    session_token: Option<SecretSource>,
    /// Beginnings of names that may be read; empty: all.
    #[serde(default)]
    prefixes: Vec<String>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
    /// How long AWS's own rotation of a secret may take before a person is asked.
    #[serde(default = "default_rotation")]
    rotation_deadline_seconds: u64,
}

fn default_rotation() -> u64 {
    1800
}

/// Parameter Store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Parameters {
    name: String,
    region: String,
    endpoint: Option<String>,
    key_id: Option<String>,
    key: Option<SecretSource>,
    session_token: Option<SecretSource>,
    /// Beginnings of names that may be read; empty: all.
    #[serde(default)]
    prefixes: Vec<String>,
    /// Path under which new values wait.
    #[serde(default = "default_pending")]
    pending: String,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn default_pending() -> String {
    "/offkey".to_owned()
}

/// IAM users and access keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Iam {
    name: String,
    #[serde(default = "default_region")]
    region: String,
    endpoint: Option<String>,
    key_id: Option<String>,
    key: Option<SecretSource>,
    session_token: Option<SecretSource>,
    /// Roles whose sessions end for every leaver with a user in the account, even where services assume them, too.
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

/// API keys of API Gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ApiKeys {
    name: String,
    region: String,
    endpoint: Option<String>,
    key_id: Option<String>,
    key: Option<SecretSource>,
    session_token: Option<SecretSource>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

impl Table<dyn Store> for Secrets {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        self.key.as_ref()
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let whose = format!("store {}", self.name);
        let aws = account!(self).open(&whose, folder)?;
        let store = AwsSecrets::new(&self.name, aws, self.prefixes.clone(), fingerprinter.clone());
        Ok(Box::new(store.rotation_within(Duration::from_secs(self.rotation_deadline_seconds))))
    }
}

impl Table<dyn Store> for Parameters {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        self.key.as_ref()
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let whose = format!("store {}", self.name);
        let aws = account!(self).open(&whose, folder)?;
        Ok(Box::new(aws_parameters(&self.name, aws, self.prefixes.clone(), &self.pending, fingerprinter.clone())))
    }
}

impl Table<dyn Provider> for Iam {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        self.key.as_ref()
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let whose = format!("provider {}", self.name);
        let aws = account!(self).open(&whose, folder)?;
        Ok(Box::new(AwsIam::new(&self.name, aws).with_roles(self.roles.clone())))
    }
}

impl Table<dyn Provider> for ApiKeys {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        self.key.as_ref()
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let whose = format!("provider {}", self.name);
        let aws = account!(self).open(&whose, folder)?;
        Ok(Box::new(AwsApiKeys::new(&self.name, aws)))
    }
}

/// What all tables of AWS have; serde cannot share fields between tables that refuse unknown ones.
struct Account<'a> {
    region: &'a str,
    endpoint: Option<&'a String>,
    key: [Option<&'a SecretSource>; 2],
    key_id: Option<&'a String>,
    deadline_seconds: u64,
}

macro_rules! account {
    ($table:expr) => {
        Account {
            region: &$table.region,
            endpoint: $table.endpoint.as_ref(),
            key: [$table.key.as_ref(), $table.session_token.as_ref()],
            key_id: $table.key_id.as_ref(),
            deadline_seconds: $table.deadline_seconds,
        }
    };
}
use account;

impl Account<'_> {
    fn open(self, whose: &str, folder: &Path) -> Result<Arc<Aws>> {
        let [secret, session] = self.key;
        let settings = AwsSettings {
            region: self.region.to_owned(),
            endpoint: self.endpoint.cloned(),
            key: key(whose, folder, self.key_id, secret, session)?,
            deadline: Duration::from_secs(self.deadline_seconds),
        };
        let client = Aws::new(settings);
        Ok(Arc::new(client.map_err(|failure| Error::config(format!("{whose} cannot be opened")).because(failure))?))
    }
}

fn key(
    whose: &str,
    folder: &Path,
    id: Option<&String>,
    secret: Option<&SecretSource>,
    session: Option<&SecretSource>,
) -> Result<Option<AwsKey>> {
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(AwsKey {
            id: id.clone(),
            secret: secret.read(folder, whose)?,
            session: session.map(|session| session.read(folder, whose)).transpose()?,
        })),
        _ => Err(Error::config(format!("{whose} has one half of an access key"))
            .next("Give both key_id and key, or neither: then the key is found as every AWS tool finds it.")),
    }
}
