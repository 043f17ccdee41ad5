//! `type = "github-actions"` and `"jenkins"`: stores over HTTP that take values and never show them. `copies` says what they hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{SecretSource, Table, default_deadline};
use crate::action::Target;
use crate::error::{Error, Result};
use crate::secret::{Fingerprinter, SecretValue};
use crate::store::{GithubPlace, Rest, Store, github_actions, jenkins_credentials};

/// Secrets of GitHub Actions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GithubActions {
    name: String,
    #[serde(default = "github_address")]
    address: String,
    /// May write secrets: a fine-grained token with "Secrets: write", or a classic one with `repo` (`admin:org`).
    token: SecretSource,
    /// `owner/name`
    repository: Option<String>,
    /// One of the repository's environments.
    environment: Option<String>,
    /// Name of an organisation, instead.
    organisation: Option<String>,
    /// Secret → the place of another store of which it is a copy.
    #[serde(default)]
    copies: BTreeMap<String, String>,
    authority: Option<PathBuf>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

fn github_address() -> String {
    "https://api.github.com".to_owned()
}

/// Credentials of Jenkins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Jenkins {
    name: String,
    address: String,
    /// Whose token it is.
    user: String,
    /// An API token of that user, who may view and update credentials.
    token: SecretSource,
    /// `team/shop`; without it the credentials of the whole server.
    folder: Option<String>,
    #[serde(default = "everything")]
    domain: String,
    /// Id of a credential → the place of another store of which it is a copy.
    #[serde(default)]
    copies: BTreeMap<String, String>,
    authority: Option<PathBuf>,
    #[serde(default = "default_deadline")]
    deadline_seconds: u64,
}

/// The domain that is called "Global credentials (unrestricted)".
fn everything() -> String {
    "_".to_owned()
}

impl Table<dyn Store> for Jenkins {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Store>> {
        let name = &self.name;
        let copies = copies(name, &self.copies, str::to_owned)?;
        let token = self.token.read(folder, &format!("store {name}"))?;
        let authority = self.authority.as_ref().map(|path| folder.join(path));
        let rest = Rest::new(&self.address, &token, Duration::from_secs(self.deadline_seconds), authority.as_deref())
            .map_err(|failure| Error::config(format!("store {name} cannot be opened")).because(failure))?;
        let pair = SecretValue::from(format!("{}:{}", self.user, token.expose_str().unwrap_or_default()));
        let basic = SecretValue::from(format!("Basic {}", data_encoding::BASE64.encode(pair.expose())));
        let rest = rest.with_header("authorization", &basic);
        Ok(Box::new(jenkins_credentials(name, rest, self.folder.as_deref(), &self.domain, copies)))
    }
}

impl GithubActions {
    fn place(&self) -> Result<GithubPlace> {
        let owned = |parts: (&str, &str)| (parts.0.to_owned(), parts.1.to_owned());
        let repository = self.repository.as_deref().and_then(|both| both.split_once('/')).map(owned);
        match (repository, &self.environment, &self.organisation, &self.repository) {
            (Some((owner, name)), None, None, _) => Ok(GithubPlace::Repository(owner, name)),
            (Some((owner, name)), Some(environment), None, _) => {
                Ok(GithubPlace::Environment(owner, name, environment.clone()))
            }
            (None, None, Some(organisation), None) => Ok(GithubPlace::Organisation(organisation.clone())),
            _ => Err(Error::config(format!("store {} needs either repository or organisation", self.name)).next(
                "Give repository = \"owner/name\", with environment if it is one's, or organisation = \"name\".",
            )),
        }
    }
}

/// The places that `copies` names: `store:locator`.
fn copies(whose: &str, table: &BTreeMap<String, String>, name: fn(&str) -> String) -> Result<BTreeMap<String, Target>> {
    let parsed = table.iter().map(|(entry, of)| {
        let parts = of.split_once(':').filter(|(system, locator)| !system.is_empty() && !locator.is_empty());
        let (system, locator) = parts.ok_or_else(|| {
            Error::config(format!("store {whose}: copies.{entry} is not of the form store:locator"))
                .next("Name a place of another store as plans print it: \"bao:secret/shop/db#password\".")
        })?;
        if system == whose {
            return Err(Error::config(format!(
                "store {whose}: copies.{entry} is a copy of a place that it never shows"
            ))
            .next("Name a place of a store that shows its values."));
        }
        Ok((name(entry), Target { system: system.to_owned(), locator: locator.to_owned() }))
    });
    parsed.collect()
}

impl Table<dyn Store> for GithubActions {
    fn name(&self) -> &str {
        &self.name
    }

    fn own(&self) -> Option<&SecretSource> {
        Some(&self.token)
    }

    fn open(&self, folder: &Path, _: &Fingerprinter) -> Result<Box<dyn Store>> {
        let name = &self.name;
        let place = self.place()?;
        // GitHub keeps the names in capitals.
        let copies = copies(name, &self.copies, |entry| entry.to_uppercase())?;
        let token = self.token.read(folder, &format!("store {name}"))?;
        let authority = self.authority.as_ref().map(|path| folder.join(path));
        let rest = Rest::new(&self.address, &token, Duration::from_secs(self.deadline_seconds), authority.as_deref())
            .map_err(|failure| Error::config(format!("store {name} cannot be opened")).because(failure))?;
        Ok(Box::new(github_actions(name, rest, place, copies)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(more: &str) -> GithubActions {
        toml::from_str(&format!("name = \"ci\"\ntoken = {{ env = \"T\" }}\n{more}")).expect("a table")
    }

    #[test]
    fn a_place_is_a_repository_one_of_its_environments_or_an_organisation() {
        let place = |more| table(more).place();
        assert_eq!(place("repository = \"a/b\"").ok(), Some(GithubPlace::Repository("a".to_owned(), "b".to_owned())));
        assert!(matches!(
            place("repository = \"a/b\"\nenvironment = \"live\"").ok(),
            Some(GithubPlace::Environment(..))
        ));
        assert!(matches!(place("organisation = \"a\"").ok(), Some(GithubPlace::Organisation(_))));
        for bad in [
            "",
            "repository = \"a\"",
            "organisation = \"a\"\nenvironment = \"live\"",
            "repository = \"a/b\"\norganisation = \"a\"",
            "repository = \"a\"\norganisation = \"a\"",
        ] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_copy_names_a_place_of_another_store() {
        let of =
            |of: &str| copies("ci", &BTreeMap::from([("db_password".to_owned(), of.to_owned())]), str::to_uppercase);
        let place = of("bao:secret/shop/db#password").expect("a place");
        assert_eq!(place["DB_PASSWORD"].to_string(), "bao:secret/shop/db#password");
        for bad in ["bao", ":x", "bao:", "ci:OTHER"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
