//! Azure Key Vault secrets. A new value is a new version; older versions are disabled when the old value is retired, because the
//! interface cannot destroy a single version: who may set secrets could enable them again, and the receipt says so.
//!
//! The interface has no check-and-set: offkey reads once more right before it writes. A text that is a JSON object is read field
//! by field, every other text is the field `value`. Secrets that belong to certificates are left out.
//!
//! A deleted secret keeps its name until it is purged, which vaults may forbid. So a waiting value is buried under a text that
//! is none, its versions are disabled, and then it is deleted and purged if that is allowed; a later one digs the name up.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};

use super::rest::{Rest, refusal};
use super::shelf::{Backend, Entry, Listing, Shelf};
use crate::action::Pending;
use crate::error::Result;
use crate::remote::Failure;
use crate::secret::{Fingerprinter, SecretValue};

const VERSION: (&str, &str) = ("api-version", "7.4");

/// What lies over a waiting value that has gone.
const BURIED: &str = "-";

/// How often the end of a deletion or a recovery is looked for.
const LOOKS: u32 = 20;

struct Azure {
    rest: Rest,
}

/// The secrets of a vault.
pub fn azure_vault(name: impl Into<String>, rest: Rest, fingerprinter: Fingerprinter) -> Shelf {
    Shelf::new(name.into(), Arc::new(Azure { rest: rest.with_plain_patch() }), fingerprinter)
}

/// Behind `https://…/secrets/NAME/VERSION`.
fn parts(secret: &Value) -> Option<(String, String)> {
    let url = Url::parse(secret["id"].as_str()?).ok()?;
    let mut parts = url.path_segments()?.skip(1).map(str::to_owned);
    Some((parts.next()?, parts.next().unwrap_or_default()))
}

/// One version with its text.
struct Newest {
    version: String,
    text: String,
    /// What a further version has to repeat.
    kept: Value,
}

impl Azure {
    async fn newest(&self, name: &str) -> Result<Option<Newest>, Failure> {
        let Some(secret) = self.rest.json("GET", &["secrets", name], "", &[VERSION], None).await? else {
            return Ok(None);
        };
        let strange = || self.rest.strange("a secret was expected");
        let (_, version) = parts(&secret).ok_or_else(strange)?;
        let text = secret["value"].as_str().ok_or_else(strange)?.to_owned();
        let mut kept = json!({});
        for field in ["contentType", "tags"] {
            if !secret[field].is_null() {
                kept[field] = secret[field].clone();
            }
        }
        Ok(Some(Newest { version, text, kept }))
    }

    /// Adds a version.
    async fn set(&self, name: &str, text: &str, mut kept: Value) -> Result<(), Failure> {
        kept["value"] = Value::from(text);
        let written = self.rest.json("PUT", &["secrets", name], "", &[VERSION], Some(&kept)).await?;
        written.map(drop).ok_or_else(|| self.rest.missing(name))
    }

    async fn pages(&self, path: &[&str]) -> Result<Vec<Value>, Failure> {
        let (mut all, mut skip) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![VERSION, ("maxresults", "25")];
            query.extend(skip.as_deref().map(|skip| ("$skiptoken", skip)));
            let page = self.rest.json("GET", path, "", &query, None).await?;
            let page = page.ok_or_else(|| self.rest.missing(&path.join("/")))?;
            all.extend(page["value"].as_array().into_iter().flatten().cloned());
            // Only the place to go on at is taken from the link, never its host.
            let next = page["nextLink"].as_str().and_then(|link| Url::parse(link).ok());
            skip = next.and_then(|url| {
                url.query_pairs().find(|(name, _)| name == "$skiptoken").map(|(_, token)| token.into_owned())
            });
            if skip.is_none() {
                return Ok(all);
            }
        }
    }

    /// Versions that can be read, without the newest one.
    async fn enabled(&self, name: &str) -> Result<Vec<String>, Failure> {
        let newest = self.newest(name).await?.map(|newest| newest.version);
        let all = self.pages(&["secrets", name, "versions"]).await?;
        let readable = all.iter().filter(|one| one["attributes"]["enabled"] != json!(false));
        let versions = readable.filter_map(|one| parts(one).map(|(_, version)| version));
        Ok(versions.filter(|version| Some(version) != newest.as_ref()).collect())
    }

    async fn disable(&self, name: &str, version: &str) -> Result<(), Failure> {
        let body = json!({ "attributes": { "enabled": false } });
        self.rest.json("PATCH", &["secrets", name, version], "", &[VERSION], Some(&body)).await.map(drop)
    }

    /// Ends the deleted secret for good, as far as the vault allows.
    async fn purge(&self, name: &str) -> Result<(), Failure> {
        for _ in 0..LOOKS {
            let reply = self.rest.ask("DELETE", &["deletedsecrets", name], "", &[VERSION], None).await?;
            match reply.status {
                // The deletion is still under way.
                404 | 409 => tokio::time::sleep(Duration::from_millis(300)).await,
                // Forbidden to us, or to everybody by purge protection: it stays deleted.
                403 => return Ok(()),
                _ if reply.is_success() => return Ok(()),
                _ => return Err(refusal(&reply)),
            }
        }
        Ok(())
    }

    /// Brings a deleted secret back, for its name.
    async fn recover(&self, name: &str) -> Result<(), Failure> {
        let path = ["deletedsecrets", name, "recover"];
        let recovered = self.rest.json("POST", &path, "", &[VERSION], Some(&json!({}))).await?;
        recovered.ok_or_else(|| self.rest.missing(name))?;
        for _ in 0..LOOKS {
            if self.newest(name).await?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Err(self.rest.missing(name))
    }
}

