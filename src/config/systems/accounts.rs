//! `type = "mysql"`, `"redis"`, `"rabbitmq"`, `"ldap"`: accounts whose passwords are set by one administrator.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, Table, default_deadline, tls};
use crate::error::{Error, Result};
use crate::provider::{Provider, RabbitSettings, ldap_accounts, mysql_accounts, rabbitmq_accounts, redis_accounts};
use crate::remote::{Endpoint, Http, Ldap, MySql, Redis, Tls};
use crate::secret::Fingerprinter;

/// A server that is spoken to over TCP: MySQL or MariaDB, Redis.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Tcp<const PORT: u16> {
    name: String,
    host: String,
    port: Option<u16>,
    #[serde(default = "default_user")]
    user: String,
    password: SecretSource,
    /// On except for this machine.
    tls: Option<bool>,
    authority: Option<PathBuf>,
    /// Other names under which consumers reach the same server.
    #[serde(default)]
    also_known_as: Vec<String>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

/// MySQL or MariaDB.
pub(in crate::config) type MySqlTable = Tcp<3306>;
/// Redis or Valkey.
pub(in crate::config) type RedisTable = Tcp<6379>;

/// A directory.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct LdapTable {
    name: String,
    host: String,
    port: Option<u16>,
    /// Distinguished name of the administrator.
    user: String,
    password: SecretSource,
    /// Where people are: `ou=people,dc=example,dc=org`.
    base: String,
    #[serde(default = "default_attribute")]
    attribute: String,
    /// On except for this machine.
    tls: Option<bool>,
    authority: Option<PathBuf>,
    #[serde(default)]
    also_known_as: Vec<String>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

/// RabbitMQ.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RabbitTable {
    name: String,
    /// The management interface.
    address: String,
    user: String,
    password: SecretSource,
    authority: Option<PathBuf>,
    /// Where consumers connect.
    #[serde(default = "default_amqp_port")]
    amqp_port: u16,
    #[serde(default)]
    also_known_as: Vec<String>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn default_user() -> String {
    "default".to_owned()
}

fn default_attribute() -> String {
    "uid".to_owned()
}

fn default_amqp_port() -> u16 {
    5672
}

impl<const PORT: u16> Table<dyn Provider> for Tcp<PORT> {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.password)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let endpoint = Endpoint {
            host: self.host.clone(),
            port: self.port.unwrap_or(PORT),
            tls: tls(self.tls, &self.host, self.authority.as_ref(), folder),
            deadline: Duration::from_secs(self.deadline_seconds),
        };
        let password = self.password.read(folder, &format!("provider {}", self.name))?;
        let also = self.also_known_as.clone();
        Ok(match PORT {
            3306 => Box::new(mysql_accounts(&self.name, MySql::new(endpoint, &self.user, password), also)),
            _ => Box::new(redis_accounts(&self.name, Redis::new(endpoint, &self.user, password), also)),
        })
    }
}

impl Table<dyn Provider> for LdapTable {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.password)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let tls = tls(self.tls, &self.host, self.authority.as_ref(), folder);
        let endpoint = Endpoint {
            host: self.host.clone(),
            port: self.port.unwrap_or(if tls == Tls::Off { 389 } else { 636 }),
            tls,
            deadline: Duration::from_secs(self.deadline_seconds),
        };
        let ldap = Ldap::new(endpoint, &self.user, self.password.read(folder, &format!("provider {}", self.name))?);
        Ok(Box::new(ldap_accounts(&self.name, ldap, &self.base, &self.attribute, self.also_known_as.clone())))
    }
}

impl Table<dyn Provider> for RabbitTable {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.password)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let name = &self.name;
        let address = reqwest::Url::parse(&self.address)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
            .ok_or_else(|| {
                Error::config(format!("provider {name}: {} is not the address of a management interface", self.address))
                    .next("Give an address like https://mq.harbourfinch.example:15671.")
            })?;
        let authority = self.authority.as_ref().map(|path| folder.join(path));
        let http = Http::new(&address, Duration::from_secs(self.deadline_seconds), authority.as_deref())
            .map_err(|failure| Error::config(format!("provider {name} cannot be opened")).because(failure))?;
        let password = self.password.read(folder, &format!("provider {name}"))?;
        let settings = RabbitSettings { address, http, user: self.user.clone(), password, amqp_port: self.amqp_port };
        Ok(Box::new(rabbitmq_accounts(name, settings, self.also_known_as.clone())))
    }
}
