//! Secrets of GitHub Actions: of a repository, of one of its environments, of an organisation. GitHub keeps them sealed: what is
//! written is encrypted to a key that GitHub names, and nothing shows it again.
//!
//! The interface tells when an entry was written (`updated_at`, whole seconds) and no more. So offkey writes between two marks,
//! which are secrets of their own (`OFFKEY_…_BEGUN`, `OFFKEY_…_DONE`) that hold nothing. Their times say whether the last write
//! of the entry was this operation's. They are removed at the end.
//!
//! A write keeps who may use a secret of an organisation: `visibility` and the chosen repositories are read and sent again.
//! Facts: docs.github.com/en/rest/actions/secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Span, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::blind::{Backend, Blind, Mark, Shown};
use super::rest::{Rest, refusal};
use super::sealed_box::seal;
use crate::action::{Pending, Target};
use crate::error::Result;
use crate::remote::Failure;
use crate::secret::SecretValue;

/// Beginning of the names of marks.
const MARK: &str = "OFFKEY_";

/// Most pages of a hundred that are asked for: an organisation may have a thousand secrets.
const PAGES: u32 = 1000;

/// How long after its first mark a write may arrive and still be taken for this operation's, in seconds.
const ARRIVES: i64 = 60;

/// Whose secrets they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GithubPlace {
    /// Owner and name.
    Repository(String, String),
    /// Owner, name, environment.
    Environment(String, String, String),
    /// Name.
    Organisation(String),
}

struct Secrets {
    rest: Rest,
    place: GithubPlace,
}

/// The secrets of a place; `copies` says of which places of other stores they are copies, by their names in capitals.
pub fn github_actions(
    name: impl Into<String>,
    rest: Rest,
    place: GithubPlace,
    copies: BTreeMap<String, Target>,
) -> Blind {
    Blind::new(name.into(), Arc::new(Secrets { rest, place }), copies)
}

/// One secret as GitHub shows it.
struct Listed {
    name: String,
    updated: String,
    visibility: Option<String>,
}

impl Listed {
    fn time(&self) -> Option<Timestamp> {
        self.updated.parse().ok()
    }
}

/// Names of the marks that an operation leaves on an entry.
struct Marks {
    all: String,
    begun: String,
    done: String,
}

impl Marks {
    fn of(path: &str, op: Uuid) -> Self {
        let digest = data_encoding::HEXUPPER.encode(&Sha256::digest(path.to_uppercase().as_bytes())[..8]);
        let all = format!("{MARK}{digest}_");
        let op = op.simple().to_string().to_uppercase();
        Self { begun: format!("{all}{op}_BEGUN"), done: format!("{all}{op}_DONE"), all }
    }

    /// What the marks among the secrets say about the operation.
    fn read(&self, entry: &Listed, secrets: &[Listed]) -> Mark {
        let find = |name: &str| secrets.iter().find(|one| one.name == name).and_then(Listed::time);
        let Some(written) = entry.time() else { return Mark::Since };
        let other = secrets
            .iter()
            .find(|one| one.name.starts_with(&self.all) && one.name != self.begun && one.name != self.done);
        if let Some(other) = other {
            let op = other.name[self.all.len()..].split('_').next().unwrap_or_default();
            return Mark::Other(op.to_lowercase());
        }
        match (find(&self.begun), find(&self.done)) {
            (_, Some(done)) if written <= done => Mark::Written,
            (_, Some(_)) => Mark::Since,
            (None, None) => Mark::None,
            (Some(begun), None) if written < begun => Mark::Begun { perhaps: false },
            (Some(begun), None) => match begun.checked_add(Span::new().seconds(ARRIVES)) {
                Ok(end) if written <= end => Mark::Begun { perhaps: true },
                _ => Mark::Since,
            },
        }
    }
}

