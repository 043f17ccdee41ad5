//! Sessions of the roles that a leaver may have assumed. They live on after the user for up to 12 hours, and AWS does not list
//! them; a policy on the role that denies everything to what was issued before a time ends them all
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>). The user is refused first, or a session
//! that is begun in between lives on.
//!
//! Everybody else who works with such a role has to begin a new session. People and pipelines do that by themselves within
//! minutes; instances and functions may not, so a role that services assume, too, is a person's to decide about, unless
//! the settings list it.
//!
//! Which roles those are, the trust policies tell, and where those leave it to the account, a simulation of the user's rights.
//! Roles of other accounts are not seen.
//!
//! Locator: `role:deploy/alice`, the sessions of the role that alice may have begun.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{AwsIam, changing, decoded, gone_is_fine, looking};
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Target, Work};
use crate::clock;
use crate::finding::Liveness;
use crate::provider::{Owned, ProviderStep};
use crate::remote::{Element, Failure};
use crate::source::Coverage;

/// Beginning of the policy's name on a role; the user follows.
const POLICY: &str = "offkey-left-";

/// Sessions of a role that one user may have begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sessions<'a> {
    role: &'a str,
    user: &'a str,
}

impl<'a> Sessions<'a> {
    pub(super) fn of(at: &'a Target) -> Option<Self> {
        let (role, user) = at.locator.strip_prefix("role:")?.split_once('/')?;
        Some(Self { role, user })
    }

    fn policy(self) -> String {
        format!("{POLICY}{}", self.user)
    }
}

/// A role as a sweep sees it.
pub(super) struct Role {
    name: String,
    arn: String,
    path: String,
    trust: Value,
}

impl Role {
    fn of(member: &Element) -> Self {
        let text = |name| member.find(name).unwrap_or_default().to_owned();
        let trust = serde_json::from_str(&decoded(&text("AssumeRolePolicyDocument"))).unwrap_or_default();
        Self { name: text("RoleName"), arn: text("Arn"), path: text("Path"), trust }
    }

    /// Everybody of one kind whom the trust policy lets in.
    fn trusted(&self, kind: &str) -> Vec<&str> {
        let statements = many(&self.trust["Statement"]);
        let allowed = statements.into_iter().filter(|statement| statement["Effect"] == "Allow");
        let principals = allowed.flat_map(|statement| match &statement["Principal"] {
            all @ Value::String(_) if kind == "AWS" => vec![all],
            some => many(&some[kind]),
        });
        principals.filter_map(Value::as_str).collect()
    }

    /// Whether the trust policy names the user itself, or leaves it to the account whom it lets assume the role.
    fn trusts(&self, user: &str) -> Trust {
        let account = user.split(':').nth(4).unwrap_or_default();
        let root = format!(":iam::{account}:root");
        let whole = |one: &str| one == "*" || one == account || one.ends_with(&root);
        let trusted = self.trusted("AWS");
        if trusted.contains(&user) {
            Trust::Named
        } else if trusted.into_iter().any(whole) {
            Trust::Account
        } else {
            Trust::No
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Named,
    Account,
    No,
}

/// One, or a list of them: policies know both.
fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// The policy that refuses sessions which were begun before a time.
fn document(before: &str) -> String {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": { "DateLessThan": { "aws:TokenIssueTime": before } },
    }] })
    .to_string()
}

/// The time in a policy of that form; `None` for any other.
fn before(text: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(text).ok()?;
    let time = policy["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"].as_str()?.to_owned();
    let ours: Value = serde_json::from_str(&document(&time)).ok()?;
    (policy == ours && time.parse::<jiff::Timestamp>().is_ok()).then_some(time)
}

