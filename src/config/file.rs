//! Reads `offkey.toml`: stores, providers, policy, waivers. Paths in it are relative to the file.
//!
//! ```toml
//! [[store]]
//! name = "files"
//! type = "files"
//! paths = ["deploy/.env", "config/app.yaml"]
//!
//! [[provider]]
//! name = "keyring"
//! type = "keyring"
//! address = "127.0.0.1:40123"
//! admin = { env = "KEYRING_ADMIN" }
//!
//! [[store]]
//! name = "bao"
//! type = "vault-kv"
//! address = "https://bao.harbourfinch.example:8200"
//! token = { env = "BAO_TOKEN" }
//! mount = "secret"                # default
//! folders = ["shop"]              # default: every folder that the token may list
//! audit = ["/var/log/bao/audit.log"] # optional: who read what; oldest first
//!
//! [[provider]]
//! name = "bao-access"
//! type = "vault"                  # tokens, leases, entities
//! address = "https://bao.harbourfinch.example:8200"
//! token = { env = "BAO_TOKEN" }
//! audit = ["/var/log/bao/audit.log"] # optional: orphan tokens and leases are found by it
//! audit_device = "file"           # default
//!
//! [[provider]]
//! name = "shop-db"
//! type = "postgres"
//! host = "db.harbourfinch.example"
//! user = "offkey"
//! password = { file = "/run/secrets/offkey-db" }
//! also_known_as = ["db.internal"] # other names under which consumers reach the same server
//!
//! [[provider]]
//! name = "github"
//! type = "http"
//! issuer = "github"               # a rule file with an [issuer] table; docs/issuers.md lists them
//!
//! [policy]
//! cap = 50
//!
//! [[waiver]]
//! id = "legacy-hook"
//! fingerprint = "fp:…"
//! owner = "bob@harbourfinch.example"
//! reason = "the vendor replaces it on 1 December"
//! until = "2026-12-01"
//! ```
//!
//! Secrets never stand in this file: a secret is `{ env = "NAME" }` or `{ file = "path" }`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::GatePolicy;
use crate::error::{Error, Result};
use crate::plan::{Policy, Waiver};
use crate::rotation::{Limits, Systems};
use crate::secret::{Fingerprint, Fingerprinter};

use super::systems::{ProviderEntry, StoreEntry};

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default, rename = "store")]
    stores: Vec<StoreEntry>,
    #[serde(default, rename = "provider")]
    providers: Vec<ProviderEntry>,
    /// What was decided beforehand.
    #[serde(default)]
    pub policy: Policy,
    /// Exceptions.
    #[serde(default, rename = "waiver")]
    pub waivers: Vec<Waiver>,
    /// What may be merged.
    #[serde(default)]
    pub gate: GatePolicy,
    /// Folder of the file; paths are relative to it.
    #[serde(skip)]
    folder: PathBuf,
}

/// Reads the file; a missing one is an empty configuration only where `optional` says so.
///
/// # Errors
/// When it cannot be read, or is not of the form above (the message shows the line).
pub fn load(path: &Path, optional: bool) -> Result<Config> {
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if optional && error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(cause) => {
            return Err(Error::config(format!("the configuration {shown} cannot be read"))
                .because(cause)
                .next("Pass --config FILE; docs/config.md shows the form."));
        }
    };
    let mut config: Config = toml::from_str(&text).map_err(|cause| invalid(&text, &shown.to_string(), &cause))?;
    super::policy::check(&text, &shown.to_string(), &config.policy, &config.waivers, &config.names())?;
    // Absolute, so that a plan names the same places from whichever folder it is carried out.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    config.folder = whole.parent().unwrap_or(Path::new("")).to_owned();
    Ok(config)
}

/// Reads the text of a configuration that is no file: a version that a repository keeps.
///
/// # Errors
/// When it is not of the form above; `shown` names it in the message.
pub fn parse(text: &str, shown: &str) -> Result<Config> {
    toml::from_str(text).map_err(|cause| invalid(text, shown, &cause))
}

/// Names the line and never quotes it: somebody may have written a password there.
fn invalid(text: &str, shown: &str, cause: &toml::de::Error) -> Error {
    let line = cause.span().and_then(|span| Some(text.get(..span.start)?.matches('\n').count() + 1));
    let line = line.map_or_else(String::new, |line| format!(", line {line}"));
    Error::config(format!("{shown}{line} is not valid: {}", cause.message()))
        .next("docs/config.md shows every table and key.")
}