impl Secrets {
    fn path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        let mut path = match &self.place {
            GithubPlace::Repository(owner, name) => vec!["repos", owner, name, "actions", "secrets"],
            GithubPlace::Environment(owner, name, environment) => {
                vec!["repos", owner, name, "environments", environment, "secrets"]
            }
            GithubPlace::Organisation(name) => vec!["orgs", name, "actions", "secrets"],
        };
        path.extend(rest);
        path
    }

    async fn all(&self) -> Result<Vec<Listed>, Failure> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let number = page.to_string();
            let query = [("per_page", "100"), ("page", number.as_str())];
            let found = self.rest.json("GET", &self.path(&[]), "", &query, None).await?;
            let found = found.ok_or_else(|| self.rest.missing("the place of these secrets"))?;
            let list =
                found["secrets"].as_array().ok_or_else(|| self.rest.strange("a list of secrets was expected"))?;
            let text = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
            for one in list {
                let named = text(one, "name").zip(text(one, "updated_at"));
                let (name, updated) = named.ok_or_else(|| self.rest.strange("name and updated_at were expected"))?;
                all.push(Listed { name, updated, visibility: text(one, "visibility") });
            }
            if list.len() < 100 {
                break;
            }
        }
        Ok(all)
    }

    async fn key(&self) -> Result<(String, [u8; 32]), Failure> {
        let found = self.rest.json("GET", &self.path(&["public-key"]), "", &[], None).await?;
        let found = found.ok_or_else(|| self.rest.missing("the public key of these secrets"))?;
        let strange = || self.rest.strange("a public key was expected");
        let id = found["key_id"].as_str().ok_or_else(strange)?.to_owned();
        let key = data_encoding::BASE64.decode(found["key"].as_str().unwrap_or_default().as_bytes());
        Ok((id, key.ok().and_then(|key| key.try_into().ok()).ok_or_else(strange)?))
    }

    /// Who may use a secret of an organisation, to be sent again.
    async fn rights(&self, name: &str, visibility: Option<&str>) -> Result<Value, Failure> {
        let GithubPlace::Organisation(_) = self.place else { return Ok(json!({})) };
        let visibility = visibility.ok_or_else(|| self.rest.strange("the visibility was expected"))?;
        if visibility != "selected" {
            return Ok(json!({ "visibility": visibility }));
        }
        let mut ids: Vec<Value> = Vec::new();
        for page in 1..=PAGES {
            let number = page.to_string();
            let query = [("per_page", "100"), ("page", number.as_str())];
            let found = self.rest.json("GET", &self.path(&[name, "repositories"]), "", &query, None).await?;
            let found = found.ok_or_else(|| self.rest.missing(name))?;
            let list = found["repositories"].as_array();
            let list = list.ok_or_else(|| self.rest.strange("a list of repositories was expected"))?;
            ids.extend(list.iter().map(|one| one["id"].clone()));
            if list.len() < 100 {
                break;
            }
        }
        Ok(json!({ "visibility": visibility, "selected_repository_ids": ids }))
    }

    /// Seals a text and writes it under a name.
    async fn put(&self, name: &str, text: &[u8], mut body: Value) -> Result<(), Failure> {
        let (id, key) = self.key().await?;
        body["encrypted_value"] = Value::from(data_encoding::BASE64.encode(&seal(&key, text)));
        body["key_id"] = Value::from(id);
        let reply = self.rest.ask("PUT", &self.path(&[name]), "", &[], Some(&body)).await?;
        if reply.is_success() { Ok(()) } else { Err(refusal(&reply)) }
    }

    /// Writes a mark, which holds nothing and which no repository may use.
    async fn mark(&self, name: &str) -> Result<(), Failure> {
        let body = match self.place {
            GithubPlace::Organisation(_) => json!({ "visibility": "selected", "selected_repository_ids": [] }),
            _ => json!({}),
        };
        self.put(name, b"offkey", body).await
    }

    async fn unmark(&self, name: &str) -> Result<(), Failure> {
        self.rest.json("DELETE", &self.path(&[name]), "", &[], None).await.map(drop)
    }

    async fn one(&self, path: &str) -> Result<Listed, Failure> {
        let found = self.all().await?.into_iter().find(|one| one.name == path);
        found.ok_or_else(|| self.rest.missing(path))
    }

    async fn overwrite(&self, path: &str, value: &SecretValue) -> Result<(), Failure> {
        let entry = self.one(path).await?;
        let rights = self.rights(path, entry.visibility.as_deref()).await?;
        self.put(path, value.expose(), rights).await
    }
}

