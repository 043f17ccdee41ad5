//! OpenBao and Vault KV version 1.
//!
//! A locator is `mount/path#field`. Version 1 has no check-and-set and no older versions: offkey reads once more right before
//! it writes, a change in between is lost, and a write replaces the whole entry. So an entry in which another field is
//! masked is refused. New values wait under the pending folder of the same mount.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::shelf::{Backend, Entry, Listing, Shelf};
use crate::action::Pending;
use crate::remote::{Failure, Vault};
use crate::secret::{Fingerprinter, SecretValue};

struct Kv1 {
    vault: Arc<Vault>,
    mount: String,
    folders: Vec<String>,
    pending: String,
}

/// The store `name` on `mount`. Only `folders` are read in an inventory (all when empty); `pending` is the folder for waiting
/// values, which consumers should not be able to read.
pub fn vault_kv1(
    name: impl Into<String>,
    vault: Arc<Vault>,
    mount: impl Into<String>,
    folders: Vec<String>,
    pending: impl Into<String>,
    fingerprinter: Fingerprinter,
) -> Shelf {
    let clean = |text: String| text.trim_matches('/').to_owned();
    let (mount, pending) = (clean(mount.into()), clean(pending.into()));
    let backend = Kv1 { vault, mount, folders: folders.into_iter().map(clean).collect(), pending };
    Shelf::new(name.into(), Arc::new(backend), fingerprinter)
}

impl Kv1 {
    /// Path inside the mount.
    fn inside<'p>(&self, path: &'p str) -> Result<&'p str, Failure> {
        let inside = path.strip_prefix(self.mount.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let message = format!("{path} is not of the form {}/path", self.mount);
        let place = self.vault.place();
        inside.ok_or(Failure::Answered { place, status: 404, code: String::new(), message, retry_after: None })
    }

    fn waits(&self, name: &str) -> String {
        format!("{}/{name}", self.pending)
    }

    /// A mount of version 2 answers calls of version 1 with "nothing here", which must not be taken for an empty store.
    async fn is_version_1(&self) -> Result<(), Failure> {
        if self.vault.kv_mount_version(&self.mount).await? != Some(2) {
            return Ok(());
        }
        let why = format!("{} is KV version 2: write type = \"vault-kv\"", self.mount);
        Err(Failure::Strange { place: self.vault.place(), why })
    }

    async fn read_into(&self, path: &str, listing: &mut Listing) {
        let shown = format!("{}/{path}", self.mount);
        match self.vault.kv1_read(&self.mount, path).await {
            Ok(Some(fields)) => listing.entries.push(Entry { path: shown, version: String::new(), fields }),
            Ok(None) => listing.left_out.push((shown, "it is gone since the list was made".to_owned())),
            Err(failure) => listing.failed.push((shown, failure.to_string())),
        }
    }
}

impl Backend for Kv1 {
    fn label(&self) -> &'static str {
        "OpenBao KV v1"
    }

    fn kind(&self) -> &'static str {
        "vault-kv1"
    }

    fn list(&self) -> Pending<'_, Result<Listing, Failure>> {
        Box::pin(async move {
            self.is_version_1().await?;
            let mut listing = Listing::default();
            let mut todo = if self.folders.is_empty() {
                self.vault.kv1_list(&self.mount, "").await?
            } else {
                self.folders.iter().map(|folder| format!("{folder}/")).collect()
            };
            while let Some(path) = todo.pop() {
                let Some(folder) = path.strip_suffix('/') else {
                    self.read_into(&path, &mut listing).await;
                    continue;
                };
                if folder == self.pending {
                    continue;
                }
                match self.vault.kv1_list(&self.mount, folder).await {
                    // A configured name may be an entry instead of a folder.
                    Ok(names) if names.is_empty() => self.read_into(folder, &mut listing).await,
                    Ok(names) => todo.extend(names.into_iter().map(|name| format!("{path}{name}"))),
                    Err(failure) => listing.failed.push((format!("{}/{path}", self.mount), failure.to_string())),
                }
            }
            listing.entries.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>> {
        Box::pin(async move {
            let fields = self.vault.kv1_read(&self.mount, self.inside(path)?).await?;
            Ok(fields.map(|fields| Entry { path: path.to_owned(), version: String::new(), fields }))
        })
    }

    fn put<'a>(&'a self, entry: &'a Entry, _: &'a str) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            self.vault.kv1_write(&self.mount, self.inside(&entry.path)?, &entry.fields).await.map(|()| true)
        })
    }

    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            if self.waiting(name).await?.is_some() {
                return Ok(false);
            }
            let content = Value::from(content.expose_str().unwrap_or_default());
            let entry = Map::from_iter([("value".to_owned(), content)]);
            self.vault.kv1_write(&self.mount, &self.waits(name), &entry).await.map(|()| true)
        })
    }

    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>> {
        Box::pin(async move {
            let entry = self.vault.kv1_read(&self.mount, &self.waits(name)).await?;
            Ok(entry.and_then(|entry| entry.get("value")?.as_str().map(SecretValue::new)))
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move { self.vault.kv1_delete(&self.mount, &self.waits(name)).await })
    }

    fn writes_siblings(&self) -> bool {
        true
    }

    fn lacks<'a>(&'a self, path: &'a str, pending: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            self.inside(path)?;
            let waits = format!("{}/{}", self.mount, self.waits(pending));
            let needs: Vec<(String, &str)> = ["read", "update"]
                .map(|right| (path.to_owned(), right))
                .into_iter()
                .chain(["create", "read", "delete"].map(|right| (waits.clone(), right)))
                .collect();
            let paths: Vec<String> = needs.iter().map(|(path, _)| path.clone()).collect();
            let granted = self.vault.capabilities(&paths).await?;
            let lacking = needs
                .iter()
                .zip(granted)
                .find(|((_, right), has)| !has.iter().any(|one| one == "root" || one == right));
            Ok(lacking.map(|((path, right), _)| format!("{right} on {path}")))
        })
    }
}
