//! Secrets of Kubernetes, in the namespaces that are named. `resourceVersion` fences two writers.
//!
//! Programs that read a Secret as environment variables see a new value when they start again; mounted files follow by
//! themselves.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::rest::{Rest, refusal};
use super::shelf::{Backend, Entry, Listing, Shelf};
use crate::action::Pending;
use crate::error::Result;
use crate::remote::Failure;
use crate::secret::{Fingerprinter, SecretValue};

/// Kinds of Secret that the cluster itself or its tools write.
const FOREIGN: &[&str] =
    &["kubernetes.io/service-account-token", "helm.sh/release.v1", "bootstrap.kubernetes.io/token"];

struct Kubernetes {
    rest: Rest,
    namespaces: Vec<String>,
}

/// The Secrets of these namespaces.
pub fn kubernetes_secrets(
    name: impl Into<String>,
    rest: Rest,
    namespaces: Vec<String>,
    fingerprinter: Fingerprinter,
) -> Shelf {
    Shelf::new(name.into(), Arc::new(Kubernetes { rest, namespaces }), fingerprinter)
}

/// A Secret with the texts in it; what is no text is left out.
fn entry(namespace: &str, secret: &Value) -> Option<Entry> {
    let mut fields = Map::new();
    for (key, encoded) in secret["data"].as_object().into_iter().flatten() {
        let bytes = data_encoding::BASE64.decode(encoded.as_str()?.as_bytes()).ok()?;
        if let Ok(text) = String::from_utf8(bytes) {
            fields.insert(key.clone(), Value::from(text));
        }
    }
    let name = secret["metadata"]["name"].as_str()?;
    let version = secret["metadata"]["resourceVersion"].as_str()?.to_owned();
    Some(Entry { path: format!("{namespace}/{name}"), version, fields })
}

fn encoded(text: &str) -> String {
    data_encoding::BASE64.encode(text.as_bytes())
}

impl Kubernetes {
    fn split<'p>(&self, path: &'p str) -> Result<(&'p str, &'p str), Failure> {
        path.split_once('/').ok_or_else(|| self.rest.missing(path))
    }

    /// Values wait in the first namespace: whoever may read that one could read the value before it serves.
    fn room(&self) -> &str {
        self.namespaces.first().map_or("default", String::as_str)
    }
}

impl Backend for Kubernetes {
    fn label(&self) -> &'static str {
        "Kubernetes Secrets"
    }

    fn kind(&self) -> &'static str {
        "kubernetes"
    }

    fn list(&self) -> Pending<'_, Result<Listing, Failure>> {
        Box::pin(async move {
            let mut listing = Listing::default();
            for namespace in &self.namespaces {
                let mut next = String::new();
                loop {
                    let path = ["api", "v1", "namespaces", namespace, "secrets"];
                    let query = [("limit", "500"), ("continue", next.as_str())];
                    let query = if next.is_empty() { &query[..1] } else { &query[..] };
                    let page = self.rest.json("GET", &path, "", query, None).await?;
                    let page = page.ok_or_else(|| self.rest.missing(namespace))?;
                    for secret in page["items"].as_array().into_iter().flatten() {
                        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
                        let kind = secret["type"].as_str().unwrap_or("Opaque");
                        if FOREIGN.contains(&kind) {
                            listing
                                .left_out
                                .push((format!("{namespace}/{name}"), format!("written by the cluster: {kind}")));
                            continue;
                        }
                        match entry(namespace, secret) {
                            Some(entry) => listing.entries.push(entry),
                            None => listing
                                .left_out
                                .push((format!("{namespace}/{name}"), "not readable as a Secret".to_owned())),
                        }
                    }
                    next = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
                    if next.is_empty() {
                        break;
                    }
                }
            }
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>> {
        Box::pin(async move {
            let (namespace, name) = self.split(path)?;
            let path = ["api", "v1", "namespaces", namespace, "secrets", name];
            let Some(secret) = self.rest.json("GET", &path, "", &[], None).await? else { return Ok(None) };
            entry(namespace, &secret).map(Some).ok_or_else(|| self.rest.strange("a Secret was expected"))
        })
    }

    fn put<'a>(&'a self, entry: &'a Entry, field: &'a str) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let (namespace, name) = self.split(&entry.path)?;
            let value = entry.fields.get(field).and_then(Value::as_str).ok_or_else(|| self.rest.missing(field))?;
            // With its version in it the patch is refused when anybody was faster; other keys never travel.
            let patch = json!({ "metadata": { "resourceVersion": entry.version }, "data": { field: encoded(value) } });
            let path = ["api", "v1", "namespaces", namespace, "secrets", name];
            let reply = self.rest.ask("PATCH", &path, "", &[], Some(&patch)).await?;
            match reply.status {
                409 => Ok(false),
                _ if reply.is_success() => Ok(true),
                _ => Err(refusal(&reply)),
            }
        })
    }

    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let text = content.expose_str().unwrap_or_default();
            let body = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": { "name": name, "labels": { "app.kubernetes.io/managed-by": "offkey" } },
                "data": { "content": encoded(text) },
            });
            let path = ["api", "v1", "namespaces", self.room(), "secrets"];
            let reply = self.rest.ask("POST", &path, "", &[], Some(&body)).await?;
            match reply.status {
                409 => Ok(false),
                _ if reply.is_success() => Ok(true),
                _ => Err(refusal(&reply)),
            }
        })
    }

    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>> {
        Box::pin(async move {
            let found = self.get(&format!("{}/{name}", self.room())).await?;
            Ok(found.and_then(|entry| entry.fields.get("content")?.as_str().map(SecretValue::new)))
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let path = ["api", "v1", "namespaces", self.room(), "secrets", name];
            self.rest.json("DELETE", &path, "", &[], None).await.map(drop)
        })
    }
}
