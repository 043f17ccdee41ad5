//! The keyring: offkey's embedded issuer, for the demo and for trying things out without any server.
//!
//! It speaks a protocol of its own over loopback TCP: accounts (shared roles and personal tokens) accept one value each, a
//! new value ends the old one at once, and a rejection is definitive. It proves nothing about other issuers.

mod server;
mod wire;

pub use server::KeyringServer;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Owned, Provider, ProviderStep, Subject};
use crate::action::{
    Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Target, ValueRef, Work,
};
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::identity::{AliasKind, Identity};
use crate::secret::SecretValue;
use crate::source::Coverage;
use wire::{Ask, Reply, Request};

const DEADLINE: Duration = Duration::from_secs(5);

/// A keyring somewhere on this machine.
pub struct Keyring {
    name: String,
    address: String,
    admin: SecretValue,
}

impl Keyring {
    /// The keyring at `address` (`127.0.0.1:40123`), administered with `admin`.
    pub fn new(name: impl Into<String>, address: impl Into<String>, admin: SecretValue) -> Self {
        Self { name: name.into(), address: address.into(), admin }
    }

    fn ask(&self, ask: Ask, as_admin: bool) -> Result<Reply, ActionError> {
        let unavailable = |error: std::io::Error| ActionError::Unavailable {
            why: format!("{}: {error}", self.address),
            retry_after: None,
        };
        let address =
            self.address.parse().map_err(|_| ActionError::Refused(format!("{} is not an address", self.address)))?;
        let mut stream = TcpStream::connect_timeout(&address, DEADLINE).map_err(unavailable)?;
        stream.set_read_timeout(Some(DEADLINE)).map_err(unavailable)?;
        let admin = as_admin.then(|| String::from_utf8_lossy(self.admin.expose()).into_owned());
        let mut text = serde_json::to_vec(&Request { admin, ask }).expect("because requests hold only text");
        text.push(b'\n');
        let sent = stream.write_all(&text);
        zeroize::Zeroize::zeroize(&mut text);
        sent.map_err(unavailable)?;
        let mut line = String::new();
        // From here on the question may have been understood although the answer is lost.
        let lost = |why: String| ActionError::Unknown(format!("{}: {why}", self.address));
        BufReader::new(stream).read_line(&mut line).map_err(|error| lost(error.to_string()))?;
        match serde_json::from_str(&line) {
            Ok(Reply::Failed(why)) => Err(ActionError::Refused(why)),
            Ok(Reply::Forbidden) => Err(ActionError::Refused("the administrator's word is not accepted".to_owned())),
            Ok(reply) => Ok(reply),
            Err(_) => Err(lost("the answer is cut off".to_owned())),
        }
    }

    fn account(locator: &str) -> String {
        locator.split_once(':').map_or(locator, |(_, account)| account).to_owned()
    }

    fn login(&self, at: &Target, value: &SecretValue) -> Liveness {
        let Some(value) = value.expose_str() else { return Liveness::Dead("not text, so never accepted".to_owned()) };
        match self.ask(Ask::Login { account: Self::account(&at.locator), value: value.to_owned() }, false) {
            Ok(Reply::Accepted { .. }) => Liveness::Live,
            Ok(Reply::Rejected) => Liveness::Dead("rejected".to_owned()),
            Ok(_) => Liveness::Unknown("an answer to another question".to_owned()),
            Err(error) => Liveness::Unknown(error.to_string()),
        }
    }

    fn is_live(&self, at: &Target) -> Result<bool, ActionError> {
        match self.ask(Ask::Show { account: Self::account(&at.locator) }, true)? {
            Reply::Entries(entries) => Ok(entries.first().is_some_and(|entry| entry.live)),
            _ => Err(ActionError::Unknown("an answer to another question".to_owned())),
        }
    }

    fn target(&self, account: &str, owner: Option<&str>) -> Target {
        let kind = if owner.is_some() { "token" } else { "role" };
        Target { system: self.name.clone(), locator: format!("{kind}:{account}") }
    }
}

