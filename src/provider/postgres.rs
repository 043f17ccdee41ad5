//! PostgreSQL roles with passwords.
//!
//! A new password is set by the administrator as a SCRAM verifier, after the old one was seen to work: a role that takes
//! neither was changed by somebody else. A password change ends no session, so evicting ends every session of the role that
//! began before; consumers connect again with what the store serves by then.
//!
//! Locators: `role:shop` for a password, `url:shop` for a whole connection address (which no password may replace).

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::claim::Words;
use super::probe::Probe;
use super::{Owned, Provider, ProviderStep, Subject};
use crate::action::{
    Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Target, ValueRef, Work,
};
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::identity::{AliasKind, Identity};
use crate::remote::{Failure, Login, Postgres, Session, quote_role, scram_verifier};
use crate::secret::SecretValue;
use crate::source::Coverage;

/// How consumers write a PostgreSQL server down.
const WORDS: Words = Words { schemes: &["postgres", "postgresql"], engines: &["postgres"], port: 5432, user: None };

/// The roles of one server.
pub struct PostgresRoles {
    name: String,
    server: Postgres,
    also_known_as: Vec<String>,
}

impl PostgresRoles {
    /// The provider `name`; `also_known_as` are other host names under which consumers reach the same server.
    pub fn new(name: impl Into<String>, server: Postgres, also_known_as: Vec<String>) -> Self {
        Self { name: name.into(), server, also_known_as }
    }

    fn role(at: &Target) -> &str {
        at.locator.split_once(':').map_or(at.locator.as_str(), |(_, role)| role)
    }

    fn target(&self, kind: &str, role: &str) -> Target {
        Target { system: self.name.clone(), locator: format!("{kind}:{role}") }
    }

    async fn exists(&self, role: &str) -> Result<bool, Failure> {
        let admin = self.server.admin().await?;
        Ok(!admin.query("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", &[role]).await?.is_empty())
    }

    async fn find(&self, subject: &Subject, value: &SecretValue) -> Result<Option<Target>, Failure> {
        let (is_url, claim) = WORDS.claim(value, subject);
        let settings = self.server.settings();
        let here = claim.is_at(&settings.host, settings.port, &self.also_known_as);
        let Some(user) = claim.user.clone().filter(|_| here) else { return Ok(None) };
        if !self.exists(&user).await? {
            return Ok(None);
        }
        let at = self.target(if is_url { "url" } else { "role" }, &user);
        // Without a host beside it only a log-in tells that it is this server's.
        let sure = claim.host.is_some()
            || self.server.login(&user, WORDS.password(&at, value).as_ref()).await == Login::Accepted;
        Ok(sure.then_some(at))
    }
}

impl Provider for PostgresRoles {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "PostgreSQL role"
    }

    fn settable(&self, at: &Target) -> bool {
        at.locator.starts_with("role:")
    }

    fn recognise<'a>(&'a self, subject: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async move {
            self.find(subject, value).await.map_err(|failure| {
                Error::remote(format!("the PostgreSQL server {} could not be asked", self.name))
                    .because(failure)
                    .still("Nothing was changed.")
                    .next("Check host, user and password of this provider in offkey.toml.")
            })
        })
    }

    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(async move {
            match self.server.login(Self::role(at), WORDS.password(at, value).as_ref()).await {
                Login::Accepted => Liveness::Live,
                Login::Rejected(why) => Liveness::Dead(why),
                Login::Unclear(failure) => Liveness::Unknown(failure.to_string()),
            }
        })
    }

    fn owned<'a>(&'a self, identity: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("provider {}", self.name), "postgresql");
            let mut owned = Vec::new();
            let roles = match self.login_roles().await {
                Ok(roles) => roles,
                Err(failure) => {
                    coverage.fail(self.server.place(), failure.to_string());
                    return Ok((owned, coverage));
                }
            };
            coverage.documents = roles.len() as u64;
            for role in roles {
                let by_login = identity.owns_login("postgres", &role);
                if !by_login && !identity.has(AliasKind::Email, &role) {
                    continue;
                }
                owned.push(Owned {
                    at: self.target("role", &role),
                    label: "PostgreSQL role".to_owned(),
                    reason: format!(
                        "the role {role} has the name of a known {} of theirs",
                        if by_login { "login" } else { "e-mail" }
                    ),
                    facts: BTreeMap::from([("freeze".to_owned(), "no new log-ins, sessions ended".to_owned())]),
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
            _ => true,
        };
        can.then(|| Box::new(RoleAction { roles: self, at, step, evicted: Mutex::new(None) }) as Box<dyn Action>)
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let role = Self::role(at);
            let looking = |failure: Failure| ActionError::looking(&failure);
            if role == self.server.settings().user {
                return Err(ActionError::Refused(format!(
                    "{role} is the role that offkey itself logs in with at {}: rotate it from another administrator's configuration",
                    self.name
                )));
            }
            let admin = self.server.admin().await.map_err(looking)?;
            let rows = admin.query(MAY_CHANGE, &[role]).await.map_err(looking)?;
            let Some(row) = rows.first() else {
                return Err(ActionError::Conflict(format!("there is no role {role} any more")));
            };
            let (may_set, may_signal) = (row.get::<_, bool>(0), row.get::<_, bool>(1));
            let who = &self.server.settings().user;
            if !may_set {
                return Err(ActionError::Refused(format!(
                    "{who} may not change the role {role}: it needs CREATEROLE, and SUPERUSER for superusers"
                )));
            }
            if !may_signal {
                return Err(ActionError::Refused(format!(
                    "{who} may not end sessions of {role}: GRANT pg_signal_backend TO {who}"
                )));
            }
            Ok(())
        })
    }
}

