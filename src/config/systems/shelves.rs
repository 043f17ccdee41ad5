//! `type = "kubernetes"`, `"gcp-secrets"`, `"azure-vault"`, `"gitlab-ci"`: stores over HTTP that take a token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, Table, default_deadline};
use crate::error::{Error, Result};
use crate::secret::{Fingerprinter, SecretValue};
use crate::store::{Rest, Store, azure_vault, gcp_secrets, gitlab_variables, kubernetes_secrets};

/// Secrets of Kubernetes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Kubernetes {
    name: String,
    /// The API server.
    address: String,
    /// Of a service account.
    token: SecretSource,
    namespaces: Vec<String>,
    authority: Option<PathBuf>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

/// Google Secret Manager.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Gcp {
    name: String,
    project: String,
    /// An access token: what `gcloud auth print-access-token` prints.
    token: SecretSource,
    #[serde(default = "gcp_address")]
    address: String,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn gcp_address() -> String {
    "https://secretmanager.googleapis.com".to_owned()
}

/// Azure Key Vault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Azure {
    name: String,
    /// `https://NAME.vault.azure.net`
    address: String,
    /// An access token: what `az account get-access-token --resource https://vault.azure.net` prints.
    token: SecretSource,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

/// CI/CD variables of GitLab.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GitLab {
    name: String,
    #[serde(default = "gitlab_address")]
    address: String,
    /// A token with the scope `api` of a maintainer.
    token: SecretSource,
    /// Id or full path of a project.
    project: Option<String>,
    /// Id or full path of a group, instead.
    group: Option<String>,
    authority: Option<PathBuf>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn gitlab_address() -> String {
    "https://gitlab.com".to_owned()
}

/// Token and interface of a store.
fn rest(
    name: &str,
    address: &str,
    token: &SecretValue,
    deadline_seconds: u64,
    authority: Option<PathBuf>,
) -> Result<Rest> {
    Rest::new(address, token, Duration::from_secs(deadline_seconds), authority.as_deref())
        .map_err(|failure| Error::config(format!("store {name} cannot be opened")).because(failure))
}

impl Table<dyn Store> for Kubernetes {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let name = &self.name;
        if self.namespaces.is_empty() {
            return Err(Error::config(format!("store {name} names no namespace"))
                .next("Add namespaces = [\"…\"]: only what is named is read."));
        }
        let token = self.token.read(folder, &format!("store {name}"))?;
        let authority = self.authority.as_ref().map(|path| folder.join(path));
        let rest = rest(name, &self.address, &token, self.deadline_seconds, authority)?;
        Ok(Box::new(kubernetes_secrets(name, rest, self.namespaces.clone(), fingerprinter.clone())))
    }
}

impl Table<dyn Store> for Gcp {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let token = self.token.read(folder, &format!("store {}", self.name))?;
        let rest = rest(&self.name, &self.address, &token, self.deadline_seconds, None)?;
        Ok(Box::new(gcp_secrets(&self.name, rest, &self.project, fingerprinter.clone())))
    }
}

impl Table<dyn Store> for Azure {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let token = self.token.read(folder, &format!("store {}", self.name))?;
        let rest = rest(&self.name, &self.address, &token, self.deadline_seconds, None)?;
        Ok(Box::new(azure_vault(&self.name, rest, fingerprinter.clone())))
    }
}

impl Table<dyn Store> for GitLab {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, fingerprinter: &Fingerprinter) -> Result<Box<dyn Store>> {
        let name = &self.name;
        let (group, id) = match (&self.project, &self.group) {
            (Some(project), None) => (false, project),
            (None, Some(group)) => (true, group),
            _ => {
                return Err(Error::config(format!("store {name} needs either project or group"))
                    .next("Give the id or the full path of one of them."));
            }
        };
        let token = self.token.read(folder, &format!("store {name}"))?;
        let authority = self.authority.as_ref().map(|path| folder.join(path));
        let rest = rest(name, &self.address, &token, self.deadline_seconds, authority)?;
        let rest = rest.with_header("private-token", &token);
        Ok(Box::new(gitlab_variables(name, rest, group, id, fingerprinter.clone())))
    }
}
