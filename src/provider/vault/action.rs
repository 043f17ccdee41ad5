//! Freeze, revoke and verify.

use super::{Thing, VaultAccess};
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Target, Work};
use crate::finding::Liveness;
use crate::provider::ProviderStep;
use crate::remote::Failure;

pub(super) struct AccessAction<'a> {
    pub(super) access: &'a VaultAccess,
    pub(super) at: &'a Target,
    pub(super) step: ProviderStep,
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

/// The engine behind a lease refused to end what was leased, so it lives on: only a person can mend the engine.
fn cannot_end(lease: &str, failure: &Failure) -> ActionError {
    if !failure.message().contains("failed to revoke") {
        return ActionError::changing(failure);
    }
    ActionError::Stuck(format!(
        "the engine cannot end the lease ({failure}): end what it leased at its own system, then `bao lease revoke -sync {lease}`, \
         and with -force where the engine still refuses"
    ))
}

impl Work for AccessAction<'_> {
    fn name(&self) -> ActionName {
        let thing = match VaultAccess::thing(self.at) {
            Ok(Thing::Lease(_)) => "lease",
            Ok(Thing::Entity(_)) => "entity",
            Ok(Thing::Grant(grant)) => grant.kind(),
            _ => "token",
        };
        ActionName(format!("vault-{thing}.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, _: &Context<'_>) -> Result<Observed, ActionError> {
        let vault = &self.access.vault;
        let (done, receipt) = match (VaultAccess::thing(self.at)?, &self.step) {
            // A proof is made when it is asked for, never beforehand.
            (_, ProviderStep::Verify { .. }) => return Ok(Observed::NotDone),
            (Thing::Token(accessor), _) => (
                vault.token_of(accessor).await.map_err(looking)?.is_none(),
                Receipt::of("accessor", "unknown to the server"),
            ),
            (Thing::Lease(lease), _) => {
                (!vault.has_lease(lease).await.map_err(looking)?, Receipt::of("lease", "unknown to the server"))
            }
            (Thing::Entity(id), _) => match vault.entity(id).await.map_err(looking)? {
                None => (true, Receipt::of("entity", "does not exist")),
                Some(entity) => (entity.disabled, Receipt::of("entity", "disabled").and("name", entity.name)),
            },
            (Thing::Grant(grant), _) => match grant.ended(self.access).await.map_err(looking)? {
                Some(proof) => (true, Receipt::of(grant.kind(), proof)),
                None => (false, Receipt::default()),
            },
        };
        Ok(if done { Observed::Done(receipt) } else { Observed::NotDone })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let vault = &self.access.vault;
        match (VaultAccess::thing(self.at)?, &self.step) {
            (Thing::Token(_), ProviderStep::Verify { old, .. }) => {
                let value = cx.value(old).await?;
                match self.access.probe(&value).await {
                    Liveness::Dead(why) => Ok(Receipt::of("old value", why)),
                    Liveness::Live => Err(ActionError::Stuck("the token still works".to_owned())),
                    Liveness::Unknown(why) => Err(ActionError::Unavailable { why, retry_after: None }),
                }
            }
            (Thing::Token(accessor), ProviderStep::Revoke) => {
                vault.revoke_accessor(accessor).await.map_err(changing)?;
                Ok(Receipt::of("accessor", "revoked, with its children and leases"))
            }
            (Thing::Lease(lease), ProviderStep::Revoke) => {
                vault.revoke_lease(lease).await.map_err(|failure| cannot_end(lease, &failure))?;
                if vault.has_lease(lease).await.map_err(looking)? {
                    return Err(ActionError::Stuck(format!(
                        "the lease {lease} could not be ended by its engine: look at GET sys/leases?type=irrevocable"
                    )));
                }
                Ok(Receipt::of("lease", "revoked and gone"))
            }
            (Thing::Entity(id), ProviderStep::Freeze) => {
                vault.set_disabled(id, true).await.map_err(changing)?;
                Ok(Receipt::of("entity", "disabled"))
            }
            (Thing::Grant(grant), ProviderStep::Revoke) => grant.end(self.access).await,
            _ => Err(ActionError::Refused("not offered".to_owned())),
        }
    }

    async fn take_back(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        match (VaultAccess::thing(self.at)?, &self.step) {
            (Thing::Entity(id), ProviderStep::Freeze) => {
                self.access.vault.set_disabled(id, false).await.map_err(changing)?;
                Ok(Receipt::of("entity", "enabled"))
            }
            _ => Err(ActionError::Refused("this step cannot be undone".to_owned())),
        }
    }
}
