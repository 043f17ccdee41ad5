//! Google Secret Manager. A new value is a new version; older versions are destroyed when the old value is retired.
//!
//! The interface has no check-and-set for versions: offkey reads once more right before it adds one. A payload that is a JSON
//! object is read field by field, every other text is the field `value`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rest::{Rest, refusal};
use super::shelf::{Backend, Entry, Listing, Shelf};
use crate::action::Pending;
use crate::error::Result;
use crate::remote::Failure;
use crate::secret::{Fingerprinter, SecretValue};

struct Gcp {
    rest: Rest,
    project: String,
}

/// The secrets of a project.
pub fn gcp_secrets(
    name: impl Into<String>,
    rest: Rest,
    project: impl Into<String>,
    fingerprinter: Fingerprinter,
) -> Shelf {
    Shelf::new(name.into(), Arc::new(Gcp { rest, project: project.into() }), fingerprinter)
}

fn last(name: &Value) -> Option<&str> {
    name.as_str()?.rsplit('/').next()
}

impl Gcp {
    fn path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        let mut path = vec!["v1", "projects", self.project.as_str(), "secrets"];
        path.extend(rest);
        path
    }

    /// Version and text of the newest payload; `None` when there is none, or it is no text.
    async fn newest(&self, secret: &str) -> Result<Option<(String, String)>, Failure> {
        let path = self.path(&[secret, "versions", "latest"]);
        let reply = self.rest.ask("GET", &path, ":access", &[], None).await?;
        // Destroyed or disabled is a failed precondition.
        if matches!(reply.status, 400 | 404) {
            return Ok(None);
        }
        if !reply.is_success() {
            return Err(refusal(&reply));
        }
        let body = reply.json()?;
        let strange = || self.rest.strange("a version with a payload was expected");
        let version = last(&body["name"]).ok_or_else(strange)?.to_owned();
        let data = body["payload"]["data"].as_str().ok_or_else(strange)?;
        let bytes = data_encoding::BASE64.decode(data.as_bytes()).map_err(|_| strange())?;
        Ok(String::from_utf8(bytes).ok().map(|text| (version, text)))
    }

    async fn add(&self, secret: &str, text: &str) -> Result<(), Failure> {
        let body = json!({ "payload": { "data": data_encoding::BASE64.encode(text.as_bytes()) } });
        let added = self.rest.json("POST", &self.path(&[secret]), ":addVersion", &[], Some(&body)).await?;
        added.map(drop).ok_or_else(|| self.rest.missing(secret))
    }

    async fn pages(&self, path: &[&str], list: &str, filter: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let mut query = vec![("pageSize", "250")];
            if !filter.is_empty() {
                query.push(("filter", filter));
            }
            if !next.is_empty() {
                query.push(("pageToken", next.as_str()));
            }
            let page = self.rest.json("GET", path, "", &query, None).await?;
            let page = page.ok_or_else(|| self.rest.missing(&self.project))?;
            all.extend(page[list].as_array().into_iter().flatten().cloned());
            next = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
            if next.is_empty() {
                return Ok(all);
            }
        }
    }
}

impl Backend for Gcp {
    fn label(&self) -> &'static str {
        "Google Secret Manager"
    }

    fn kind(&self) -> &'static str {
        "gcp-secrets"
    }

    fn list(&self) -> Pending<'_, Result<Listing, Failure>> {
        Box::pin(async move {
            let mut listing = Listing::default();
            for secret in self.pages(&self.path(&[]), "secrets", "").await? {
                let Some(name) = last(&secret["name"]) else { continue };
                match self.newest(name).await {
                    Ok(Some((version, text))) => listing.entries.push(Entry::of_text(name, version, text)),
                    Ok(None) => {
                        listing.left_out.push((name.to_owned(), "its newest version cannot be read as text".to_owned()))
                    }
                    Err(failure) => listing.failed.push((name.to_owned(), failure.to_string())),
                }
            }
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>> {
        Box::pin(async move { Ok(self.newest(path).await?.map(|(version, text)| Entry::of_text(path, version, text))) })
    }

    fn put<'a>(&'a self, changed: &'a Entry, _: &'a str) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            // Read right before: somebody may have added a version since.
            let newest = self.newest(&changed.path).await?;
            let Some((_, text)) = newest.filter(|(version, _)| *version == changed.version) else { return Ok(false) };
            self.add(&changed.path, &changed.text_like(&text)).await.map(|()| true)
        })
    }

    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let body = json!({ "replication": { "automatic": {} }, "labels": { "managed-by": "offkey" } });
            let reply = self.rest.ask("POST", &self.path(&[]), "", &[("secretId", name)], Some(&body)).await?;
            let taken = reply.status == 409;
            if !taken && !reply.is_success() {
                return Err(refusal(&reply));
            }
            // An earlier call may have made the secret and not its version.
            if taken && self.newest(name).await?.is_some() {
                return Ok(false);
            }
            self.add(name, content.expose_str().unwrap_or_default()).await.map(|()| true)
        })
    }

    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>> {
        Box::pin(async move { Ok(self.newest(name).await?.map(|(_, text)| SecretValue::from(text))) })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move { self.rest.json("DELETE", &self.path(&[name]), "", &[], None).await.map(drop) })
    }

    fn old_versions<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Vec<String>, Failure>> {
        Box::pin(async move {
            let newest = self.newest(path).await?.map(|(version, _)| version);
            let all = self.pages(&self.path(&[path, "versions"]), "versions", "NOT state:DESTROYED").await?;
            let kept = all.iter().filter(|version| version["state"] != "DESTROYED");
            let numbers = kept.filter_map(|version| last(&version["name"]).map(str::to_owned));
            Ok(numbers.filter(|number| Some(number) != newest.as_ref()).collect())
        })
    }

    fn destroy<'a>(&'a self, path: &'a str, version: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let path = self.path(&[path, "versions", version]);
            self.rest.json("POST", &path, ":destroy", &[], Some(&json!({}))).await.map(drop)
        })
    }
}
