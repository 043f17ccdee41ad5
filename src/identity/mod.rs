//! Who the person is, under which names, and why we believe so.
//!
//! Invariant: two people are never merged on a display name alone, and every alias keeps its reason.

use serde::{Deserialize, Serialize};

/// Person or machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
    /// A person.
    #[default]
    Human,
    /// A service account, bot or pipeline.
    NonHuman,
}

/// What sort of name an alias is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AliasKind {
    /// E-mail address, compared in lower case.
    Email,
    /// Login at a code host or ticket system.
    Login,
    /// User id in a chat or ticket system: `U012AB3CD`, an accountId.
    ChatId,
    /// IAM user name.
    AwsUser,
    /// Vault/OpenBao alias as `mount/name`, or an entity id.
    VaultAlias,
    /// Id of a key: an AWS access key id, an SSH or PGP fingerprint.
    KeyId,
    /// Name as people write it. Weak: never enough on its own.
    Name,
}

/// One name of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// What sort of name.
    pub kind: AliasKind,
    /// The name itself.
    pub value: String,
    /// Why we believe that it is theirs, as a sentence: `stated in alice.toml`, `.mailmap of ./shop maps it to …`.
    pub reason: String,
}

/// The departing or role-changing person of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Name for people to read.
    pub name: String,
    /// Person or machine.
    pub kind: IdentityKind,
    /// Every name, with its reason.
    pub aliases: Vec<Alias>,
}
