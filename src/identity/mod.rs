//! Who the person is, under which names, and why we believe so.
//!
//! Invariant: two people are never merged on a display name alone, and every alias keeps its reason.

mod file;
mod widen;

pub use file::load;

use serde::{Deserialize, Serialize};

use crate::source::PersonRef;

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
    /// E-mail address, kept in lower case.
    Email,
    /// Login at a code host or ticket system: `amoreau`, or `github:amoreau` for one system only.
    Login,
    /// User id in a chat or ticket system: `U012AB3CD`, an accountId.
    ChatId,
    /// IAM user name.
    AwsUser,
    /// Vault/OpenBao alias as `mount/name`.
    VaultAlias,
    /// Id of a key: an AWS access key id, an SSH or PGP fingerprint.
    KeyId,
    /// Name as people write it. Weak: never enough on its own.
    Name,
}

impl AliasKind {
    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Login => "login",
            Self::ChatId => "chat id",
            Self::AwsUser => "AWS user",
            Self::VaultAlias => "vault alias",
            Self::KeyId => "key id",
            Self::Name => "name",
        }
    }
}

/// One name of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// What sort of name.
    pub kind: AliasKind,
    /// The name itself.
    pub value: String,
    /// Why we believe that it is theirs: `stated in alice.toml`, `user list of the Slack export acme.zip`.
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
    /// Targets (`system:place`, `*` at its end for the rest) that they go on using: who changes role loses the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<String>,
    /// Names that look alike but are not used: somebody has to state them in the identity file first.
    #[serde(default)]
    pub suggestions: Vec<Alias>,
}

impl Identity {
    /// Every alias of one kind.
    pub fn of_kind(&self, kind: AliasKind) -> impl Iterator<Item = &Alias> {
        self.aliases.iter().filter(move |alias| alias.kind == kind)
    }

    /// Whether a name of this kind is theirs.
    pub fn has(&self, kind: AliasKind, value: &str) -> bool {
        self.of_kind(kind).any(|alias| alias.value.eq_ignore_ascii_case(value))
    }

    /// Whether an address is theirs: exactly, or after taking a `+tag` off.
    pub fn owns_email(&self, address: &str) -> bool {
        let address = address.trim().to_lowercase();
        self.has(AliasKind::Email, &address) || self.has(AliasKind::Email, &without_tag(&address))
    }

    /// Whether a login is theirs at this platform.
    pub fn owns_login(&self, platform: &str, login: &str) -> bool {
        self.of_kind(AliasKind::Login).any(|alias| match alias.value.split_once(':') {
            Some((at, name)) => at.eq_ignore_ascii_case(platform) && name.eq_ignore_ascii_case(login),
            None => alias.value.eq_ignore_ascii_case(login),
        })
    }

    /// The alias by which this person of an export or repository is the identity, if any. Display names do not count.
    pub fn recognise(&self, person: &PersonRef) -> Option<&Alias> {
        let by_email = person.email.as_deref().filter(|email| self.owns_email(email)).and_then(|email| {
            let email = email.trim().to_lowercase();
            self.of_kind(AliasKind::Email).find(|a| a.value == email || a.value == without_tag(&email))
        });
        let by_id = || {
            let id = person.id.as_deref()?;
            self.of_kind(AliasKind::ChatId).find(|alias| alias.value.eq_ignore_ascii_case(id))
        };
        let by_login = || {
            let login = person.handle.as_deref()?;
            self.of_kind(AliasKind::Login).find(|alias| match alias.value.split_once(':') {
                Some((at, name)) => at.eq_ignore_ascii_case(&person.platform) && name.eq_ignore_ascii_case(login),
                None => alias.value.eq_ignore_ascii_case(login),
            })
        };
        by_email.or_else(by_id).or_else(by_login)
    }

    /// Adds an alias unless it is known already; says whether it was new.
    pub fn learn(&mut self, kind: AliasKind, value: &str, reason: impl Into<String>) -> bool {
        let value = if kind == AliasKind::Email { value.trim().to_lowercase() } else { value.trim().to_owned() };
        if value.is_empty() || self.has(kind, &value) {
            return false;
        }
        self.suggestions.retain(|suggestion| suggestion.kind != kind || suggestion.value != value);
        self.aliases.push(Alias { kind, value, reason: reason.into() });
        true
    }
}

/// `alice+ci@example.org` without its tag. A GitHub noreply address has an id before the plus: it stays whole.
fn without_tag(address: &str) -> String {
    match address.split_once('@') {
        Some((local, host)) if !host.contains("noreply") => {
            format!("{}@{host}", local.split('+').next().unwrap_or(local))
        }
        _ => address.to_owned(),
    }
}
