//! Write over, clear the marks; everything else is refused.

use super::super::masked::is_masked;
use super::{Blind, Mark, changing, looking, unreadable};
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Target, Work};
use crate::store::{Overwrite, StoreStep};

/// What a receipt says of every write: the store tells no more.
const PROOF: &str = "acknowledged, and never shown";

pub(super) struct Overwriting<'a> {
    pub(super) store: &'a Blind,
    pub(super) at: &'a Target,
    pub(super) step: Overwrite,
}

impl Overwriting<'_> {
    async fn marked(&self, cx: &Context<'_>) -> Result<Option<(String, Mark)>, ActionError> {
        self.store.backend.marked(&self.at.locator, cx.op).await.map_err(looking)
    }

    /// Refuses what stands for a value where a value is expected.
    async fn value(
        &self,
        cx: &Context<'_>,
        from: &crate::action::ValueRef,
    ) -> Result<crate::secret::SecretValue, ActionError> {
        let value = cx.value(from).await?;
        match value.expose_str() {
            None => Err(ActionError::Refused("the value is not text".to_owned())),
            Some(text) if is_masked(text) => {
                Err(ActionError::Refused("an empty or masked text is no value, and is not written".to_owned()))
            }
            Some(_) => Ok(value),
        }
    }
}

impl Work for Overwriting<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("{}.overwrite", self.store.backend.kind()))
    }

    fn effect(&self) -> Effect {
        Effect::Reversible
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let changed = || Observed::Conflict(format!("{} was changed by somebody else", self.at));
        Ok(match self.marked(cx).await? {
            None => Observed::Conflict(format!("{} is gone", self.at)),
            Some((_, Mark::Written)) => Observed::Done(Receipt::of("written", PROOF)),
            Some((_, Mark::Other(op))) => {
                Observed::Conflict(format!("operation {op} is at work on {}, or left its marks there", self.at))
            }
            // What this operation may have written it may write again.
            Some((_, Mark::Begun { perhaps: true })) => Observed::NotDone,
            Some((version, Mark::None | Mark::Begun { perhaps: false })) if version == self.step.expect => {
                Observed::NotDone
            }
            Some((_, Mark::None | Mark::Begun { .. } | Mark::Since)) => changed(),
        })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match self.look(cx).await? {
            Observed::Done(receipt) => return Ok(receipt),
            Observed::Conflict(why) => return Err(ActionError::Conflict(why)),
            Observed::NotDone => {}
        }
        let new = self.value(cx, &self.step.new).await?;
        self.store.backend.write(&self.at.locator, cx.op, &new).await.map_err(changing)?;
        Ok(Receipt::of("written", PROOF))
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match self.marked(cx).await? {
            // Nothing of this operation is there.
            None | Some((_, Mark::None | Mark::Other(_))) => Ok(Receipt::of("written", "nothing")),
            Some((_, Mark::Since)) => {
                Err(ActionError::Conflict(format!("{} was changed by somebody else since", self.at)))
            }
            Some((version, Mark::Begun { perhaps: false })) if version == self.step.expect => {
                self.store.backend.clear(&self.at.locator, cx.op).await.map_err(changing)?;
                Ok(Receipt::of("written", "nothing"))
            }
            Some((_, Mark::Begun { .. } | Mark::Written)) => {
                let old = self.value(cx, &self.step.old).await?;
                self.store.backend.restore(&self.at.locator, cx.op, &old).await.map_err(changing)?;
                let from = format!("the value of {}; what was there before cannot be known", self.step.old.at);
                Ok(Receipt::of("written again", from))
            }
        }
    }
}

pub(super) struct Retiring<'a> {
    pub(super) store: &'a Blind,
    pub(super) at: &'a Target,
    pub(super) replaced: String,
}

impl Work for Retiring<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("{}.retire", self.store.backend.kind()))
    }

    fn effect(&self) -> Effect {
        Effect::Final
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let marked = self.store.backend.marked(&self.at.locator, cx.op).await.map_err(looking)?;
        Ok(match marked {
            None => Observed::Conflict(format!("{} is gone", self.at)),
            Some((_, Mark::Begun { .. })) => {
                Observed::Conflict(format!("nobody can tell whether {} was written", self.at))
            }
            Some((_, Mark::Written | Mark::Since)) if !self.store.backend.keeps_marks() => Observed::NotDone,
            Some((_, Mark::Written | Mark::Since)) => Observed::Done(Receipt::of("marks", "kept")),
            Some((version, Mark::None | Mark::Other(_))) if version == self.replaced => {
                Observed::Conflict(format!("{} was not written over", self.at))
            }
            Some((_, Mark::None | Mark::Other(_))) => Observed::Done(Receipt::of("marks", "none")),
        })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match self.look(cx).await? {
            Observed::Done(receipt) => Ok(receipt),
            Observed::Conflict(why) => Err(ActionError::Conflict(why)),
            Observed::NotDone => {
                self.store.backend.clear(&self.at.locator, cx.op).await.map_err(changing)?;
                Ok(Receipt::of("marks", "removed"))
            }
        }
    }

    async fn take_back(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        Err(ActionError::Refused("marks that were removed do not come back".to_owned()))
    }
}

/// A step that needs a value to be read back.
pub(super) struct Unreadable<'a> {
    pub(super) store: &'a Blind,
    pub(super) step: StoreStep,
}

impl Work for Unreadable<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("{}.{}", self.store.backend.kind(), self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, _: &Context<'_>) -> Result<Observed, ActionError> {
        Err(unreadable())
    }

    async fn act(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        Err(unreadable())
    }
}
