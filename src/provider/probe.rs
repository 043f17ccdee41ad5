//! Proofs by logging in, the same for every server that takes passwords.

use std::future::Future;

use crate::action::{ActionError, Context, Receipt, ValueRef};

/// What can say whether its account takes a value.
pub(super) trait Probe: Sync {
    /// Accepted, or the rejection in the server's words.
    fn accepts(
        &self,
        cx: &Context<'_>,
        value: &ValueRef,
    ) -> impl Future<Output = Result<Result<(), String>, ActionError>> + Send;

    /// The new value works.
    fn test(&self, cx: &Context<'_>, new: &ValueRef) -> impl Future<Output = Result<Receipt, ActionError>> + Send {
        async move {
            match self.accepts(cx, new).await? {
                Ok(()) => Ok(Receipt::of("new value", "accepted")),
                Err(why) => Err(ActionError::Refused(format!("the new value is rejected ({why})"))),
            }
        }
    }

    /// The new value works, where there is one, and the old one is rejected.
    fn verify(
        &self,
        cx: &Context<'_>,
        new: Option<&ValueRef>,
        old: &ValueRef,
    ) -> impl Future<Output = Result<Receipt, ActionError>> + Send {
        async move {
            let mut receipt = Receipt::default();
            if let Some(new) = new {
                if let Err(why) = self.accepts(cx, new).await? {
                    return Err(ActionError::Stuck(format!("the new value is rejected ({why})")));
                }
                receipt = receipt.and("new value", "accepted");
            }
            match self.accepts(cx, old).await? {
                Ok(()) => Err(ActionError::Stuck("the old value still works".to_owned())),
                Err(why) => Ok(receipt.and("old value", why)),
            }
        }
    }
}