impl Config {
    /// Names of all systems.
    fn names(&self) -> Vec<&str> {
        self.stores.iter().map(StoreEntry::name).chain(self.providers.iter().map(ProviderEntry::name)).collect()
    }

    /// Whether the system of a target, or of a pattern of targets, is one of this file.
    pub fn knows(&self, pattern: &str) -> bool {
        super::policy::is_known(pattern, &self.names())
    }

    /// Opens every system that the file names; nothing is asked yet.
    ///
    /// # Errors
    /// When a secret of the configuration cannot be read, or two systems have one name.
    pub fn systems(&self, fingerprinter: &Fingerprinter) -> Result<Systems> {
        let mut systems = Systems { limits: Limits::new(&self.policy.rate), ..Systems::default() };
        for entry in &self.stores {
            systems.stores.push(entry.open(&self.folder, fingerprinter)?);
        }
        for entry in &self.providers {
            systems.providers.push(entry.open(&self.folder, fingerprinter)?);
        }
        for provider in &systems.providers {
            let ours = provider.issuer();
            if ours.is_some() && systems.providers.iter().filter(|other| other.issuer() == ours).count() > 1 {
                provider.is_one_of_many();
            }
        }
        let stores = systems.stores.iter().map(|s| s.name());
        let mut names: Vec<&str> = stores.chain(systems.providers.iter().map(|p| p.name())).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::config(format!("two systems are named {}", pair[0]))
                .next("Give each store and provider its own name."));
        }
        Ok(systems)
    }

    /// Fingerprints of the secrets that offkey itself logs in with: a plan must not end those.
    pub fn own(&self, fingerprinter: &Fingerprinter) -> Vec<Fingerprint> {
        let secrets =
            self.stores.iter().filter_map(StoreEntry::own).chain(self.providers.iter().filter_map(ProviderEntry::own));
        // What cannot be read was an error when the systems were opened.
        let values = secrets.filter_map(|(name, secret)| secret.read(&self.folder, name).ok());
        values.map(|value| fingerprinter.fingerprint(value.expose())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretValue;

    fn config(text: &str) -> Result<Config> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("offkey.toml");
        std::fs::write(&path, text).expect("written");
        load(&path, false)
    }

    #[test]
    fn a_mistake_is_shown_with_its_line() {
        let error = config("[[store]]\nname = \"a\"\ntype = \"files\"\npaths = [\"x\"]\ncolour = 1\n")
            .expect_err("unknown key");
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn two_systems_with_one_name_are_refused() {
        let text = "[[store]]\nname = \"a\"\ntype = \"files\"\npaths = []\n[[store]]\nname = \"a\"\ntype = \"files\"\npaths = []\n";
        let config = config(text).expect("parses");
        let error = config.systems(&Fingerprinter::new(&SecretValue::new("k"))).err().expect("refused");
        assert!(error.to_string().contains("two systems are named a"), "{error}");
    }

    #[test]
    fn a_missing_secret_names_the_variable() {
        let text = "[[provider]]\nname = \"k\"\ntype = \"keyring\"\naddress = \"127.0.0.1:1\"\nadmin = { env = \"OFFKEY_NOT_SET\" }\n";
        let config = config(text).expect("parses");
        let error = config.systems(&Fingerprinter::new(&SecretValue::new("k"))).err().expect("refused");
        assert!(error.to_string().contains("OFFKEY_NOT_SET"), "{error}");
    }

    #[test]
    #[cfg(all(feature = "vault", feature = "postgres"))]
    fn every_type_opens_from_its_table_and_its_secret_is_known_as_our_own() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("word"), "the-administrators-word\n").expect("written");
        let path = dir.path().join("offkey.toml");
        let text = "[[store]]\nname = \"bao\"\ntype = \"vault-kv\"\naddress = \"http://127.0.0.1:8200\"\ntoken = { file = \"word\" }\n\
            [[provider]]\nname = \"db\"\ntype = \"postgres\"\nhost = \"127.0.0.1\"\nuser = \"root\"\npassword = { file = \"word\" }\n";
        std::fs::write(&path, text).expect("written");
        let config = load(&path, false).expect("parses");
        let fingerprinter = Fingerprinter::new(&SecretValue::new("k"));
        let systems = config.systems(&fingerprinter).expect("opens");
        assert_eq!((systems.stores[0].name(), systems.providers[0].name()), ("bao", "db"));
        assert_eq!(config.own(&fingerprinter), [fingerprinter.fingerprint(b"the-administrators-word"); 2]);
    }
}
