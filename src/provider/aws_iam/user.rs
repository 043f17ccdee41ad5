//! The user behind the keys: refused as a whole, and without a password for the console.
//!
//! Sessions that a key or a log-in made live on after it, up to 36 hours. They carry the user's policies, so one that denies
//! everything ends them at once; sessions of roles do not ([`super::role`])
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html>). The console's own
//! way, to deny what was issued before some time, would have to come after the last key is gone; this comes first, and one
//! call takes it back.
//!
//! Locators: `user:alice`, `login:alice`.

use super::{AwsIam, changing, decoded, gone_is_fine, looking};
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Target, Work};
use crate::finding::Liveness;
use crate::provider::{Owned, ProviderStep};
use crate::remote::Failure;
use crate::source::Coverage;

/// Name of the policy that refuses a user everything.
const POLICY: &str = "offkey-left";
const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// What of a user a locator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing<'a> {
    /// All that the user may do.
    User(&'a str),
    /// The password for the console.
    Login(&'a str),
}

impl<'a> Thing<'a> {
    pub(super) fn of(at: &'a Target) -> Option<Self> {
        let (kind, user) = at.locator.split_once(':')?;
        match kind {
            "user" => Some(Self::User(user)),
            "login" => Some(Self::Login(user)),
            _ => None,
        }
    }

    pub(super) fn user(self) -> &'a str {
        match self {
            Self::User(user) | Self::Login(user) => user,
        }
    }

    pub(super) fn can(self, step: &ProviderStep) -> bool {
        matches!((self, step), (Self::User(_), ProviderStep::Freeze) | (Self::Login(_), ProviderStep::Revoke))
    }
}

impl AwsIam {
    /// Whether what a call names is there.
    pub(super) async fn there(&self, action: &str, parameters: &[(&str, &str)]) -> Result<bool, Failure> {
        match self.aws.iam(action, parameters).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.code() == "NoSuchEntity" => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the user is refused everything, or gone.
    pub(super) async fn frozen(&self, user: &str) -> Result<bool, Failure> {
        match self.aws.iam("GetUserPolicy", &[("UserName", user), ("PolicyName", POLICY)]).await {
            Ok(reply) => {
                let text = decoded(reply.find("PolicyDocument").unwrap_or_default());
                Ok(text.replace(char::is_whitespace, "") == DENY)
            }
            Err(failure) if failure.code() == "NoSuchEntity" => {
                Ok(!self.there("GetUser", &[("UserName", user)]).await?)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The user that offkey itself is, if it is one: a role has no user.
    pub(super) async fn own_user(&self) -> Option<String> {
        self.aws.iam("GetUser", &[]).await.ok()?.find("UserName").map(str::to_owned)
    }

    /// The user and the password for the console, if there is one.
    pub(super) async fn account(&self, user: &str, reason: &str, owned: &mut Vec<Owned>, coverage: &mut Coverage) {
        let thing = |kind: &str, label: &str, fact: Option<(&str, &str)>, liveness| Owned {
            at: Target { system: self.name.clone(), locator: format!("{kind}:{user}") },
            label: label.to_owned(),
            reason: format!("{reason}, user {user}"),
            facts: fact.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect(),
            liveness,
        };
        let own = self.own_user().await.is_some_and(|own| own == user);
        let freeze = if own { ("self", "offkey works as this user") } else { ("freeze", "every call is refused") };
        match self.frozen(user).await {
            Ok(frozen) => {
                let dead = || Liveness::Dead(format!("the policy {POLICY} denies all"));
                owned.push(thing("user", "IAM user", Some(freeze), if frozen { dead() } else { Liveness::Live }));
            }
            Err(failure) => coverage.fail(format!("policies of IAM user {user}"), failure.to_string()),
        }
        match self.there("GetLoginProfile", &[("UserName", user)]).await {
            Ok(true) => owned.push(thing("login", "password for the AWS console", None, Liveness::Live)),
            Ok(false) => {}
            Err(failure) => coverage.fail(format!("console password of IAM user {user}"), failure.to_string()),
        }
        coverage.documents += 1;
    }
}

/// Freeze of a user, end of a console password.
pub(super) struct UserAction<'a> {
    pub(super) iam: &'a AwsIam,
    pub(super) thing: Thing<'a>,
    pub(super) step: ProviderStep,
}

impl Work for UserAction<'_> {
    fn name(&self) -> ActionName {
        let kind = if matches!(self.thing, Thing::User(_)) { "aws-user" } else { "aws-login" };
        ActionName(format!("{kind}.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, _: &Context<'_>) -> Result<Observed, ActionError> {
        let done = match self.thing {
            Thing::User(user) => self.iam.frozen(user).await,
            Thing::Login(user) => self.iam.there("GetLoginProfile", &[("UserName", user)]).await.map(|there| !there),
        };
        Ok(if done.map_err(looking)? { Observed::Done(self.receipt()) } else { Observed::NotDone })
    }

    async fn act(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        match self.thing {
            Thing::User(user) => {
                let parameters = [("UserName", user), ("PolicyName", POLICY), ("PolicyDocument", DENY)];
                self.iam.aws.iam("PutUserPolicy", &parameters).await.map_err(changing)?;
            }
            Thing::Login(user) => gone_is_fine(self.iam.aws.iam("DeleteLoginProfile", &[("UserName", user)]).await)?,
        }
        Ok(self.receipt())
    }

    async fn take_back(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        let Thing::User(user) = self.thing else {
            return Err(ActionError::Refused("a console password is gone for good: set a new one".to_owned()));
        };
        gone_is_fine(self.iam.aws.iam("DeleteUserPolicy", &[("UserName", user), ("PolicyName", POLICY)]).await)?;
        Ok(Receipt::of("IAM user", "the policy that denied all is gone"))
    }
}

impl UserAction<'_> {
    fn receipt(&self) -> Receipt {
        match self.thing {
            Thing::User(_) => {
                Receipt::of("IAM user", "every call is denied, also of sessions made before").and("policy", POLICY)
            }
            Thing::Login(_) => Receipt::of("console password", "none"),
        }
    }
}
