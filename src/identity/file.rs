//! Reads an identity file.
//!
//! ```toml
//! name = "Alice Moreau"
//! emails = ["alice@harbourfinch.example"]
//! logins = ["amoreau", "github:alice-m"]
//! chat_ids = ["U02ALICE"]
//! aws_users = ["alice"]
//! vault_aliases = ["userpass/alice"]
//! key_ids = ["SHA256:…"]
//! keeps = ["bao:shop/*"]
//! ```

use std::path::Path;

use serde::Deserialize;

use super::{AliasKind, Identity, IdentityKind};
use crate::error::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    #[serde(default)]
    kind: IdentityKind,
    #[serde(default)]
    emails: Vec<String>,
    #[serde(default)]
    logins: Vec<String>,
    #[serde(default)]
    chat_ids: Vec<String>,
    #[serde(default)]
    aws_users: Vec<String>,
    #[serde(default)]
    vault_aliases: Vec<String>,
    #[serde(default)]
    key_ids: Vec<String>,
    #[serde(default)]
    keeps: Vec<String>,
}

/// Reads the file at `path`.
///
/// # Errors
/// When the file cannot be read, is not of the form above, or has no alias but a name: a name alone finds nobody safely.
pub fn load(path: &Path) -> Result<Identity> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|cause| {
        Error::user(format!("the identity file {shown} cannot be read"))
            .because(cause)
            .next("Write one as docs/identity.md shows, and pass its path.")
    })?;
    let file: File = toml::from_str(&text).map_err(|cause| {
        Error::config(format!("the identity file {shown} is not valid"))
            .because(cause)
            .next("Keys are name, kind, emails, logins, chat_ids, aws_users, vault_aliases, key_ids and keeps.")
    })?;
    let reason = format!("stated in {}", path.file_name().unwrap_or_default().to_string_lossy());
    let mut identity = Identity {
        name: file.name.clone().unwrap_or_default(),
        kind: file.kind,
        keeps: file.keeps,
        ..Identity::default()
    };
    let lists = [
        (AliasKind::Email, &file.emails),
        (AliasKind::Login, &file.logins),
        (AliasKind::ChatId, &file.chat_ids),
        (AliasKind::AwsUser, &file.aws_users),
        (AliasKind::VaultAlias, &file.vault_aliases),
        (AliasKind::KeyId, &file.key_ids),
    ];
    for (kind, values) in lists {
        for value in values {
            identity.learn(kind, value, &reason);
        }
    }
    if identity.aliases.is_empty() {
        return Err(Error::config(format!("the identity file {shown} names nobody"))
            .still("Nothing was read or changed.")
            .next("Add at least one of emails, logins, chat_ids, aws_users, vault_aliases or key_ids; a name alone could be anybody's."));
    }
    if identity.name.is_empty() {
        identity.name = identity.aliases[0].value.clone();
    }
    if let Some(name) = &file.name {
        identity.learn(AliasKind::Name, name, &reason);
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("alice.toml");
        std::fs::write(&path, text).expect("written");
        (dir, path)
    }

    #[test]
    fn aliases_keep_their_reason() {
        let (_dir, path) = written("name = \"Alice Moreau\"\nemails = [\"Alice@HarbourFinch.example\"]\n");
        let identity = load(&path).expect("valid");
        assert!(identity.owns_email("alice@harbourfinch.example"));
        assert!(identity.owns_email("alice+ci@harbourfinch.example"));
        assert_eq!(identity.aliases[0].reason, "stated in alice.toml");
    }

    #[test]
    fn what_somebody_keeps_in_another_role_is_no_name() {
        let (_dir, path) = written("logins = [\"amoreau\"]\nkeeps = [\"bao:shop/*\"]\n");
        assert_eq!(load(&path).expect("valid").keeps, ["bao:shop/*"]);
        let (_dir, path) = written("name = \"Alice Moreau\"\nkeeps = [\"bao:shop/*\"]\n");
        assert!(load(&path).is_err(), "nobody is named");
    }

    #[test]
    fn a_name_alone_is_refused() {
        let (_dir, path) = written("name = \"Alice Moreau\"\n");
        let error = load(&path).expect_err("no alias");
        assert!(error.to_string().contains("names nobody"), "{error}");
        assert!(error.next_step().is_some());
    }

    #[test]
    fn a_misspelt_key_is_refused_with_the_keys_that_exist() {
        let (_dir, path) = written("email = [\"a@b\"]\n");
        let error = load(&path).expect_err("unknown key");
        assert!(error.to_string().contains("email"), "{error}");
    }
}
