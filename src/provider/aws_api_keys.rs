//! Keys of API Gateway (REST).
//!
//! Whoever makes a key may choose its value, so a new one is made from the value that waits in the store: a repeated request meets
//! the key that the first one made, and nothing is left over. It goes on the usage plans of the old key, whose callers go on
//! until that is disabled, which can be taken back in the console, and then deleted.
//!
//! Whether a value lives is read from the service's own list: no call of the API itself is made, which could change
//! something there. A new key may need a minute until all edges know it.
//!
//! Locators: `apikey:a1b2c3d4e5`.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{Owned, Provider, ProviderStep, Subject};
use crate::action::{
    Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Target, ValueRef, Work,
};
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::identity::Identity;
use crate::remote::{ApiKey, Aws, Failure};
use crate::secret::SecretValue;
use crate::source::Coverage;

/// A key's value has 20 to 128 characters.
const LENGTHS: std::ops::RangeInclusive<usize> = 20..=128;

/// The API keys of one account in one region.
pub struct AwsApiKeys {
    name: String,
    aws: Arc<Aws>,
    /// Every key, listed once: a sweep asks about each value that it found.
    listed: OnceCell<Vec<ApiKey>>,
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

fn id_of(at: &Target) -> Result<&str, ActionError> {
    let id = at.locator.strip_prefix("apikey:").filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    id.ok_or_else(|| ActionError::Refused(format!("{} names no API key", at.locator)))
}

/// Whether a text may be a key's value.
fn may_be_key(value: &SecretValue) -> bool {
    let text = value.expose_str().unwrap_or_default();
    LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn with<'k>(keys: &'k [ApiKey], value: &SecretValue) -> Option<&'k ApiKey> {
    keys.iter().find(|key| key.value.expose() == value.expose())
}

impl AwsApiKeys {
    /// The provider `name`.
    pub fn new(name: impl Into<String>, aws: Arc<Aws>) -> Self {
        Self { name: name.into(), aws, listed: OnceCell::new() }
    }

    /// What the service says about a value now.
    async fn liveness(&self, value: &SecretValue) -> Liveness {
        match self.aws.api_keys().await {
            Ok(keys) => match with(&keys, value) {
                Some(key) if key.enabled => Liveness::Live,
                Some(_) => Liveness::Unknown("disabled: it can be enabled again".to_owned()),
                None => Liveness::Dead(format!("API Gateway has no such key in {}", self.aws.region())),
            },
            Err(failure) => Liveness::Unknown(failure.to_string()),
        }
    }

    async fn preflight_of(&self, id: &str) -> Result<(), ActionError> {
        let key = self.aws.api_key(id).await.map_err(looking)?;
        let key = key.ok_or_else(|| ActionError::Conflict(format!("there is no API key {id} any more")))?;
        // What is written is what is there, and what is deleted is not there: only the rights are tried.
        self.aws.enable_api_key(id, key.enabled).await.map_err(looking)?;
        self.aws.delete_api_key("offkeypreflight").await.map_err(looking)?;
        self.aws.plans_of_api_key(id).await.map(drop).map_err(looking)
    }
}

impl Provider for AwsApiKeys {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "API key of AWS API Gateway"
    }

    fn settable(&self, _: &Target) -> bool {
        true
    }

    fn overlaps(&self, _: &Target) -> bool {
        true
    }

    fn recognise<'a>(&'a self, _: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async move {
            if !may_be_key(value) {
                return Ok(None);
            }
            let keys = self.listed.get_or_try_init(|| self.aws.api_keys()).await.map_err(|failure| {
                Error::remote(format!("the provider {} cannot list the API keys of {}", self.name, self.aws.region()))
                    .because(failure)
                    .next("Check region, endpoint and key of this provider in offkey.toml.")
            })?;
            let at = |key: &ApiKey| Target { system: self.name.clone(), locator: format!("apikey:{}", key.id) };
            Ok(with(keys, value).map(at))
        })
    }

    fn validate<'a>(&'a self, _: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(self.liveness(value))
    }

    fn owned<'a>(&'a self, _: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        // Nobody's name is on a key: values lead here.
        let coverage = Coverage::new(format!("provider {}", self.name), "aws-api-keys");
        Box::pin(async move { Ok((Vec::new(), coverage)) })
    }

    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>> {
        let id = id_of(at).ok()?;
        let can = !matches!(step, ProviderStep::Freeze | ProviderStep::Issue { .. });
        can.then(|| Box::new(KeyAction { keys: self, id, step }) as Box<dyn Action>)
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move { self.preflight_of(id_of(at)?).await })
    }
}

struct KeyAction<'a> {
    keys: &'a AwsApiKeys,
    id: &'a str,
    step: ProviderStep,
}