impl Backend for Secrets {
    fn label(&self) -> &'static str {
        "GitHub Actions secrets"
    }

    fn kind(&self) -> &'static str {
        "github-actions"
    }

    fn list(&self) -> Pending<'_, Result<Vec<Shown>, Failure>> {
        Box::pin(async move {
            let all = self.all().await?.into_iter().filter(|one| !one.name.starts_with(MARK));
            Ok(all.map(|one| Shown { path: one.name, version: one.updated }).collect())
        })
    }

    fn marked<'a>(&'a self, path: &'a str, op: Uuid) -> Pending<'a, Result<Option<(String, Mark)>, Failure>> {
        Box::pin(async move {
            let all = self.all().await?;
            let entry = all.iter().find(|one| one.name == path);
            Ok(entry.map(|entry| (entry.updated.clone(), Marks::of(path, op).read(entry, &all))))
        })
    }

    fn unfit<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            self.key().await?;
            let entry = self.one(path).await?;
            self.rights(path, entry.visibility.as_deref()).await?;
            Ok(None)
        })
    }

    fn write<'a>(&'a self, path: &'a str, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let marks = Marks::of(path, op);
            let all = self.all().await?;
            let entry = all.iter().find(|one| one.name == path).ok_or_else(|| self.rest.missing(path))?;
            // The time of the first mark is that of the first write that may have arrived.
            if marks.read(entry, &all) != (Mark::Begun { perhaps: true }) {
                self.mark(&marks.begun).await?;
            }
            let rights = self.rights(path, entry.visibility.as_deref()).await?;
            self.put(path, value.expose(), rights).await?;
            self.mark(&marks.done).await
        })
    }

    fn restore<'a>(&'a self, path: &'a str, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let marks = Marks::of(path, op);
            // As long as the first mark is there, this can be repeated.
            self.mark(&marks.begun).await?;
            self.unmark(&marks.done).await?;
            self.overwrite(path, value).await?;
            self.unmark(&marks.begun).await
        })
    }

    fn clear<'a>(&'a self, path: &'a str, op: Uuid) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let marks = Marks::of(path, op);
            self.unmark(&marks.begun).await?;
            self.unmark(&marks.done).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, second: u32) -> Listed {
        Listed {
            name: name.to_owned(),
            updated: format!("2026-11-23T10:{:02}:{:02}Z", second / 60, second % 60),
            visibility: None,
        }
    }

    #[test]
    fn marks_tell_whose_the_last_write_was() {
        let op = Uuid::from_u128(7);
        let marks = Marks::of("DB_PASSWORD", op);
        let read = |entry: u32, others: &[Listed]| marks.read(&at("DB_PASSWORD", entry), others);
        let (begun, done) = (|t| at(&marks.begun, t), |t| at(&marks.done, t));
        assert_eq!(read(5, &[]), Mark::None);
        assert_eq!(read(5, &[begun(9)]), Mark::Begun { perhaps: false });
        assert_eq!(read(9, &[begun(9)]), Mark::Begun { perhaps: true });
        assert_eq!(read(9 + 60, &[begun(9)]), Mark::Begun { perhaps: true });
        assert_eq!(read(9 + 61, &[begun(9)]), Mark::Since);
        assert_eq!(read(9, &[begun(9), done(10)]), Mark::Written);
        assert_eq!(read(11, &[begun(9), done(10)]), Mark::Since);
        assert_eq!(read(11, &[done(10)]), Mark::Since, "the first mark may be gone already");
        let other = Marks::of("db_password", Uuid::from_u128(8));
        assert_eq!(read(5, &[at(&other.begun, 6)]), Mark::Other(Uuid::from_u128(8).simple().to_string()));
        let elsewhere = Marks::of("ANOTHER", Uuid::from_u128(8));
        assert_eq!(read(5, &[at(&elsewhere.begun, 6)]), Mark::None);
    }

    #[test]
    fn names_of_marks_are_names_that_github_takes() {
        let marks = Marks::of("DB_PASSWORD", Uuid::from_u128(u128::MAX));
        for name in [&marks.begun, &marks.done] {
            assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        }
    }
}
