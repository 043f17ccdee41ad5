//! Accounts with passwords on servers of any kind: what MySQL, Redis, RabbitMQ and LDAP have in common. Each kind is one
//! file that answers the questions of [`Server`]; logging in is the only proof, of the new value and of the old one.
//!
//! Locators: `account:shop` for a password, `url:shop` for a whole connection address (which no password may replace).

mod action;

use std::collections::BTreeMap;
use std::sync::Mutex;

use self::action::AccountAction;
use super::claim::Words;
use super::{Owned, Provider, ProviderStep, Subject};
use crate::action::{Action, ActionError, Pending, Target};
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::identity::{AliasKind, Identity};
use crate::remote::{Failure, Login};
use crate::secret::SecretValue;
use crate::source::Coverage;

/// What is asked of one kind of server.
pub(crate) trait Server: Send + Sync {
    /// What a person calls one of its accounts: `MariaDB account`.
    fn label(&self) -> &'static str;

    /// Name of its actions and of logins in an identity (`mysql:shop`).
    fn kind(&self) -> &'static str;

    /// How consumers write down where it is.
    fn words(&self) -> Words;

    /// Host and port.
    fn place(&self) -> (String, u16);

    /// The account that offkey itself works with.
    fn own(&self) -> &str;

    /// Whether new log-ins can be refused and allowed again without touching the password.
    fn can_freeze(&self) -> bool;

    /// Whether an account takes two passwords at once: then setting one cuts nobody off, and the old one is taken away in
    /// the eviction.
    fn overlaps(&self) -> bool {
        false
    }

    /// Logs in once and leaves again.
    fn login<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Login>;

    /// The account of this name, as the server knows it; `None` when there is none.
    fn find<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, Failure>>;

    /// Names of all accounts that can log in: what people call them, and what the server does.
    fn all(&self) -> Pending<'_, Result<Vec<(String, String)>, Failure>>;

    /// Whether we may do what a rotation needs.
    fn check<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), ActionError>>;

    /// Makes a value accepted. What to tell about it.
    fn set<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Result<Option<String>, Failure>>;

    /// Takes a value away, for servers that take two.
    fn remove<'a>(&'a self, _account: &'a str, _value: &'a SecretValue) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    /// Whether nobody can log in to it, for good or for now.
    fn is_barred<'a>(&'a self, account: &'a str, for_good: bool) -> Pending<'a, Result<bool, Failure>>;

    /// Refuses every log-in: for now, or without any way back.
    fn bar<'a>(&'a self, account: &'a str, for_good: bool) -> Pending<'a, Result<(), Failure>>;

    /// Takes [`Server::bar`] for now back.
    fn unbar<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), Failure>>;

    /// How many sessions the account has that began before `mark`; all of them without one.
    fn sessions<'a>(&'a self, _account: &'a str, _mark: Option<&'a str>) -> Pending<'a, Result<usize, Failure>> {
        Box::pin(async { Ok(0) })
    }

    /// Ends every session of the account: how many, and a mark that later ones come after.
    fn end_sessions<'a>(&'a self, _account: &'a str) -> Pending<'a, Result<(usize, String), Failure>> {
        Box::pin(async { Ok((0, String::new())) })
    }
}

/// The accounts of one server.
pub struct Accounts {
    name: String,
    server: Box<dyn Server>,
    also_known_as: Vec<String>,
}

impl Accounts {
    pub(super) fn new(name: String, server: Box<dyn Server>, also_known_as: Vec<String>) -> Self {
        Self { name, server, also_known_as }
    }

    fn account(at: &Target) -> &str {
        at.locator.split_once(':').map_or(at.locator.as_str(), |(_, account)| account)
    }

    fn target(&self, kind: &str, account: &str) -> Target {
        Target { system: self.name.clone(), locator: format!("{kind}:{account}") }
    }

    async fn find(&self, subject: &Subject, value: &SecretValue) -> Result<Option<Target>, Failure> {
        let (is_url, claim) = self.server.words().claim(value, subject);
        let (host, port) = self.server.place();
        let here = claim.is_at(&host, port, &self.also_known_as);
        let Some(user) = claim.user.clone().filter(|_| here) else { return Ok(None) };
        let Some(account) = self.server.find(&user).await? else { return Ok(None) };
        let at = self.target(if is_url { "url" } else { "account" }, &account);
        // Without a host beside it only a log-in tells that it is this server's.
        let sure = claim.host.is_some()
            || self.server.login(&account, self.server.words().password(&at, value).as_ref()).await == Login::Accepted;
        Ok(sure.then_some(at))
    }
}

impl Provider for Accounts {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        self.server.label()
    }

    fn settable(&self, at: &Target) -> bool {
        at.locator.starts_with("account:")
    }

    fn overlaps(&self, _: &Target) -> bool {
        self.server.overlaps()
    }

    fn recognise<'a>(&'a self, subject: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async move {
            self.find(subject, value).await.map_err(|failure| {
                Error::remote(format!("{} could not be asked about its accounts", self.name))
                    .because(failure)
                    .still("Nothing was changed.")
                    .next("Check address, user and password of this provider in offkey.toml.")
            })
        })
    }

    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(async move {
            match self.server.login(Self::account(at), self.server.words().password(at, value).as_ref()).await {
                Login::Accepted => Liveness::Live,
                Login::Rejected(why) => Liveness::Dead(why),
                Login::Unclear(failure) => Liveness::Unknown(failure.to_string()),
            }
        })
    }

    fn owned<'a>(&'a self, identity: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("provider {}", self.name), self.server.kind());
            let mut owned = Vec::new();
            let accounts = match self.server.all().await {
                Ok(accounts) => accounts,
                Err(failure) => {
                    let (host, port) = self.server.place();
                    coverage.fail(format!("{host}:{port}"), failure.to_string());
                    return Ok((owned, coverage));
                }
            };
            coverage.documents = accounts.len() as u64;
            for (called, account) in accounts {
                let by_login = identity.owns_login(self.server.kind(), &called);
                if !by_login && !identity.has(AliasKind::Email, &called) {
                    continue;
                }
                let kind = if by_login { "login" } else { "e-mail" };
                let freeze = ("freeze".to_owned(), "no new log-ins, sessions ended".to_owned());
                owned.push(Owned {
                    at: self.target("account", &account),
                    label: self.server.label().to_owned(),
                    reason: format!("the account {called} has the name of a known {kind} of theirs"),
                    facts: self.server.can_freeze().then_some(freeze).into_iter().collect::<BTreeMap<_, _>>(),
                    liveness: Liveness::Live,
                });
            }
            Ok((owned, coverage))
        })
    }

    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>> {
        let can = match step {
            ProviderStep::Issue { .. } => false,
            ProviderStep::Set { .. } => self.settable(at),
            ProviderStep::Freeze => self.server.can_freeze(),
            _ => true,
        };
        can.then(|| Box::new(AccountAction { accounts: self, at, step, mark: Mutex::new(None) }) as Box<dyn Action>)
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let account = Self::account(at);
            if account == self.server.own() {
                return Err(ActionError::Refused(format!(
                    "{account} is the account that offkey itself logs in with at {}: rotate it from another administrator's configuration",
                    self.name
                )));
            }
            self.server.check(account).await
        })
    }
}
