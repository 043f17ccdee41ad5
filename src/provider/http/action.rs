//! Steps of a plan at an issuer over HTTP.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::call::Trouble;
use super::template::Names;
use super::{HttpIssuer, Missing, Spot, keep};
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Retry, Target, ValueRef, Work};
use crate::finding::Liveness;
use crate::provider::ProviderStep;
use crate::rule::issuer::{Call, Issuer, Repeat, Table};
use crate::secret::SecretValue;

/// First pause between two looks at something that was accepted; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct IssuerAction<'a> {
    pub(super) issuer: &'a HttpIssuer,
    pub(super) at: &'a Target,
    pub(super) step: ProviderStep,
}

/// How a row of calls ended.
enum End {
    /// All were done.
    Done,
    /// The last one will be done later.
    Accepted,
    /// There was nothing to do any more.
    Gone,
}

impl IssuerAction<'_> {
    fn spot(&self) -> Result<Spot<'_>, ActionError> {
        Spot::of(self.at).ok_or_else(|| ActionError::Refused(format!("{} is no place of ours", self.at.locator)))
    }

    fn table(&self) -> Option<&'static Table> {
        let rule = Spot::of(self.at)?.rule;
        match self.step {
            ProviderStep::Revoke | ProviderStep::Evict { .. } => Issuer::table(&self.issuer.issuer.revoke, rule),
            ProviderStep::Issue { .. } => Issuer::table(&self.issuer.issuer.issue, rule),
            _ => None,
        }
    }

    /// The value that is to be killed: what the step names, or what was found in text.
    async fn victim(&self, cx: &Context<'_>) -> Result<SecretValue, ActionError> {
        if let ProviderStep::Evict { old } = &self.step {
            return cx.value(old).await;
        }
        let fingerprint = self.spot()?.fingerprint();
        let fingerprint = fingerprint.ok_or_else(|| ActionError::Refused("the place names no value".to_owned()))?;
        cx.value(&ValueRef::found(&fingerprint)).await
    }

    /// Accepted, or the rejection.
    async fn accepts(&self, value: &SecretValue) -> Result<Result<(), String>, ActionError> {
        match self.issuer.ask(self.at, value).await {
            Liveness::Live => Ok(Ok(())),
            Liveness::Dead(why) => Ok(Err(why)),
            Liveness::Unknown(why) => Err(ActionError::Unavailable { why, retry_after: None }),
        }
    }

    async fn verify(&self, cx: &Context<'_>, new: Option<&ValueRef>, old: &ValueRef) -> Result<Receipt, ActionError> {
        let mut receipt = Receipt::default();
        if let Some(new) = new {
            if let Err(why) = self.accepts(&cx.value(new).await?).await? {
                return Err(ActionError::Stuck(format!("the new value is rejected ({why})")));
            }
            receipt = receipt.and("new value", "accepted");
        }
        match self.accepts(&cx.value(old).await?).await? {
            Ok(()) => Err(ActionError::Stuck("the old value still works".to_owned())),
            Err(why) => Ok(receipt.and("old value", why)),
        }
    }

    async fn kill(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let value = self.victim(cx).await?;
        let issuer = self.issuer.issuer;
        let table = Issuer::fitting(&issuer.revoke, self.spot()?.rule, value.expose()).ok_or_else(|| {
            let who = &issuer.provider.name;
            ActionError::Refused(format!("{who} documents no call that kills this kind: end it there by hand"))
        })?;
        let mut names = self.issuer.names(&self.spot()?, Some(&value));
        match self.run(&table.steps, &mut names).await? {
            End::Done => Ok(Receipt::of("revocation", "done")),
            End::Gone => Ok(Receipt::of("revocation", "nothing left to revoke")),
            End::Accepted => self.poll(cx, &value).await,
        }
    }

    /// Accepted is not revoked: asks until the value is dead, or our time is nearly over.
    async fn poll(&self, cx: &Context<'_>, value: &SecretValue) -> Result<Receipt, ActionError> {
        let end = Instant::now() + cx.deadline * 3 / 4;
        let mut pause = PAUSE;
        loop {
            if let Ok(Err(why)) = self.accepts(value).await {
                return Ok(Receipt::of("revocation", "accepted, then seen").and("old value", why));
            }
            if Instant::now() + pause >= end {
                return Ok(Receipt::of("revocation", "accepted, not seen yet"));
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    /// Makes a new credential and stages it. What an interrupted call of the same operation made is removed first: its
    /// value is lost.
    async fn issue(&self, cx: &Context<'_>, into: &ValueRef) -> Result<Receipt, ActionError> {
        let table = self.table().ok_or_else(|| ActionError::Refused("not offered".to_owned()))?;
        if cx.values.read(into).await?.is_some() {
            return Ok(Receipt::of("new value", "staged"));
        }
        let mut receipt = Receipt::of("new value", "staged");
        if let Some(End::Done) = self.discard(cx, table).await? {
            receipt = receipt.and("left by an interrupted call", "removed");
        }
        let mut names = self.names_of(cx)?;
        self.run(&table.steps, &mut names).await?;
        let lost = || ActionError::Unknown("the answer holds no new value".to_owned());
        let value = names.get("secret").filter(|value| !value.is_empty()).ok_or_else(lost)?;
        cx.values.stage(into, value).await?;
        if let Some(id) = names.get("id").and_then(SecretValue::expose_str) {
            receipt = receipt.and("id", id);
        }
        Ok(receipt)
    }

    async fn discard(&self, cx: &Context<'_>, table: &'static Table) -> Result<Option<End>, ActionError> {
        if table.discard.is_empty() {
            return Ok(None);
        }
        self.run(&table.discard, &mut self.names_of(cx)?).await.map(Some)
    }

    fn names_of(&self, cx: &Context<'_>) -> Result<Names, ActionError> {
        let mut names = self.issuer.names(&self.spot()?, None);
        names.set("op", SecretValue::from(format!("offkey-{}", cx.op)));
        Ok(names)
    }

    /// Makes calls one after the other.
    async fn run(&self, calls: &'static [Call], names: &mut Names) -> Result<End, ActionError> {
        let mut changes = false;
        for (number, call) in calls.iter().enumerate() {
            // Once a call of the row may have changed something, a failure of a later one does not undo that.
            let changed = changes;
            changes |= !call.send.starts_with("GET ");
            let error = |trouble: &Trouble, changes: bool| match error(trouble, changes) {
                ActionError::Unknown(why) => ActionError::Unknown(why),
                other if changed => ActionError::Unknown(format!("{other}; what was called before it may have worked")),
                other => other,
            };
            let heard = self.issuer.line.make(call, names).await.map_err(|trouble| error(&trouble, changes))?;
            if heard.is(&call.gone) {
                return Ok(End::Gone);
            }
            if heard.is(&call.accepted) && number + 1 == calls.len() {
                return Ok(End::Accepted);
            }
            if !heard.succeeds(&call.done, call) {
                let failure = heard.failure();
                // A success that nobody documented may be one.
                let unclear = changes && ((200..300).contains(&heard.status()) || heard.is_page());
                return Err(if unclear {
                    ActionError::Unknown(failure.to_string())
                } else {
                    error(&Trouble::Failed(failure), changes)
                });
            }
            match keep(call, &heard, names) {
                Ok(()) => {}
                Err(Missing(_, true)) => return Ok(End::Gone),
                Err(Missing(why, false)) if changes => return Err(ActionError::Unknown(why)),
                Err(Missing(why, false)) => return Err(ActionError::Refused(why)),
            }
        }
        Ok(End::Done)
    }
}

fn error(trouble: &Trouble, changes: bool) -> ActionError {
    match trouble {
        Trouble::Unfit(why) => ActionError::Refused(why.clone()),
        Trouble::Busy(wait) => ActionError::Unavailable { why: trouble.to_string(), retry_after: Some(*wait) },
        Trouble::Failed(failure) if changes => ActionError::changing(failure),
        Trouble::Failed(failure) => ActionError::looking(failure),
    }
}

impl Work for IssuerAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("http.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    fn retry(&self) -> Retry {
        match self.table().and_then(|table| table.retry) {
            Some(Repeat::Safe) => Retry::Safe,
            Some(Repeat::Never) => Retry::Never,
            Some(Repeat::ReadFirst) | None => Retry::ReadFirst,
        }
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        match &self.step {
            ProviderStep::Revoke | ProviderStep::Evict { .. } => {
                let value = self.victim(cx).await?;
                Ok(match self.accepts(&value).await? {
                    Ok(()) => Observed::NotDone,
                    Err(why) => Observed::Done(Receipt::of("old value", why)),
                })
            }
            ProviderStep::Issue { into } => Ok(match cx.values.read(into).await? {
                Some(_) => Observed::Done(Receipt::of("new value", "staged")),
                None => Observed::NotDone,
            }),
            ProviderStep::Test { .. } | ProviderStep::Verify { .. } => Ok(Observed::NotDone),
            ProviderStep::Freeze | ProviderStep::Set { .. } => Ok(Observed::Conflict("not offered".to_owned())),
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            ProviderStep::Revoke | ProviderStep::Evict { .. } => self.kill(cx).await,
            ProviderStep::Issue { into } => self.issue(cx, into).await,
            ProviderStep::Test { new } => match self.accepts(&cx.value(new).await?).await? {
                Ok(()) => Ok(Receipt::of("new value", "accepted")),
                Err(why) => Err(ActionError::Refused(format!("the new value is rejected ({why})"))),
            },
            ProviderStep::Verify { new, old } => self.verify(cx, new.as_ref(), old).await,
            ProviderStep::Freeze | ProviderStep::Set { .. } => Err(ActionError::Refused("not offered".to_owned())),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let table = self.table().filter(|table| !table.discard.is_empty());
        match (&self.step, table) {
            (ProviderStep::Issue { .. }, Some(table)) => {
                self.discard(cx, table).await?;
                Ok(Receipt::of("new value", "removed at its issuer"))
            }
            _ => Err(ActionError::Refused("this step cannot be undone".to_owned())),
        }
    }
}