/// Whether we may set the role's password, and end its sessions.
const MAY_CHANGE: &str = "SELECT me.rolsuper OR (me.rolcreaterole AND NOT it.rolsuper), \
    me.rolsuper OR pg_catalog.pg_has_role(it.oid, 'MEMBER') \
        OR (NOT it.rolsuper AND pg_catalog.pg_has_role('pg_signal_backend', 'MEMBER')) \
    FROM pg_catalog.pg_roles it, pg_catalog.pg_roles me \
    WHERE it.rolname = $1 AND me.rolname = current_user";

impl PostgresRoles {
    async fn login_roles(&self) -> Result<Vec<String>, Failure> {
        let admin = self.server.admin().await?;
        let rows =
            admin.query("SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolcanlogin ORDER BY 1", &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

struct RoleAction<'a> {
    roles: &'a PostgresRoles,
    at: &'a Target,
    step: ProviderStep,
    /// The server's time when sessions were ended: later ones began with the new value.
    evicted: Mutex<Option<String>>,
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

impl RoleAction<'_> {
    fn role(&self) -> &str {
        PostgresRoles::role(self.at)
    }

    async fn value(&self, cx: &Context<'_>, value: &ValueRef) -> Result<SecretValue, ActionError> {
        let value = cx.value(value).await?;
        Ok(WORDS.password(self.at, &value).into_owned())
    }

    async fn admin(&self) -> Result<Session, ActionError> {
        self.roles.server.admin().await.map_err(looking)
    }

    /// Sessions of the role that began before the eviction; all of them before there was one.
    async fn sessions(&self, admin: &Session) -> Result<i64, ActionError> {
        let since = self.evicted.lock().expect("because no holder panics").clone();
        let rows = match &since {
            Some(moment) => admin.query(OLD_SESSIONS, &[self.role(), moment]).await,
            None => admin.query(ALL_SESSIONS, &[self.role()]).await,
        };
        Ok(rows.map_err(looking)?.first().map_or(0, |row| row.get(0)))
    }

    async fn end_sessions(&self, admin: &Session) -> Result<i64, ActionError> {
        let rows = admin.query("SELECT pg_catalog.clock_timestamp()::text", &[]).await.map_err(looking)?;
        let moment: Option<String> = rows.first().map(|row| row.get(0));
        let ended = admin.query(END_SESSIONS, &[self.role()]).await.map_err(changing)?;
        *self.evicted.lock().expect("because no holder panics") = moment;
        // A signal is not an end: a session dies at its next chance, usually within milliseconds.
        for _ in 0..50 {
            if self.sessions(admin).await? == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        }
        Ok(ended.first().map_or(0, |row| row.get(0)))
    }

    async fn set(&self, value: &SecretValue) -> Result<(), ActionError> {
        let verifier = scram_verifier(value).ok_or_else(|| {
            ActionError::Stuck(format!(
                "the password of {} is not printable ASCII: set it by hand with \\password",
                self.role()
            ))
        })?;
        let admin = self.admin().await?;
        // A verifier has only letters, digits and + / = $ : - in it.
        let sql = format!("ALTER ROLE {} PASSWORD '{verifier}'", quote_role(self.role()));
        admin.run(&sql).await.map_err(changing)
    }
}

const IS_BARRED: &str = "SELECT NOT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = $1";

const ALL_SESSIONS: &str =
    "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = $1 AND pid <> pg_catalog.pg_backend_pid()";

const OLD_SESSIONS: &str = "SELECT count(*) FROM pg_catalog.pg_stat_activity \
    WHERE usename = $1 AND backend_start < $2::text::timestamptz AND pid <> pg_catalog.pg_backend_pid()";

const END_SESSIONS: &str = "SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity \
    WHERE usename = $1 AND pid <> pg_catalog.pg_backend_pid()";

impl Probe for RoleAction<'_> {
    async fn accepts(&self, cx: &Context<'_>, value: &ValueRef) -> Result<Result<(), String>, ActionError> {
        match self.roles.server.login(self.role(), &self.value(cx, value).await?).await {
            Login::Accepted => Ok(Ok(())),
            Login::Rejected(why) => Ok(Err(why)),
            Login::Unclear(failure) => {
                Err(ActionError::Unavailable { why: failure.to_string(), retry_after: failure.retry_after() })
            }
        }
    }
}

impl Work for RoleAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("postgres.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        match &self.step {
            ProviderStep::Freeze | ProviderStep::Revoke => {
                let admin = self.admin().await?;
                let barred = admin.query(IS_BARRED, &[self.role()]).await.map_err(looking)?;
                let Some(row) = barred.first() else {
                    return Ok(Observed::Done(Receipt::of("role", "does not exist")));
                };
                let done = row.get::<_, bool>(0) && self.sessions(&admin).await? == 0;
                Ok(if done { Observed::Done(Receipt::of("role", "cannot log in")) } else { Observed::NotDone })
            }
            ProviderStep::Set { new, old } => {
                if self.accepts(cx, new).await?.is_ok() {
                    return Ok(Observed::Done(Receipt::of("new value", "accepted")));
                }
                Ok(match self.accepts(cx, old).await? {
                    Ok(()) => Observed::NotDone,
                    Err(_) => Observed::Conflict(format!(
                        "the role {} takes neither the old nor the new value: somebody else changed it",
                        self.role()
                    )),
                })
            }
            ProviderStep::Evict { .. } => {
                let admin = self.admin().await?;
                let left = self.sessions(&admin).await?;
                Ok(if left == 0 { Observed::Done(Receipt::of("old sessions", 0)) } else { Observed::NotDone })
            }
            ProviderStep::Test { .. } | ProviderStep::Verify { .. } => Ok(Observed::NotDone),
            ProviderStep::Issue { .. } => Ok(Observed::Conflict("not offered".to_owned())),
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            ProviderStep::Freeze | ProviderStep::Revoke => {
                let admin = self.admin().await?;
                let forget = if self.step == ProviderStep::Revoke { " PASSWORD NULL" } else { "" };
                let sql = format!("ALTER ROLE {} NOLOGIN{forget}", quote_role(self.role()));
                admin.run(&sql).await.map_err(changing)?;
                let ended = self.end_sessions(&admin).await?;
                Ok(Receipt::of("role", "cannot log in").and("sessions ended", ended))
            }
            ProviderStep::Set { new, .. } => {
                let value = self.value(cx, new).await?;
                // Somebody may have changed it since the look: only a role that takes the old value is ours to change.
                match self.look(cx).await? {
                    Observed::Done(receipt) => return Ok(receipt),
                    Observed::Conflict(why) => return Err(ActionError::Conflict(why)),
                    Observed::NotDone => {}
                }
                self.set(&value).await?;
                Ok(Receipt::of("new value", "set"))
            }
            ProviderStep::Test { new } => self.test(cx, new).await,
            ProviderStep::Evict { old } => {
                if self.accepts(cx, old).await?.is_ok() {
                    return Err(ActionError::Stuck(format!("the role {} still takes the old value", self.role())));
                }
                let admin = self.admin().await?;
                let ended = self.end_sessions(&admin).await?;
                Ok(Receipt::of("sessions ended", ended))
            }
            ProviderStep::Verify { new, old } => self.verify(cx, new.as_ref(), old).await,
            ProviderStep::Issue { .. } => Err(ActionError::Refused("not offered".to_owned())),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            ProviderStep::Set { old, .. } => {
                self.set(&self.value(cx, old).await?).await?;
                Ok(Receipt::of("old value", "set again"))
            }
            ProviderStep::Freeze => {
                let admin = self.admin().await?;
                let sql = format!("ALTER ROLE {} LOGIN", quote_role(self.role()));
                admin.run(&sql).await.map_err(changing)?;
                Ok(Receipt::of("role", "can log in"))
            }
            _ => Err(ActionError::Refused("this step cannot be undone".to_owned())),
        }
    }
}