impl Backend for Azure {
    fn label(&self) -> &'static str {
        "Azure Key Vault"
    }

    fn kind(&self) -> &'static str {
        "azure-vault"
    }

    fn list(&self) -> Pending<'_, Result<Listing, Failure>> {
        Box::pin(async move {
            let mut listing = Listing::default();
            for secret in self.pages(&["secrets"]).await? {
                let Some((name, _)) = parts(&secret) else { continue };
                if secret["managed"] == json!(true) {
                    listing.left_out.push((name, "it belongs to a certificate".to_owned()));
                    continue;
                }
                if secret["attributes"]["enabled"] == json!(false) {
                    listing.left_out.push((name, "disabled: it cannot be read".to_owned()));
                    continue;
                }
                match self.newest(&name).await {
                    Ok(Some(newest)) => listing.entries.push(Entry::of_text(&name, newest.version, newest.text)),
                    Ok(None) => listing.left_out.push((name, "it is gone since the list was made".to_owned())),
                    Err(failure) => listing.failed.push((name, failure.to_string())),
                }
            }
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>> {
        Box::pin(
            async move { Ok(self.newest(path).await?.map(|newest| Entry::of_text(path, newest.version, newest.text))) },
        )
    }

    fn put<'a>(&'a self, changed: &'a Entry, _: &'a str) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            // Read right before: somebody may have added a version since.
            let newest = self.newest(&changed.path).await?;
            let Some(newest) = newest.filter(|newest| newest.version == changed.version) else { return Ok(false) };
            self.set(&changed.path, &changed.text_like(&newest.text), newest.kept).await.map(|()| true)
        })
    }

    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            if self.waiting(name).await?.is_some() {
                return Ok(false);
            }
            let text = content.expose_str().unwrap_or_default();
            let kept = json!({ "tags": { "managed-by": "offkey" } });
            match self.set(name, text, kept.clone()).await {
                // The name of an earlier one that could not be purged.
                Err(failure) if failure.status() == Some(409) => {
                    self.recover(name).await?;
                    self.set(name, text, kept).await.map(|()| true)
                }
                other => other.map(|()| true),
            }
        })
    }

    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>> {
        Box::pin(async move {
            let newest = self.newest(name).await?.filter(|newest| newest.text != BURIED);
            Ok(newest.map(|newest| SecretValue::from(newest.text)))
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let Some(newest) = self.newest(name).await? else { return Ok(()) };
            if newest.text != BURIED {
                self.set(name, BURIED, json!({})).await?;
            }
            for version in self.enabled(name).await? {
                self.disable(name, &version).await?;
            }
            self.rest.json("DELETE", &["secrets", name], "", &[VERSION], None).await?;
            self.purge(name).await
        })
    }

    fn old_versions<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Vec<String>, Failure>> {
        Box::pin(self.enabled(path))
    }

    fn destroy<'a>(&'a self, path: &'a str, version: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(self.disable(path, version))
    }
}