impl KeyAction<'_> {
    async fn new_key(&self, value: &SecretValue) -> Result<Option<ApiKey>, ActionError> {
        let keys = self.keys.aws.api_keys().await.map_err(looking)?;
        Ok(keys.into_iter().find(|key| key.value.expose() == value.expose()))
    }

    /// Usage plans of the old key on which the new one is not yet.
    async fn missing(&self, new: &str) -> Result<Vec<String>, ActionError> {
        let aws = &self.keys.aws;
        let mut plans = aws.plans_of_api_key(self.id).await.map_err(looking)?;
        let has = aws.plans_of_api_key(new).await.map_err(looking)?;
        plans.retain(|plan| !has.contains(plan));
        Ok(plans)
    }

    /// The new key with what is missing of it; `None` when it was not made.
    async fn made(&self, cx: &Context<'_>, new: &ValueRef) -> Result<Option<(ApiKey, Vec<String>)>, ActionError> {
        let Some(key) = self.new_key(&cx.value(new).await?).await? else { return Ok(None) };
        let missing = self.missing(&key.id).await?;
        Ok(Some((key, missing)))
    }

    async fn set(&self, cx: &Context<'_>, new: &ValueRef) -> Result<Receipt, ActionError> {
        let (aws, value) = (&self.keys.aws, cx.value(new).await?);
        if !may_be_key(&value) {
            return Err(ActionError::Refused("an API key has 20 to 128 characters: see length in policy".to_owned()));
        }
        let old = aws.api_key(self.id).await.map_err(looking)?;
        let old = old.ok_or_else(|| ActionError::Conflict(format!("there is no API key {} any more", self.id)))?;
        let id = match self.new_key(&value).await? {
            Some(key) => key.id,
            None => {
                let taken = || {
                    ActionError::Unknown("API Gateway has a key with the new value, and does not list it".to_owned())
                };
                aws.make_api_key(&old, &value).await.map_err(changing)?.ok_or_else(taken)?
            }
        };
        for plan in self.missing(&id).await? {
            aws.put_api_key_on(&plan, &id).await.map_err(changing)?;
        }
        Ok(Receipt::of("key", id).and("made like", old.name()))
    }

    async fn end(&self) -> Result<Receipt, ActionError> {
        let aws = &self.keys.aws;
        aws.enable_api_key(self.id, false).await.map_err(changing)?;
        aws.delete_api_key(self.id).await.map_err(changing)?;
        Ok(Receipt::of("old key", "disabled and deleted").and("key", self.id))
    }

    /// The new key is listed, enabled, and on every plan of the old one.
    async fn test(&self, cx: &Context<'_>, new: &ValueRef) -> Result<Receipt, ActionError> {
        match self.made(cx, new).await? {
            Some((key, missing)) if key.enabled && missing.is_empty() => {
                Ok(Receipt::of("new key", "enabled").and("key", key.id))
            }
            Some((key, missing)) if key.enabled => Err(ActionError::Refused(format!(
                "the key {} is not on the usage plans {}",
                key.id,
                missing.join(", ")
            ))),
            Some((key, _)) => Err(ActionError::Refused(format!("the key {} is disabled", key.id))),
            None => Err(ActionError::Refused("API Gateway does not list the new key".to_owned())),
        }
    }

    async fn verify(&self, cx: &Context<'_>, new: Option<&ValueRef>, old: &ValueRef) -> Result<Receipt, ActionError> {
        if let Some(new) = new {
            match self.keys.liveness(&cx.value(new).await?).await {
                Liveness::Live => {}
                Liveness::Dead(why) => return Err(ActionError::Stuck(format!("the new value does not work: {why}"))),
                Liveness::Unknown(why) => return Err(ActionError::Unavailable { why, retry_after: None }),
            }
        }
        match self.keys.liveness(&cx.value(old).await?).await {
            Liveness::Dead(why) => Ok(Receipt::of("old value", why)),
            Liveness::Live => Err(ActionError::Stuck("API Gateway still lists the old key as enabled".to_owned())),
            Liveness::Unknown(why) => Err(ActionError::Unavailable { why, retry_after: None }),
        }
    }
}

impl Work for KeyAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("aws-api-key.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let there = || async { self.keys.aws.api_key(self.id).await.map_err(looking) };
        match &self.step {
            ProviderStep::Set { new, .. } => Ok(match self.made(cx, new).await? {
                Some((key, missing)) if missing.is_empty() => Observed::Done(Receipt::of("key", key.id)),
                Some(_) => Observed::NotDone,
                None if there().await?.is_none() => {
                    Observed::Conflict(format!("there is no API key {} any more", self.id))
                }
                None => Observed::NotDone,
            }),
            ProviderStep::Evict { .. } | ProviderStep::Revoke => Ok(match there().await? {
                Some(_) => Observed::NotDone,
                None => Observed::Done(Receipt::of("old key", "not there")),
            }),
            // A proof is made when it is asked for, never beforehand.
            _ => Ok(Observed::NotDone),
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            ProviderStep::Set { new, .. } => self.set(cx, new).await,
            ProviderStep::Evict { .. } | ProviderStep::Revoke => self.end().await,
            ProviderStep::Test { new } => self.test(cx, new).await,
            ProviderStep::Verify { new, old } => self.verify(cx, new.as_ref(), old).await,
            _ => Err(ActionError::Refused("not offered".to_owned())),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let ProviderStep::Set { new, .. } = &self.step else {
            return Err(ActionError::Refused("a deleted key does not come back".to_owned()));
        };
        if let Some(key) = self.new_key(&cx.value(new).await?).await? {
            self.keys.aws.delete_api_key(&key.id).await.map_err(changing)?;
        }
        Ok(Receipt::of("new key", "deleted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_a_key_is_asked_about() {
        for (text, may) in
            [("x".repeat(19), false), ("x".repeat(20), true), ("x".repeat(128), true), ("x".repeat(129), false)]
        {
            assert_eq!(may_be_key(&SecretValue::new(text.as_str())), may, "{}", text.len());
        }
        assert!(!may_be_key(&SecretValue::new("a sentence that is long enough")));
    }

    #[test]
    fn a_locator_cannot_lead_to_another_path() {
        let at = |locator: &str| Target { system: "keys".to_owned(), locator: locator.to_owned() };
        assert_eq!(id_of(&at("apikey:a1b2c3")), Ok("a1b2c3"));
        for other in ["apikey:../usageplans", "apikey:a?b", "key:a"] {
            assert!(id_of(&at(other)).is_err(), "{other}");
        }
    }
}
