//! OpenBao and Vault as an issuer: tokens by accessor, leases, and entities that can be frozen.
//!
//! Disabling an entity refuses its tokens and log-ins at once but revokes nothing: tokens and leases are ended one by one
//! afterwards. Tokens without an entity (orphans that the leaver made) are found through the audit log alone. Batch tokens
//! have no accessor and end with their time to live; the coverage says so.
//!
//! Locators: `accessor:…` (a token), `lease:…`, `entity:…`, and those of `Grant`: log-in accounts, memberships,
//! secret ids, certificates, passwords of static database roles, exported transit keys, the password of a database connection,
//! SSH certificates.

mod action;
mod grant;
mod issued;
mod owned;
mod transit;

use std::path::PathBuf;
use std::sync::Arc;

use super::{Owned, Provider, ProviderStep, Subject};
use crate::action::{Action, ActionError, Pending, Target};
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::identity::Identity;
use crate::remote::{Failure, Vault};
use crate::secret::SecretValue;
use crate::source::Coverage;
use action::AccessAction;
use grant::Grant;

/// Tokens, leases and entities of one server.
pub struct VaultAccess {
    name: String,
    vault: Arc<Vault>,
    audit: Vec<PathBuf>,
    device: String,
    rewrap: Option<Vec<String>>,
    rotate_root: Vec<String>,
}

