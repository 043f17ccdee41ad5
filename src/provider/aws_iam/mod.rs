//! IAM: users, their access keys and their passwords for the console.
//!
//! A key dies in two calls: deactivated, which can be taken back, then deleted. IAM spreads changes over its regions within
//! seconds to minutes, so a key that still works right after is asked again, not given up. Sessions that it made before are
//! ended with the user ([`user`]), those of roles in the account that it may have assumed by a policy on the role ([`role`]).
//!
//! Locators: `key:alice/AKIA…`, and those of [`user`] and [`role`].

mod role;
mod user;

use role::{Sessions, SessionsAction};
use user::{Thing, UserAction};

use super::{Owned, Provider, ProviderStep, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::{Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Target, Work};
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::identity::{AliasKind, Identity};
use crate::remote::{Aws, AwsKey, Failure};
use crate::secret::SecretValue;
use crate::source::Coverage;

/// The access keys of one account.
pub struct AwsIam {
    name: String,
    aws: Arc<Aws>,
    listed_roles: Vec<String>,
}

/// One access key as IAM lists it.
struct Listed {
    id: String,
    active: bool,
    created: String,
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

/// A policy's document comes as part of a URL would.
fn decoded(document: &str) -> String {
    let url = reqwest::Url::parse(&format!("policy:?{document}")).ok();
    url.and_then(|url| Some(url.query_pairs().next()?.0.into_owned())).unwrap_or_default()
}

/// User and key id.
fn key_of(at: &Target) -> Result<(&str, &str), ActionError> {
    let key = at.locator.strip_prefix("key:").and_then(|rest| rest.split_once('/'));
    key.ok_or_else(|| ActionError::Refused(format!("{} names no access key", at.locator)))
}

impl AwsIam {
    /// The provider `name`.
    pub fn new(name: impl Into<String>, aws: Arc<Aws>) -> Self {
        Self { name: name.into(), aws, listed_roles: Vec::new() }
    }

    /// Roles whose sessions are ended for every leaver who has a user in the account, even where services assume them, too.
    #[must_use]
    pub fn with_roles(mut self, roles: Vec<String>) -> Self {
        self.listed_roles = roles;
        self
    }

    fn target(&self, user: &str, key: &str) -> Target {
        Target { system: self.name.clone(), locator: format!("key:{user}/{key}") }
    }

    /// Keys of a user; `None` when there is no such user.
    async fn keys(&self, user: &str) -> Result<Option<Vec<Listed>>, Failure> {
        // A user has at most two keys, so there is never a second page.
        match self.aws.iam("ListAccessKeys", &[("UserName", user)]).await {
            Ok(reply) => {
                let text = |member: &crate::remote::Element, name| member.find(name).unwrap_or_default().to_owned();
                let listed = reply.members("AccessKeyMetadata").iter().map(|member| Listed {
                    id: text(member, "AccessKeyId"),
                    active: member.find("Status") == Some("Active"),
                    created: text(member, "CreateDate"),
                });
                Ok(Some(listed.collect()))
            }
            Err(failure) if failure.code() == "NoSuchEntity" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn listed(&self, at: &Target) -> Result<Option<Listed>, ActionError> {
        let (user, key) = key_of(at)?;
        let keys = self.keys(user).await.map_err(looking)?.unwrap_or_default();
        Ok(keys.into_iter().find(|listed| listed.id == key))
    }

    /// User and last use of a key; `None` when the account has no such key.
    async fn last_used(&self, key: &str) -> Result<Option<(String, Option<String>)>, Failure> {
        match self.aws.iam("GetAccessKeyLastUsed", &[("AccessKeyId", key)]).await {
            Ok(reply) => {
                let used = reply.find("LastUsedDate").filter(|date| date.starts_with(|c: char| c.is_ascii_digit()));
                Ok(reply.find("UserName").map(|user| (user.to_owned(), used.map(str::to_owned))))
            }
            // A key of another account is answered like one without rights.
            Err(failure) if matches!(failure.code(), "NoSuchEntity" | "AccessDenied") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn of_user(&self, user: &str, reason: &str, owned: &mut Vec<Owned>, coverage: &mut Coverage) {
        let keys = match self.keys(user).await {
            Ok(Some(keys)) => keys,
            Ok(None) => return coverage.skip(format!("IAM user {user}"), "there is no such user"),
            Err(failure) => return coverage.fail(format!("IAM user {user}"), failure.to_string()),
        };
        self.account(user, reason, owned, coverage).await;
        let own = self.aws.own_key_id().await.ok();
        for key in keys {
            coverage.documents += 1;
            let mut facts = BTreeMap::from([("created".to_owned(), key.created)]);
            if let Ok(Some((_, Some(used)))) = self.last_used(&key.id).await {
                facts.insert("last used".to_owned(), used);
            }
            if own.as_ref() == Some(&key.id) {
                facts.insert("self".to_owned(), "offkey works with it".to_owned());
            }
            let dormant = || Liveness::Unknown("inactive: it can be activated again".to_owned());
            owned.push(Owned {
                at: self.target(user, &key.id),
                label: "IAM access key".to_owned(),
                reason: format!("{reason}, user {user}"),
                facts,
                liveness: if key.active { Liveness::Live } else { dormant() },
            });
        }
    }

    async fn collect(&self, identity: &Identity) -> (Vec<Owned>, Coverage) {
        let mut coverage = Coverage::new(format!("provider {}", self.name), "aws-iam");
        let mut users: BTreeMap<String, String> = BTreeMap::new();
        for alias in &identity.aliases {
            match alias.kind {
                AliasKind::AwsUser => {
                    users.entry(alias.value.clone()).or_insert_with(|| alias.reason.clone());
                }
                AliasKind::KeyId if alias.value.starts_with("AKIA") => match self.last_used(&alias.value).await {
                    Ok(Some((user, _))) => {
                        users.entry(user).or_insert_with(|| format!("key id {}: {}", alias.value, alias.reason));
                    }
                    Ok(None) => coverage.skip(format!("key id {}", alias.value), "this account has no such key"),
                    Err(failure) => coverage.fail(format!("key id {}", alias.value), failure.to_string()),
                },
                _ => {}
            }
        }
        let mut owned = Vec::new();
        for (user, reason) in &users {
            self.of_user(user, reason, &mut owned, &mut coverage).await;
        }
        self.of_roles(&users, &mut owned, &mut coverage).await;
        (owned, coverage)
    }

    async fn of_roles(&self, users: &BTreeMap<String, String>, owned: &mut Vec<Owned>, coverage: &mut Coverage) {
        if owned.is_empty() {
            for role in &self.listed_roles {
                coverage.skip(format!("sessions of the role {role}"), "the leaver has no user in this account");
            }
            return;
        }
        let why = "nobody lists them: those that the user began there live on for up to 12 hours";
        coverage.skip("sessions of roles in other accounts", why);
        let roles = match self.roles().await {
            Ok(roles) => roles,
            Err(failure) => return coverage.fail("roles that the leaver may have assumed", failure.to_string()),
        };
        for (user, reason) in users {
            self.sessions(user, reason, &roles, owned, coverage).await;
        }
    }

    /// Whether a value still opens the account: the secret half by a signed call, the id alone by IAM's own list.
    async fn probe(&self, at: &Target, value: &SecretValue) -> Liveness {
        let Ok((_, key)) = key_of(at) else { return Liveness::Unknown(format!("{} names no access key", at.locator)) };
        if value.expose() != key.as_bytes() {
            return self.call_with(key, value).await;
        }
        match self.listed(at).await {
            Ok(Some(listed)) if listed.active => Liveness::Live,
            Ok(Some(_)) => Liveness::Unknown("inactive: it can be activated again".to_owned()),
            Ok(None) => Liveness::Dead("IAM does not know the key".to_owned()),
            Err(error) => Liveness::Unknown(error.to_string()),
        }
    }

    async fn call_with(&self, key: &str, secret: &SecretValue) -> Liveness {
        let key = AwsKey { id: key.to_owned(), secret: secret.clone(), session: None };
        match self.aws.caller(&key).await {
            Ok(_) => Liveness::Live,
            Err(failure) => judge(&failure),
        }
    }
}

/// What the refusal of a signed call says about its key. A wrong clock makes every signature wrong, so only an answer about
/// the key or its secret is a proof.
fn judge(failure: &Failure) -> Liveness {
    let clock = ["expired", "not yet current", "skew"].iter().any(|word| failure.message().contains(word));
    match (failure.status(), failure.code()) {
        (Some(403), "InvalidClientTokenId") => Liveness::Dead(failure.code().to_owned()),
        (Some(403), "SignatureDoesNotMatch") if !clock => Liveness::Dead(failure.code().to_owned()),
        // Who is refused by a policy has been let in by its key.
        (Some(403), "AccessDenied") => Liveness::Live,
        _ => Liveness::Unknown(failure.to_string()),
    }
}

impl Provider for AwsIam {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "AWS IAM access key"
    }

    fn recognise<'a>(&'a self, subject: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async move {
            let text = value.expose_str().unwrap_or_default();
            let beside = ["key-id", "id"].iter().find_map(|fact| subject.facts.get(*fact));
            let beside = beside.filter(|_| text.len() == 40).map(String::as_str);
            let alone = Some(text).filter(|text| text.len() == 20);
            let Some(id) = beside.or(alone).filter(|id| id.starts_with("AKIA")) else { return Ok(None) };
            let user = self.last_used(id).await.map_err(|failure| {
                Error::remote(format!("the provider {} cannot say whose key {id} is", self.name))
                    .because(failure)
                    .next("Check region, endpoint and key of this provider in offkey.toml.")
            })?;
            Ok(user.map(|(user, _)| self.target(&user, id)))
        })
    }

    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(async move { self.probe(at, value).await })
    }

    fn owned<'a>(&'a self, identity: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        Box::pin(async move { Ok(self.collect(identity).await) })
    }

    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>> {
        if let Some(sessions) = Sessions::of(at) {
            let freezes = matches!(step, ProviderStep::Freeze);
            return freezes.then(|| Box::new(SessionsAction { iam: self, sessions, step }) as Box<dyn Action>);
        }
        if let Some(thing) = Thing::of(at) {
            return thing.can(&step).then(|| Box::new(UserAction { iam: self, thing, step }) as Box<dyn Action>);
        }
        key_of(at).ok()?;
        let can = matches!(step, ProviderStep::Revoke | ProviderStep::Verify { .. });
        can.then(|| Box::new(KeyAction { iam: self, at, step }) as Box<dyn Action>)
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            if let Some(sessions) = Sessions::of(at) {
                return self.may_refuse(sessions).await;
            }
            if let Some(thing) = Thing::of(at) {
                let own = self.own_user().await.is_some_and(|own| own == thing.user());
                return if own {
                    Err(ActionError::Refused(format!("offkey itself works as {}", thing.user())))
                } else {
                    Ok(())
                };
            }
            let (_, key) = key_of(at)?;
            if self.aws.own_key_id().await.map_err(looking)? == key {
                return Err(ActionError::Refused(format!("offkey itself works with {key}: give it a key of its own")));
            }
            self.listed(at).await.map(drop)
        })
    }
}

