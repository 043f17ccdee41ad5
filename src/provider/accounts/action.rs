//! Steps of a plan at an account.

use std::sync::Mutex;

use super::Accounts;
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Target, ValueRef, Work};
use crate::provider::ProviderStep;
use crate::provider::probe::Probe;
use crate::remote::{Failure, Login};
use crate::secret::SecretValue;

pub(super) struct AccountAction<'a> {
    pub(super) accounts: &'a Accounts,
    pub(super) at: &'a Target,
    pub(super) step: ProviderStep,
    /// Sessions from before this mark were ended: later ones began with the new value.
    pub(super) mark: Mutex<Option<String>>,
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

impl AccountAction<'_> {
    fn account(&self) -> &str {
        Accounts::account(self.at)
    }

    async fn value(&self, cx: &Context<'_>, value: &ValueRef) -> Result<SecretValue, ActionError> {
        let value = cx.value(value).await?;
        Ok(self.accounts.server.words().password(self.at, &value).into_owned())
    }

    async fn old_sessions(&self) -> Result<usize, ActionError> {
        let mark = self.mark.lock().expect("because no holder panics").clone();
        self.accounts.server.sessions(self.account(), mark.as_deref()).await.map_err(looking)
    }

    async fn end_sessions(&self) -> Result<usize, ActionError> {
        let (ended, mark) = self.accounts.server.end_sessions(self.account()).await.map_err(changing)?;
        *self.mark.lock().expect("because no holder panics") = Some(mark);
        // A server that was told to end a session does so at its next chance.
        for _ in 0..50 {
            if self.old_sessions().await? == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        }
        Ok(ended)
    }

    async fn evict(&self, cx: &Context<'_>, old: &ValueRef) -> Result<Receipt, ActionError> {
        if self.accounts.server.overlaps() {
            let value = self.value(cx, old).await?;
            self.accounts.server.remove(self.account(), &value).await.map_err(changing)?;
        }
        if self.accepts(cx, old).await?.is_ok() {
            return Err(ActionError::Stuck(format!("the account {} still takes the old value", self.account())));
        }
        Ok(Receipt::of("sessions ended", self.end_sessions().await?))
    }
}

impl Probe for AccountAction<'_> {
    async fn accepts(&self, cx: &Context<'_>, value: &ValueRef) -> Result<Result<(), String>, ActionError> {
        match self.accounts.server.login(self.account(), &self.value(cx, value).await?).await {
            Login::Accepted => Ok(Ok(())),
            Login::Rejected(why) => Ok(Err(why)),
            Login::Unclear(failure) => {
                Err(ActionError::Unavailable { why: failure.to_string(), retry_after: failure.retry_after() })
            }
        }
    }
}

impl Work for AccountAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("{}.{}", self.accounts.server.kind(), self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let done = |yes: bool, name: &str, fact: &str| {
            if yes { Observed::Done(Receipt::of(name, fact)) } else { Observed::NotDone }
        };
        match &self.step {
            ProviderStep::Freeze | ProviderStep::Revoke => {
                let for_good = self.step == ProviderStep::Revoke;
                let barred = self.accounts.server.is_barred(self.account(), for_good).await.map_err(looking)?;
                Ok(done(barred && self.old_sessions().await? == 0, "account", "cannot log in"))
            }
            ProviderStep::Set { new, old } => {
                if self.accepts(cx, new).await?.is_ok() {
                    return Ok(done(true, "new value", "accepted"));
                }
                Ok(match self.accepts(cx, old).await? {
                    Ok(()) => Observed::NotDone,
                    Err(_) => Observed::Conflict(format!(
                        "the account {} takes neither the old nor the new value: somebody else changed it",
                        self.account()
                    )),
                })
            }
            ProviderStep::Evict { old } => {
                let dead = !self.accounts.server.overlaps() || self.accepts(cx, old).await?.is_err();
                Ok(done(dead && self.old_sessions().await? == 0, "old sessions", "0"))
            }
            ProviderStep::Test { .. } | ProviderStep::Verify { .. } => Ok(Observed::NotDone),
            ProviderStep::Issue { .. } => Ok(Observed::Conflict("not offered".to_owned())),
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let server = &self.accounts.server;
        match &self.step {
            ProviderStep::Freeze | ProviderStep::Revoke => {
                server.bar(self.account(), self.step == ProviderStep::Revoke).await.map_err(changing)?;
                let ended = self.end_sessions().await?;
                Ok(Receipt::of("account", "cannot log in").and("sessions ended", ended))
            }
            ProviderStep::Set { new, .. } => {
                let value = self.value(cx, new).await?;
                // Somebody may have changed it since the look: only an account that takes the old value is ours to change.
                match self.look(cx).await? {
                    Observed::Done(receipt) => return Ok(receipt),
                    Observed::Conflict(why) => return Err(ActionError::Conflict(why)),
                    Observed::NotDone => {}
                }
                let told = server.set(self.account(), &value).await.map_err(changing)?;
                let receipt = Receipt::of("new value", "set");
                Ok(match told {
                    Some(told) => receipt.and("note", told),
                    None => receipt,
                })
            }
            ProviderStep::Test { new } => self.test(cx, new).await,
            ProviderStep::Evict { old } => self.evict(cx, old).await,
            ProviderStep::Verify { new, old } => self.verify(cx, new.as_ref(), old).await,
            ProviderStep::Issue { .. } => Err(ActionError::Refused("not offered".to_owned())),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let server = &self.accounts.server;
        match &self.step {
            ProviderStep::Set { new, .. } if server.overlaps() => {
                server.remove(self.account(), &self.value(cx, new).await?).await.map_err(changing)?;
                Ok(Receipt::of("new value", "taken away"))
            }
            ProviderStep::Set { old, .. } => {
                server.set(self.account(), &self.value(cx, old).await?).await.map_err(changing)?;
                Ok(Receipt::of("old value", "set again"))
            }
            ProviderStep::Freeze => {
                server.unbar(self.account()).await.map_err(changing)?;
                Ok(Receipt::of("account", "can log in"))
            }
            _ => Err(ActionError::Refused("this step cannot be undone".to_owned())),
        }
    }
}
