//! The live systems of a run, by name, and the values that this process found.

use std::collections::HashMap;

use super::Limits;
use super::hook::HookAction;
use super::limits::Limited;
use crate::action::{Action, ActionError, Pending, Slot, Target, ValueRef, Values};
use crate::plan::{Does, Step};
use crate::provider::Provider;
use crate::secret::{Fingerprint, SecretValue};
use crate::store::Store;

/// Stores, providers and found values.
#[derive(Default)]
pub struct Systems {
    /// Where values are kept.
    pub stores: Vec<Box<dyn Store>>,
    /// Who issued them.
    pub providers: Vec<Box<dyn Provider>>,
    /// Values found in text or read from stores in this run; never written anywhere.
    pub found: HashMap<Fingerprint, SecretValue>,
    /// How fast they may be asked.
    pub limits: Limits,
}

impl Systems {
    /// A store by its name.
    pub fn store(&self, name: &str) -> Option<&dyn Store> {
        self.stores.iter().find(|store| store.name() == name).map(AsRef::as_ref)
    }

    /// A provider by its name.
    pub fn provider(&self, name: &str) -> Option<&dyn Provider> {
        self.providers.iter().find(|provider| provider.name() == name).map(AsRef::as_ref)
    }

    /// The action behind a step of a plan.
    ///
    /// # Errors
    /// When the configuration does not have the system any more, or it has no such step.
    pub fn action<'a>(&'a self, step: &'a Step) -> Result<Box<dyn Action + 'a>, ActionError> {
        let missing = || {
            ActionError::Stuck(format!("{} is not in the configuration: add it and apply again", step.target.system))
        };
        match &step.does {
            Does::Store(does) => {
                Ok(self.store(&step.target.system).ok_or_else(missing)?.action(&step.target, does.clone()))
            }
            Does::Overwrite(does) => {
                let store = self.store(&step.target.system).ok_or_else(missing)?;
                let action = store.overwrite(&step.target, does.clone());
                action.ok_or_else(|| ActionError::Stuck(format!("{} cannot do {}", store.label(), step.action)))
            }
            Does::Hook(hook) => Ok(Box::new(HookAction::new(hook))),
            Does::Converge(_) => Err(ActionError::Stuck("the records of the stores are read instead".to_owned())),
            Does::Provider(does) => {
                let provider = self.provider(&step.target.system).ok_or_else(missing)?;
                let action = provider.action(&step.target, does.clone());
                action.ok_or_else(|| ActionError::Stuck(format!("{} cannot do {}", provider.label(), step.action)))
            }
        }
    }

    /// The action behind a step, called no faster than its system may be asked.
    pub(super) fn limited<'a>(&'a self, step: &'a Step) -> Result<Limited<'a>, ActionError> {
        Ok(Limited { action: self.action(step)?, bucket: self.limits.of(&step.target.system) })
    }

    /// Asks every system of a step whether we may do it.
    ///
    /// # Errors
    /// What the system says.
    pub async fn preflight(&self, at: &Target) -> Result<(), ActionError> {
        if let Some(store) = self.store(&at.system) {
            store.preflight(at).await?;
        }
        if let Some(provider) = self.provider(&at.system) {
            provider.preflight(at).await?;
        }
        Ok(())
    }
}

impl Values for Systems {
    fn read<'a>(&'a self, value: &'a ValueRef) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async move {
            if value.at.system == ValueRef::FOUND {
                let fingerprint = value.at.locator.parse::<Fingerprint>().ok();
                return Ok(fingerprint.and_then(|fingerprint| self.found.get(&fingerprint).cloned()));
            }
            let store = self.store(&value.at.system).ok_or_else(|| {
                ActionError::Stuck(format!("{} is not in the configuration: add it and apply again", value.at.system))
            })?;
            store.read(&value.at, &value.slot).await
        })
    }

    fn stage<'a>(&'a self, into: &'a ValueRef, value: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let Slot::Staged(op) = into.slot else {
                return Err(ActionError::Refused("only a staging slot takes an issued value".to_owned()));
            };
            let store = self.store(&into.at.system).ok_or_else(|| {
                ActionError::Stuck(format!("{} is not in the configuration: add it and apply again", into.at.system))
            })?;
            store.stage(&into.at, op, value).await
        })
    }
}
