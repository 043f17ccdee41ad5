//! Stage, promote, retire.

use super::super::json as fields;
use super::{Shelf, changing, fence_of, looking};
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Target, Work};
use crate::secret::SecretValue;
use crate::store::{StoreStep, no_own_rotation};

/// How often a promotion reads again when the entry changes under it.
const RACES: usize = 4;

pub(super) struct ShelfAction<'a> {
    pub(super) store: &'a Shelf,
    pub(super) at: &'a Target,
    pub(super) step: StoreStep,
}

impl ShelfAction<'_> {
    async fn is_replaced(&self, replaced: &str) -> Result<bool, ActionError> {
        let current = self.store.current(self.at).await?;
        Ok(current.is_some_and(|(_, value)| self.store.fence(&value) != fence_of(replaced)))
    }

    async fn promote(&self, cx: &Context<'_>, expect: &str) -> Result<Receipt, ActionError> {
        let staged = self.store.waiting(self.at).await?.filter(|waiting| waiting.op == cx.op.to_string());
        let new = staged.ok_or_else(|| ActionError::Conflict(format!("nothing is staged for {}", self.at)))?.new;
        self.replace(fence_of(expect), &new).await
    }

    /// Writes a value over the one with this fence.
    async fn replace(&self, fence: &str, new: &str) -> Result<Receipt, ActionError> {
        let (_, field) = self.store.place(self.at)?;
        for _ in 0..RACES {
            let gone = || ActionError::Conflict(format!("{} is gone", self.at));
            let (mut entry, value) = self.store.current(self.at).await?.ok_or_else(gone)?;
            if value == new {
                return Ok(Receipt::of("version", entry.version));
            }
            if self.store.fence(&value) != fence {
                return Err(ActionError::Conflict(format!("{} was changed by somebody else", self.at)));
            }
            self.store.can_be_written(&entry)?;
            fields::set(&mut entry.fields, field, new);
            if self.store.backend.put(&entry, field).await.map_err(changing)? {
                return Ok(Receipt::of("written over version", entry.version));
            }
        }
        Err(ActionError::Unavailable { why: format!("{} keeps changing under us", self.at), retry_after: None })
    }

    async fn retire(&self, replaced: &str) -> Result<Receipt, ActionError> {
        if !self.is_replaced(replaced).await? {
            return Err(ActionError::Conflict(format!("{} still has the old value, or is gone", self.at)));
        }
        let (path, _) = self.store.place(self.at)?;
        let left = self.store.backend.old_versions(path).await.map_err(looking)?;
        for version in &left {
            self.store.backend.destroy(path, version).await.map_err(changing)?;
        }
        self.store.backend.remove(&self.store.pending(self.at)).await.map_err(changing)?;
        Ok(Receipt::of("old value", "removed").and("destroyed versions", left.join(", ")))
    }
}

impl Work for ShelfAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("{}.{}", self.store.backend.kind(), self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let waiting = self.store.waiting(self.at).await?;
        if let Some(other) = waiting.as_ref().filter(|waiting| waiting.op != cx.op.to_string()) {
            return Ok(Observed::Conflict(format!("operation {} has a value waiting for {}", other.op, self.at)));
        }
        match &self.step {
            StoreStep::Stage(_) => Ok(match waiting {
                Some(_) => Observed::Done(Receipt::of("staged", "beside the entry")),
                None => Observed::NotDone,
            }),
            StoreStep::Promote { expect } => {
                let Some((entry, value)) = self.store.current(self.at).await? else {
                    return Ok(Observed::Conflict(format!("{} is gone", self.at)));
                };
                let Some(waiting) = waiting else {
                    return Ok(Observed::Conflict(format!("nothing is staged for {}", self.at)));
                };
                Ok(if value == waiting.new {
                    Observed::Done(Receipt::of("version", entry.version))
                } else if self.store.fence(&value) == fence_of(expect) {
                    Observed::NotDone
                } else {
                    Observed::Conflict(format!("{} was changed by somebody else", self.at))
                })
            }
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
            StoreStep::Retire { replaced } => {
                if !self.is_replaced(replaced).await? {
                    return Ok(Observed::Conflict(format!("{} still has the old value, or is gone", self.at)));
                }
                let (path, _) = self.store.place(self.at)?;
                let left = self.store.backend.old_versions(path).await.map_err(looking)?;
                let done = left.is_empty() && waiting.is_none();
                Ok(if done { Observed::Done(Receipt::of("old value", "removed")) } else { Observed::NotDone })
            }
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            StoreStep::Stage(supply) => {
                let value = supply.value(cx).await?;
                self.store.put_aside(self.at, cx.op, &value).await?;
                Ok(Receipt::of("staged", "beside the entry"))
            }
            StoreStep::Promote { expect } => self.promote(cx, expect).await,
            StoreStep::Retire { replaced } => self.retire(replaced).await,
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            StoreStep::Stage(_) => {
                let waiting = self.store.waiting(self.at).await?;
                if waiting.is_some_and(|waiting| waiting.op == cx.op.to_string()) {
                    self.store.backend.remove(&self.store.pending(self.at)).await.map_err(changing)?;
                }
                Ok(Receipt::of("staged value", "removed"))
            }
            StoreStep::Promote { .. } => {
                let gone = || ActionError::Stuck(format!("the old value of {} is gone", self.at));
                let waiting = self.store.waiting(self.at).await?.ok_or_else(gone)?;
                let new = self.store.fence(&waiting.new);
                let old = SecretValue::from(waiting.old);
                self.replace(&new, old.expose_str().unwrap_or_default()).await
            }
            StoreStep::Retire { .. } => Err(ActionError::Refused("what was removed does not come back".to_owned())),
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
        }
    }
}
