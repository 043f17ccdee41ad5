//! `type = "postgres"`: roles of a PostgreSQL server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, Table, default_deadline, tls};
use crate::error::Result;
use crate::provider::{PostgresRoles, Provider};
use crate::remote::{Postgres, PostgresSettings};
use crate::secret::Fingerprinter;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Roles {
    name: String,
    host: String,
    #[serde(default = "default_port")]
    port: u16,
    #[serde(default = "default_database")]
    database: String,
    user: String,
    password: SecretSource,
    /// On except for this machine.
    tls: Option<bool>,
    /// PEM file with an authority of your own.
    authority: Option<PathBuf>,
    /// Other names under which consumers reach the same server.
    #[serde(default)]
    also_known_as: Vec<String>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn default_port() -> u16 {
    5432
}

fn default_database() -> String {
    "postgres".to_owned()
}

impl Table<dyn Provider> for Roles {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.password)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Provider>> {
        let server = Postgres::new(PostgresSettings {
            host: self.host.clone(),
            port: self.port,
            database: self.database.clone(),
            user: self.user.clone(),
            password: self.password.read(folder, &format!("provider {}", self.name))?,
            tls: tls(self.tls, &self.host, self.authority.as_ref(), folder),
            deadline: Duration::from_secs(self.deadline_seconds),
        });
        Ok(Box::new(PostgresRoles::new(&self.name, server, self.also_known_as.clone())))
    }
}
