//! CI/CD variables of a GitLab project or group.
//!
//! The interface has no check-and-set: offkey reads once more right before it writes, and a change in between is lost.
//! Hidden variables cannot be read and are left out. Values wait in a variable of an environment that no job has.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::rest::{Rest, refusal};
use super::shelf::{Backend, Entry, Listing, PENDING, Shelf};
use crate::action::Pending;
use crate::error::Result;
use crate::remote::Failure;
use crate::secret::{Fingerprinter, SecretValue};

/// Environment of waiting values.
const NOWHERE: &str = "offkey-pending";

struct Variables {
    rest: Rest,
    /// `projects` or `groups`.
    what: &'static str,
    id: String,
}

/// Variables of a project (`group` false) or a group, by id or full path.
pub fn gitlab_variables(
    name: impl Into<String>,
    rest: Rest,
    group: bool,
    id: impl Into<String>,
    fingerprinter: Fingerprinter,
) -> Shelf {
    let what = if group { "groups" } else { "projects" };
    Shelf::new(name.into(), Arc::new(Variables { rest, what, id: id.into() }), fingerprinter)
}

fn path_of(variable: &Value) -> Option<String> {
    let key = variable["key"].as_str()?;
    Some(match variable["environment_scope"].as_str() {
        None | Some("*") => key.to_owned(),
        Some(scope) => format!("{key}@{scope}"),
    })
}

fn entry(variable: &Value) -> Option<Entry> {
    let value = variable["value"].as_str()?;
    let fields = Map::from_iter([("value".to_owned(), Value::from(value))]);
    Some(Entry { path: path_of(variable)?, version: String::new(), fields })
}

/// GitLab wants letters, digits and underscores.
fn key_of(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

impl Variables {
    fn path<'p>(&'p self, key: &'p str) -> Vec<&'p str> {
        let mut path = vec!["api", "v4", self.what, self.id.as_str(), "variables"];
        if !key.is_empty() {
            path.push(key);
        }
        path
    }

    async fn one(&self, path: &str) -> Result<Option<Value>, Failure> {
        let (key, scope) = path.split_once('@').unwrap_or((path, "*"));
        self.rest.json("GET", &self.path(key), "", &[("filter[environment_scope]", scope)], None).await
    }
}

impl Backend for Variables {
    fn label(&self) -> &'static str {
        "GitLab CI/CD variables"
    }

    fn kind(&self) -> &'static str {
        "gitlab-ci"
    }

    fn list(&self) -> Pending<'_, Result<Listing, Failure>> {
        Box::pin(async move {
            let mut listing = Listing::default();
            for page in 1u32.. {
                let number = page.to_string();
                let query = [("per_page", "100"), ("page", number.as_str())];
                let found = self.rest.json("GET", &self.path(""), "", &query, None).await?;
                let found = found.ok_or_else(|| self.rest.missing(&self.id))?;
                let list = found.as_array().ok_or_else(|| self.rest.strange("a list was expected"))?;
                for variable in list {
                    match entry(variable) {
                        Some(entry) => listing.entries.push(entry),
                        None => listing
                            .left_out
                            .push((path_of(variable).unwrap_or_default(), "hidden: it cannot be read".to_owned())),
                    }
                }
                if list.len() < 100 {
                    break;
                }
            }
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>> {
        Box::pin(async move { Ok(self.one(path).await?.as_ref().and_then(entry)) })
    }

    fn put<'a>(&'a self, entry: &'a Entry, field: &'a str) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let value = entry.fields.get(field).ok_or_else(|| self.rest.missing(field))?;
            let (key, scope) = entry.path.split_once('@').unwrap_or((&entry.path, "*"));
            let query = [("filter[environment_scope]", scope)];
            let written = self.rest.json("PUT", &self.path(key), "", &query, Some(&json!({ "value": value }))).await?;
            written.map(|_| true).ok_or_else(|| self.rest.missing(&entry.path))
        })
    }

    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            if self.waiting(name).await?.is_some() {
                return Ok(false);
            }
            let body = json!({
                "key": key_of(name), "value": content.expose_str().unwrap_or_default(), "environment_scope": NOWHERE,
                "protected": true, "raw": true, "description": format!("{PENDING}value of a rotation under way"),
            });
            let reply = self.rest.ask("POST", &self.path(""), "", &[], Some(&body)).await?;
            if reply.is_success() {
                return Ok(true);
            }
            // Taken in the meantime, or refused.
            if reply.status == 400 && self.waiting(name).await?.is_some() { Ok(false) } else { Err(refusal(&reply)) }
        })
    }

    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>> {
        Box::pin(async move {
            let found = self.one(&format!("{}@{NOWHERE}", key_of(name))).await?;
            Ok(found.and_then(|variable| variable["value"].as_str().map(SecretValue::new)))
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let key = key_of(name);
            let query = [("filter[environment_scope]", NOWHERE)];
            self.rest.json("DELETE", &self.path(&key), "", &query, None).await.map(drop)
        })
    }
}