struct KeyAction<'a> {
    iam: &'a AwsIam,
    at: &'a Target,
    step: ProviderStep,
}

/// A key that somebody else deleted meanwhile is as dead as ours.
fn gone_is_fine(call: Result<crate::remote::Element, Failure>) -> Result<(), ActionError> {
    match call {
        Err(failure) if failure.code() != "NoSuchEntity" => Err(changing(failure)),
        _ => Ok(()),
    }
}

impl Work for KeyAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("aws-key.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, _: &Context<'_>) -> Result<Observed, ActionError> {
        // A proof is made when it is asked for, never beforehand.
        if matches!(self.step, ProviderStep::Verify { .. }) {
            return Ok(Observed::NotDone);
        }
        Ok(match self.iam.listed(self.at).await? {
            None => Observed::Done(Receipt::of("access key", "unknown to IAM")),
            Some(_) => Observed::NotDone,
        })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let (user, key) = key_of(self.at)?;
        if let ProviderStep::Verify { old, .. } = &self.step {
            let value = cx.value(old).await?;
            return match self.iam.probe(self.at, &value).await {
                Liveness::Dead(why) => Ok(Receipt::of("old value", why)),
                Liveness::Live => Err(ActionError::Unavailable {
                    why: "AWS still accepts the key: it spreads changes within minutes".to_owned(),
                    retry_after: None,
                }),
                Liveness::Unknown(why) => Err(ActionError::Unavailable { why, retry_after: None }),
            };
        }
        let parameters = [("UserName", user), ("AccessKeyId", key), ("Status", "Inactive")];
        gone_is_fine(self.iam.aws.iam("UpdateAccessKey", &parameters).await)?;
        gone_is_fine(self.iam.aws.iam("DeleteAccessKey", &[("UserName", user), ("AccessKeyId", key)]).await)?;
        Ok(Receipt::of("access key", "deactivated and deleted").and("key id", key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, message: &str) -> Failure {
        let (code, message) = (code.to_owned(), message.to_owned());
        Failure::Answered { place: "h".to_owned(), status: 403, code, message, retry_after: None }
    }

    #[test]
    fn only_an_answer_about_the_key_is_a_proof() {
        assert!(matches!(judge(&refused("InvalidClientTokenId", "")), Liveness::Dead(_)));
        assert!(matches!(judge(&refused("SignatureDoesNotMatch", "does not match")), Liveness::Dead(_)));
        assert!(matches!(judge(&refused("SignatureDoesNotMatch", "Signature expired: 2026")), Liveness::Unknown(_)));
        assert_eq!(judge(&refused("AccessDenied", "")), Liveness::Live);
        assert!(matches!(judge(&refused("", "")), Liveness::Unknown(_)));
        let lost = Failure::Lost { place: "h".to_owned(), why: "time-out".to_owned() };
        assert!(matches!(judge(&lost), Liveness::Unknown(_)));
    }
}
