//! Who issued a credential and can kill it. A provider validates, issues and revokes; it does not know where consumers
//! keep the value.

#[cfg(feature = "accounts")]
mod accounts;
#[cfg(feature = "aws")]
mod aws_api_keys;
#[cfg(feature = "aws")]
mod aws_iam;
#[cfg(any(feature = "accounts", feature = "postgres"))]
mod claim;
#[cfg(feature = "issuers")]
mod http;
mod keyring;
#[cfg(feature = "accounts")]
mod ldap;
#[cfg(feature = "accounts")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "accounts", feature = "postgres"))]
mod probe;
#[cfg(feature = "accounts")]
mod rabbitmq;
#[cfg(feature = "accounts")]
mod redis;
#[cfg(feature = "vault")]
mod vault;

#[cfg(feature = "accounts")]
pub use accounts::Accounts;
#[cfg(feature = "aws")]
pub use aws_api_keys::AwsApiKeys;
#[cfg(feature = "aws")]
pub use aws_iam::AwsIam;
#[cfg(feature = "issuers")]
pub use http::{HttpIssuer, HttpIssuerSettings};
pub use keyring::{Keyring, KeyringServer};
#[cfg(feature = "accounts")]
pub use ldap::ldap_accounts;
#[cfg(feature = "accounts")]
pub use mysql::mysql_accounts;
#[cfg(feature = "postgres")]
pub use postgres::PostgresRoles;
#[cfg(feature = "accounts")]
pub use rabbitmq::{RabbitSettings, rabbitmq_accounts};
#[cfg(feature = "accounts")]
pub use redis::redis_accounts;
#[cfg(feature = "vault")]
pub use vault::VaultAccess;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionError, Effect, Pending, Target, ValueRef};
use crate::error::Result;
use crate::finding::Liveness;
use crate::identity::Identity;
use crate::secret::SecretValue;
use crate::source::Coverage;

/// What a provider is told about a credential: facts without the value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Rule id or `needle`.
    pub rule: String,
    /// Facts by name, from captures and from fields beside the value: `user`, `host`, `port`, `key-id`, `accessor`.
    pub facts: BTreeMap<String, String>,
}

/// Something that the provider itself knows to be the leaver's: a token, a key, a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// Where it is, by id or accessor; never the value.
    pub at: Target,
    /// What a person would call it: `OpenBao token`, `IAM access key`.
    pub label: String,
    /// Why it is theirs: `entity_id of alias userpass/alice`.
    pub reason: String,
    /// What else is known: creation, last use, policies.
    pub facts: BTreeMap<String, String>,
    /// Whether the provider still accepts it.
    pub liveness: Liveness,
}

/// What a provider is asked to do for one step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderStep {
    /// Refuse new sessions of an account (entity disabled, login profile removed); reversible.
    Freeze,
    /// Kill one credential, or all of an account, for good.
    Revoke,
    /// Make the value in `new` the accepted one. `old` still works or not, as the system has it.
    Set {
        /// Staged new value.
        new: ValueRef,
        /// Value that it replaces.
        old: ValueRef,
    },
    /// Make a new credential and stage it at `into`.
    Issue {
        /// Where to stage it.
        into: ValueRef,
    },
    /// Log in with `new`; done when it works.
    Test {
        /// Value that must work.
        new: ValueRef,
    },
    /// End what lives on after the value changed: sessions, connections, a second accepted password.
    Evict {
        /// Value that must not work afterwards.
        old: ValueRef,
    },
    /// Paired probe: `new` works and `old` gets a definitive rejection.
    Verify {
        /// Value that must work; `None` for a pure revocation.
        new: Option<ValueRef>,
        /// Value that must be dead.
        old: ValueRef,
    },
}

impl ProviderStep {
    /// The step in one word, the second half of an action's name.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Revoke => "revoke",
            Self::Set { .. } => "set",
            Self::Issue { .. } => "issue",
            Self::Test { .. } => "test",
            Self::Evict { .. } => "evict",
            Self::Verify { .. } => "verify",
        }
    }

    /// What the step does to the world, at every provider alike.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Test { .. } | Self::Verify { .. } => Effect::ReadOnly,
            Self::Set { .. } | Self::Freeze | Self::Issue { .. } => Effect::Reversible,
            Self::Revoke | Self::Evict { .. } => Effect::Final,
        }
    }
}

/// An issuer.
pub trait Provider: Send + Sync {
    /// Its name in the configuration, the `system` of its targets.
    fn name(&self) -> &str;

    /// What sort of issuer, for people and documents: `PostgreSQL role`.
    fn label(&self) -> &'static str;

    /// Id of the issuer where one kind of provider serves many: `github`.
    fn issuer(&self) -> Option<&str> {
        None
    }

    /// Says that another configured provider is the same issuer at another address: a rejection here says nothing then
    /// about values of the other, so only what is accepted here is taken for ours.
    fn is_one_of_many(&self) {}

    /// Whether the account can be given a new value (a role's password), or its credential can only be killed (a token).
    fn settable(&self, _at: &Target) -> bool {
        false
    }

    /// Whether new values of the account are made by the issuer itself, beside the old one (a second access key).
    fn issuable(&self, _at: &Target) -> bool {
        false
    }

    /// Whether the old value goes on working beside a new one until it is evicted.
    fn overlaps(&self, at: &Target) -> bool {
        self.issuable(at)
    }

    /// The account that this credential belongs to at this provider, if it is one of its own (host, port and database
    /// match, key id exists, token prefix and address match).
    fn recognise<'a>(&'a self, subject: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>>;

    /// Asks the issuer whether it accepts the value now. One probe, no retries.
    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness>;

    /// Everything that the provider itself knows to be the leaver's.
    fn owned<'a>(&'a self, identity: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>>;

    /// The action for one step; `None` when this provider has no such step.
    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>>;

    /// A cheap call that shows that we may do what the plan wants at `at`; run before the first change.
    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>>;
}