impl Provider for Keyring {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "keyring account"
    }

    fn settable(&self, at: &Target) -> bool {
        at.locator.starts_with("role:")
    }

    fn recognise<'a>(&'a self, _: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async move {
            let Some(text) = value.expose_str() else { return Ok(None) };
            let remote =
                |error: ActionError| Error::remote(format!("the keyring {} did not answer", self.name)).because(error);
            let Reply::Accepted { account } =
                self.ask(Ask::WhoAmI { value: text.to_owned() }, false).map_err(remote)?
            else {
                return Ok(None);
            };
            let Reply::Entries(entries) = self.ask(Ask::Show { account: account.clone() }, true).map_err(remote)?
            else {
                return Ok(None);
            };
            Ok(entries.first().map(|entry| self.target(&account, entry.owner.as_deref())))
        })
    }

    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(async move { self.login(at, value) })
    }

    fn owned<'a>(&'a self, identity: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("provider {}", self.name), "keyring");
            let mut owned = Vec::new();
            let logins = identity.of_kind(AliasKind::Login).chain(identity.of_kind(AliasKind::Email));
            for alias in logins {
                match self.ask(Ask::Owned { owner: alias.value.clone() }, true) {
                    Ok(Reply::Entries(entries)) => owned.extend(entries.into_iter().map(|entry| Owned {
                        at: self.target(&entry.account, entry.owner.as_deref()),
                        label: "keyring token".to_owned(),
                        reason: format!("the keyring names {} as its owner", alias.value),
                        facts: BTreeMap::new(),
                        liveness: if entry.live { Liveness::Live } else { Liveness::Dead("revoked".to_owned()) },
                    })),
                    Ok(_) => coverage.fail(&alias.value, "an answer to another question"),
                    Err(error) => coverage.fail(&alias.value, error.to_string()),
                }
            }
            Ok((owned, coverage))
        })
    }

    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>> {
        let can = !matches!(step, ProviderStep::Freeze | ProviderStep::Issue { .. });
        can.then(|| Box::new(KeyringAction { keyring: self, at, step }) as Box<dyn Action>)
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move { self.is_live(at).map(drop) })
    }
}

struct KeyringAction<'a> {
    keyring: &'a Keyring,
    at: &'a Target,
    step: ProviderStep,
}

impl KeyringAction<'_> {
    async fn accepts(&self, cx: &Context<'_>, value: &ValueRef) -> Result<bool, ActionError> {
        match self.keyring.login(self.at, &cx.value(value).await?) {
            Liveness::Live => Ok(true),
            Liveness::Dead(_) => Ok(false),
            Liveness::Unknown(why) => Err(ActionError::Unavailable { why, retry_after: None }),
        }
    }
}

impl Work for KeyringAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("keyring.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let done = |yes: bool, name: &str, fact: &str| {
            if yes { Observed::Done(Receipt::of(name, fact)) } else { Observed::NotDone }
        };
        Ok(match &self.step {
            ProviderStep::Revoke => done(!self.keyring.is_live(self.at)?, "account", "revoked"),
            ProviderStep::Set { new, .. } => done(self.accepts(cx, new).await?, "new value", "accepted"),
            // Looks that are the step itself are never done beforehand: `apply` makes the observation that is logged.
            ProviderStep::Test { .. } | ProviderStep::Verify { .. } => Observed::NotDone,
            ProviderStep::Evict { old } => done(!self.accepts(cx, old).await?, "old value", "rejected"),
            ProviderStep::Freeze | ProviderStep::Issue { .. } => Observed::Conflict("not offered".to_owned()),
        })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let account = Keyring::account(&self.at.locator);
        match &self.step {
            ProviderStep::Revoke => {
                self.keyring.ask(Ask::Revoke { account }, true)?;
                Ok(Receipt::of("account", "revoked"))
            }
            ProviderStep::Set { new, .. } => {
                let value = cx.value(new).await?;
                let value = String::from_utf8_lossy(value.expose()).into_owned();
                self.keyring.ask(Ask::Set { account, value }, true)?;
                Ok(Receipt::of("new value", "set"))
            }
            ProviderStep::Test { new } if self.accepts(cx, new).await? => Ok(Receipt::of("new value", "accepted")),
            ProviderStep::Test { .. } => Err(ActionError::Refused("the new value is rejected".to_owned())),
            ProviderStep::Verify { new, old } => {
                let mut receipt = Receipt::default();
                if let Some(new) = new {
                    if !self.accepts(cx, new).await? {
                        return Err(ActionError::Stuck("the new value is rejected".to_owned()));
                    }
                    receipt = receipt.and("new value", "accepted");
                }
                if self.accepts(cx, old).await? {
                    return Err(ActionError::Stuck("the old value still works".to_owned()));
                }
                Ok(receipt.and("old value", "rejected"))
            }
            ProviderStep::Evict { .. } => Err(ActionError::Stuck("the old value still works".to_owned())),
            ProviderStep::Freeze | ProviderStep::Issue { .. } => Err(ActionError::Refused("not offered".to_owned())),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let ProviderStep::Set { old, .. } = &self.step else {
            return Err(ActionError::Refused("this step cannot be undone".to_owned()));
        };
        let value = String::from_utf8_lossy(cx.value(old).await?.expose()).into_owned();
        self.keyring.ask(Ask::Set { account: Keyring::account(&self.at.locator), value }, true)?;
        Ok(Receipt::of("old value", "set again"))
    }
}