/// What a locator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing<'a> {
    Token(&'a str),
    Lease(&'a str),
    Entity(&'a str),
    Grant(Grant<'a>),
}

impl VaultAccess {
    /// The provider `name`. `audit` are logs of the audit device `device`, oldest first; without them orphan tokens and
    /// leases are not found, and the coverage says so.
    pub fn new(name: impl Into<String>, vault: Arc<Vault>, audit: Vec<PathBuf>, device: impl Into<String>) -> Self {
        Self { name: name.into(), vault, audit, device: device.into(), rewrap: None, rotate_root: Vec::new() }
    }

    /// Says in which folders of KV version 2 all ciphertexts of transit keys lie. Without that an exported key is left to a
    /// person: the ciphertexts that nobody wraps again would be lost.
    #[must_use]
    pub fn with_rewrap(mut self, folders: Option<Vec<String>>) -> Self {
        self.rewrap = folders;
        self
    }

    /// Says which connections of the database engine (`database/shop`) have another administrator at their database, so that
    /// nobody is locked out when the engine sets a password that it alone knows.
    #[must_use]
    pub fn with_rotate_root(mut self, connections: Vec<String>) -> Self {
        self.rotate_root = connections.iter().map(|one| one.trim_matches('/').to_owned()).collect();
        self
    }

    fn thing<'a>(at: &'a Target) -> Result<Thing<'a>, ActionError> {
        match at.locator.split_once(':') {
            Some(("accessor", id)) => Ok(Thing::Token(id)),
            Some(("lease", id)) => Ok(Thing::Lease(id)),
            Some(("entity", id)) => Ok(Thing::Entity(id)),
            _ => Grant::of(&at.locator)
                .map(Thing::Grant)
                .ok_or_else(|| ActionError::Refused(format!("{} names nothing at this server", at.locator))),
        }
    }

    fn target(&self, kind: &str, id: &str) -> Target {
        Target { system: self.name.clone(), locator: format!("{kind}:{id}") }
    }

    /// A dead token and a live one that may not look itself up get the same refusal. Only together with "no such token",
    /// asked with our own token, it is a proof.
    async fn probe(&self, value: &SecretValue) -> Liveness {
        let refused = match self.vault.ask_as("GET", "auth/token/lookup-self", None, value).await {
            Ok(_) => return Liveness::Live,
            Err(failure) if failure.status() == Some(403) => failure,
            Err(failure) => return Liveness::Unknown(failure.to_string()),
        };
        match self.vault.token_by_value(value).await {
            Ok(None) => Liveness::Dead("403 permission denied, and the server has no such token".to_owned()),
            Ok(Some(_)) => {
                Liveness::Unknown("it is refused, but exists: frozen, or not allowed to look itself up".to_owned())
            }
            Err(failure) => Liveness::Unknown(format!("{refused}; whether it exists could not be asked: {failure}")),
        }
    }

    async fn find(&self, subject: &Subject, value: &SecretValue) -> Result<Option<Target>, Failure> {
        let text = value.expose_str().unwrap_or("").trim();
        let looks = ["hvs.", "hvb.", "hvr.", "s.", "b."].iter().any(|prefix| text.starts_with(prefix));
        let said = subject.rule.contains("vault") || subject.rule.contains("openbao");
        // Only what may be a token is shown to the server.
        if !(looks || said) || text.len() > 4096 {
            return Ok(None);
        }
        let token = self.vault.token_by_value(&SecretValue::new(text)).await?;
        Ok(token.filter(|token| !token.accessor.is_empty()).map(|token| self.target("accessor", &token.accessor)))
    }
}

impl Provider for VaultAccess {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "OpenBao token"
    }

    fn recognise<'a>(&'a self, subject: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async move {
            self.find(subject, value).await.map_err(|failure| {
                Error::remote(format!("the server of {} could not be asked", self.name))
                    .because(failure)
                    .still("Nothing was changed.")
                    .next("Check address and token of this provider in offkey.toml.")
            })
        })
    }

    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(async move {
            match Self::thing(at) {
                Ok(Thing::Token(_)) => self.probe(value).await,
                _ => Liveness::Unknown("only a token has a value".to_owned()),
            }
        })
    }

    fn owned<'a>(&'a self, identity: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        Box::pin(async move { Ok(owned::collect(self, identity).await) })
    }

    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>> {
        let can = matches!(
            (Self::thing(at).ok()?, &step),
            (Thing::Entity(_), ProviderStep::Freeze)
                | (Thing::Token(_) | Thing::Lease(_) | Thing::Grant(_), ProviderStep::Revoke)
                | (Thing::Token(_), ProviderStep::Verify { .. })
        );
        can.then(|| Box::new(AccessAction { access: self, at, step }) as Box<dyn Action>)
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let looking = |failure: Failure| ActionError::looking(&failure);
            if let Some(fault) = self.vault.clock_fault().await {
                return Err(ActionError::Refused(fault));
            }
            let own = self.vault.own_token().await.map_err(looking)?;
            let thing = Self::thing(at)?;
            let itself = match thing {
                Thing::Token(accessor) => accessor == own.accessor,
                Thing::Entity(entity) => !own.entity.is_empty() && entity == own.entity,
                Thing::Lease(_) => false,
                Thing::Grant(grant) => grant.is_of(&own),
            };
            if itself {
                return Err(ActionError::Refused(format!(
                    "{at} is what offkey itself works with: give {} another token first",
                    self.name
                )));
            }
            let needs = match thing {
                Thing::Token(_) => vec![("auth/token/revoke-accessor".to_owned(), "update")],
                Thing::Lease(_) => vec![("sys/leases/revoke".to_owned(), "update")],
                Thing::Entity(id) => vec![(format!("identity/entity/id/{id}"), "update")],
                Thing::Grant(grant) => {
                    if let Some(todo) = grant.by_hand(self) {
                        return Err(ActionError::Refused(todo));
                    }
                    if let (Grant::TransitKey { .. }, Some(folders)) = (grant, &self.rewrap) {
                        transit::preflight(&self.vault, folders).await?;
                    }
                    grant.needs()
                }
            };
            let paths: Vec<String> = needs.iter().map(|(path, _)| path.clone()).collect();
            let granted = self.vault.capabilities(&paths).await.map_err(looking)?;
            for ((path, right), has) in needs.iter().zip(granted) {
                if !has.iter().any(|one| one == "root" || one == right) {
                    return Err(ActionError::Refused(format!("the token of {} lacks {right} on {path}", self.name)));
                }
            }
            Ok(())
        })
    }
}