impl AwsIam {
    /// Every role of the account.
    pub(super) async fn roles(&self) -> Result<Vec<Role>, Failure> {
        let mut roles = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let next = marker.as_deref().map(|marker| ("Marker", marker));
            let parameters: Vec<_> = [("MaxItems", "1000")].into_iter().chain(next).collect();
            let reply = self.aws.iam("ListRoles", &parameters).await?;
            roles.extend(reply.members("Roles").iter().map(Role::of));
            marker = reply.find("Marker").filter(|marker| !marker.is_empty()).map(str::to_owned);
            if reply.find("IsTruncated") != Some("true") || marker.is_none() {
                return Ok(roles);
            }
        }
    }

    /// The sessions of roles that a user may have begun.
    pub(super) async fn sessions(
        &self,
        user: &str,
        reason: &str,
        roles: &[Role],
        owned: &mut Vec<Owned>,
        coverage: &mut Coverage,
    ) {
        let arn = match self.aws.iam("GetUser", &[("UserName", user)]).await {
            Ok(reply) => reply.find("Arn").unwrap_or_default().to_owned(),
            Err(failure) if failure.code() == "NoSuchEntity" => return,
            Err(failure) => return coverage.fail(format!("roles of IAM user {user}"), failure.to_string()),
        };
        let frozen = self.frozen(user).await.unwrap_or(false);
        let own = self.aws.own_arn().await.unwrap_or_default();
        let mut untold = 0;
        for role in roles {
            let why = match role.trusts(&arn) {
                _ if self.listed_roles.contains(&role.name) => "the settings list the role",
                Trust::Named => "the trust policy of the role names the user",
                Trust::Account if frozen => {
                    untold += 1;
                    continue;
                }
                Trust::Account => match self.may_assume(&arn, role).await {
                    Ok(true) => "the user's policies let it assume the role",
                    Ok(false) => continue,
                    Err(failure) => {
                        coverage.fail(format!("whether {user} may assume the role {}", role.name), failure.to_string());
                        continue;
                    }
                },
                Trust::No => continue,
            };
            coverage.documents += 1;
            owned.push(self.session(user, format!("{reason}, user {user}: {why}"), role, frozen, &own).await);
        }
        if untold > 0 {
            let why = "the user is refused everything already, so nobody can tell which of them it could assume: list those under roles";
            coverage.skip(format!("{untold} roles that leave it to the account whom they let in, for {user}"), why);
        }
    }

    async fn may_assume(&self, user: &str, role: &Role) -> Result<bool, Failure> {
        let ask = [
            ("PolicySourceArn", user),
            ("ActionNames.member.1", "sts:AssumeRole"),
            ("ResourceArns.member.1", &role.arn),
        ];
        let reply = self.aws.iam("SimulatePrincipalPolicy", &ask).await?;
        Ok(reply.find("EvalDecision") == Some("allowed"))
    }

    async fn session(&self, user: &str, reason: String, role: &Role, frozen: bool, own: &str) -> Owned {
        let locator = format!("role:{}/{user}", role.name);
        let sessions = Sessions { role: &role.name, user };
        let ended = self.ended(sessions).await.ok().flatten().filter(|_| frozen);
        let services = role.trusted("Service");
        let reserved = ["/aws-service-role/", "/aws-reserved/"].iter().any(|path| role.path.starts_with(path));
        let mut facts = BTreeMap::new();
        let mut fact = |name: &str, text: String| facts.insert(name.to_owned(), text);
        if own.contains(&format!(":assumed-role/{}/", role.name)) {
            fact("self", "offkey works with this role".to_owned());
        } else if reserved {
            let how = "AWS lets nobody change this role: end the sessions where it is given out (IAM Identity Center), then sweep again";
            fact("by hand", how.to_owned());
        } else if !services.is_empty() && !self.listed_roles.contains(&role.name) {
            fact(
                "by hand",
                format!(
                    "{} assume the role {} too, and would be cut off until they begin new sessions: list it under roles of {} and \
                     sweep again, or revoke its sessions in the console of IAM when it suits them",
                    services.join(", "),
                    role.name,
                    self.name
                ),
            );
        } else {
            fact("freeze", "sessions begun before are refused, everybody's; new ones are not".to_owned());
        }
        Owned {
            at: Target { system: self.name.clone(), locator },
            label: "sessions of an IAM role".to_owned(),
            reason,
            facts,
            liveness: match ended {
                Some(time) => Liveness::Dead(format!("what was begun before {time} is refused")),
                None => Liveness::Live,
            },
        }
    }

    /// The time before which sessions are refused; the text is empty when the role is gone. `None`: nothing refuses them.
    async fn ended(&self, sessions: Sessions<'_>) -> Result<Option<String>, Failure> {
        let policy = sessions.policy();
        match self.aws.iam("GetRolePolicy", &[("RoleName", sessions.role), ("PolicyName", &policy)]).await {
            Ok(reply) => Ok(before(&decoded(reply.find("PolicyDocument").unwrap_or_default()))),
            Err(failure) if failure.code() == "NoSuchEntity" => {
                let there = self.there("GetRole", &[("RoleName", sessions.role)]).await?;
                Ok((!there).then(String::new))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether we may change the role's policies: one that is not there is taken away.
    pub(super) async fn may_refuse(&self, sessions: Sessions<'_>) -> Result<(), ActionError> {
        let own = self.aws.own_arn().await.map_err(looking)?;
        if own.contains(&format!(":assumed-role/{}/", sessions.role)) {
            return Err(ActionError::Refused(format!("offkey itself works with the role {}", sessions.role)));
        }
        if !self.there("GetRole", &[("RoleName", sessions.role)]).await.map_err(looking)? {
            return Err(ActionError::Conflict(format!("there is no role {} any more", sessions.role)));
        }
        let nothing = [("RoleName", sessions.role), ("PolicyName", "offkey-preflight")];
        self.there("DeleteRolePolicy", &nothing).await.map(drop).map_err(looking)
    }
}

/// The end of the sessions of a role.
pub(super) struct SessionsAction<'a> {
    pub(super) iam: &'a AwsIam,
    pub(super) sessions: Sessions<'a>,
    pub(super) step: ProviderStep,
}

fn receipt(time: &str) -> Receipt {
    match time {
        "" => Receipt::of("role", "gone"),
        time => Receipt::of("sessions", format!("refused when begun before {time}")),
    }
}

impl Work for SessionsAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("aws-role.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, _: &Context<'_>) -> Result<Observed, ActionError> {
        let ended = self.iam.ended(self.sessions).await.map_err(looking)?;
        Ok(ended.map_or(Observed::NotDone, |time| Observed::Done(receipt(&time))))
    }

    async fn act(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        let Sessions { role, user } = self.sessions;
        if !self.iam.frozen(user).await.map_err(looking)? {
            let why =
                format!("{user} is not refused yet, and could assume {role} again right after: the user comes first");
            return Err(ActionError::Unavailable { why, retry_after: None });
        }
        // AWS keeps the second in which a session was begun: this one is not over yet.
        let now = clock::now().as_second() + 1;
        let time = jiff::Timestamp::from_second(now).map_or_else(|_| String::new(), |time| time.to_string());
        let (policy, document) = (self.sessions.policy(), document(&time));
        let parameters = [("RoleName", role), ("PolicyName", &policy), ("PolicyDocument", &document)];
        self.iam.aws.iam("PutRolePolicy", &parameters).await.map_err(changing)?;
        Ok(receipt(&time).and("policy", policy))
    }

    async fn take_back(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        let policy = self.sessions.policy();
        let parameters = [("RoleName", self.sessions.role), ("PolicyName", policy.as_str())];
        gone_is_fine(self.iam.aws.iam("DeleteRolePolicy", &parameters).await)?;
        Ok(Receipt::of("role", "the policy that refused older sessions is gone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(trust: Value) -> Role {
        Role { name: "deploy".to_owned(), arn: String::new(), path: "/".to_owned(), trust }
    }

    #[test]
    fn who_may_assume_a_role_is_read_from_its_trust_policy() {
        let alice = "arn:aws:iam::123456789012:user/alice";
        let with = |principal: Value| role(json!({ "Statement": { "Effect": "Allow", "Principal": principal } }));
        assert_eq!(with(json!({ "AWS": alice })).trusts(alice), Trust::Named);
        assert_eq!(with(json!({ "AWS": ["arn:aws:iam::123456789012:user/bob", alice] })).trusts(alice), Trust::Named);
        for whole in ["arn:aws:iam::123456789012:root", "123456789012", "*"] {
            assert_eq!(with(json!({ "AWS": whole })).trusts(alice), Trust::Account, "{whole}");
        }
        assert_eq!(with(json!("*")).trusts(alice), Trust::Account);
        for other in [json!({ "AWS": "arn:aws:iam::210987654321:root" }), json!({ "Service": "ec2.amazonaws.com" })] {
            assert_eq!(with(other).trusts(alice), Trust::No);
        }
        let denied = role(json!({ "Statement": [{ "Effect": "Deny", "Principal": { "AWS": alice } }] }));
        assert_eq!(denied.trusts(alice), Trust::No);
        assert_eq!(with(json!({ "Service": ["ec2.amazonaws.com"] })).trusted("Service"), ["ec2.amazonaws.com"]);
    }

    #[test]
    fn only_a_policy_that_denies_everything_to_older_sessions_counts() {
        let time = "2026-11-23T13:00:01Z";
        assert_eq!(before(&document(time)).as_deref(), Some(time));
        for other in [
            document("yesterday"),
            document(time).replace("Deny", "Allow"),
            document(time).replace("\"Action\":\"*\"", "\"Action\":\"s3:*\""),
            document(time).replace("DateLessThan", "DateGreaterThan"),
            "{}".to_owned(),
            String::new(),
        ] {
            assert_eq!(before(&other), None, "{other}");
        }
    }
}
