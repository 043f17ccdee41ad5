//! Secrets that AWS rotates itself, by a Lambda function. offkey writes no value beside it: it starts the rotation and looks until
//! the new version is current.
//!
//! `RotateSecret` returns at once; `DescribeSecret` lists the new version as pending, even without a value, until the function
//! ends. A failed rotation stays pending, and AWS refuses the next one then
//! (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html>).
//!
//! Functions of the "alternating users" strategy change the user with each turn, so the password before goes on working. When the
//! user of the replaced value is not the current one after the first turn, there is a second.
//!
//! Before each turn the replaced version gets a label with the time. It keeps AWS from dropping that version, whose value the
//! last probe needs, and says after a restart how long the rotation has taken.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{AwsSecrets, CURRENT, PENDING, PREVIOUS, Place, changing, entry_of, split_version};
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Target, Work};
use crate::clock;
use crate::remote::{SecretFacts, WhichVersion};
use crate::store::{OwnRotation, StoreStep, Turn};

/// Longest that one try waits for the function; after that the executor decides when to look again.
const LONGEST_TRY: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// One turn of a secret's own rotation.
pub(super) struct Rotation<'a> {
    pub(super) store: &'a AwsSecrets,
    pub(super) at: &'a Target,
    pub(super) replaced: String,
    pub(super) turn: Turn,
}

/// What a look at the secret says about a turn.
enum Seen {
    Over(Receipt),
    NotBegun,
    /// The function is at work.
    AtWork(String),
    /// It began and does not end, or ended without what it is for: for a person.
    Hangs(String),
    /// Somebody else was at the secret.
    Foreign(String),
}

/// The user that a secret of AWS's own form is for.
fn user(text: &str) -> Option<String> {
    let entry = entry_of(text)?;
    ["username", "user"].iter().find_map(|field| entry.get(*field)?.as_str()).map(str::to_owned)
}

/// Beginning of the labels that say when the rotation with this token was started; the rest is the time.
pub(super) fn mark(token: &str) -> String {
    format!("offkey-{token}-")
}

/// How AWS rotates a secret, as far as it can be told from its versions; `None` when it does not.
pub(super) fn own_rotation(facts: &SecretFacts, texts: &[(String, Zeroizing<String>)]) -> Option<OwnRotation> {
    if facts.owner.is_some() {
        return Some(OwnRotation::ByHand);
    }
    if !facts.rotates {
        return None;
    }
    let labelled = |label| {
        let id = facts.version_of(label)?;
        texts.iter().find(|(version, _)| version == id).map(|(_, text)| text.as_str())
    };
    let current = labelled(CURRENT);
    // Functions that let two users take turns need the secret of a third, which may change both.
    let third = current.and_then(entry_of).is_some_and(|entry| entry.contains_key("masterarn"));
    let before = labelled(PREVIOUS).and_then(user);
    let turns = before.is_some_and(|before| current.and_then(user).is_some_and(|now| now != before));
    Some(if third || turns { OwnRotation::TwoUsers } else { OwnRotation::Asked })
}

impl AwsSecrets {
    /// What a person types to start the rotation of a secret.
    pub(super) fn rotation_command(&self, secret: &str) -> String {
        format!("aws secretsmanager rotate-secret --secret-id {secret} --region {}", self.aws.region())
    }

    /// Whether AWS says that nothing stands in the way of a rotation; the right to start one cannot be tried without starting it.
    pub(super) fn may_rotate(&self, facts: &SecretFacts) -> Result<(), ActionError> {
        match &facts.owner {
            Some(owner) => Err(ActionError::Refused(format!(
                "{} belongs to {owner} of AWS: run `{}`, then sweep again",
                facts.name,
                self.rotation_command(&facts.name)
            ))),
            None => Ok(()),
        }
    }

    /// How a rotation that somebody else began is given up.
    pub(super) fn give_up_command(&self, secret: &str, pending: &str) -> String {
        format!(
            "aws secretsmanager update-secret-version-stage --secret-id {secret} --version-stage {PENDING} \
             --remove-from-version-id {pending} --region {}",
            self.aws.region()
        )
    }
}

impl Rotation<'_> {
    fn secret(&self) -> &str {
        Place::of(self.at).secret
    }

    /// Id of the version that this turn makes: it follows from the operation, which the sealed plan names.
    fn token(&self, cx: &Context<'_>) -> String {
        let turn = if self.turn == Turn::First { "first" } else { "last" };
        Uuid::new_v5(&cx.op, format!("{}\nrotation: {turn}", self.at.locator).as_bytes()).to_string()
    }

    /// Every label of this turn, with its version and the time in it.
    fn marks(facts: &SecretFacts, token: &str) -> Vec<(String, String, Option<Timestamp>)> {
        let mark = mark(token);
        let begun = |label: &String| {
            let seconds = label.strip_prefix(&mark)?.parse().ok();
            Some((label.clone(), seconds.and_then(|seconds| Timestamp::from_second(seconds).ok())))
        };
        let of_version = |(version, labels): (&String, &Vec<String>)| {
            let marks = labels.iter().filter_map(begun);
            marks.map(|(label, at)| (label, version.clone(), at)).collect::<Vec<_>>()
        };
        facts.labels.iter().flat_map(of_version).collect()
    }

    async fn see(&self, cx: &Context<'_>) -> Result<Seen, ActionError> {
        let (store, secret) = (self.store, self.secret());
        let facts = store.facts(secret).await?;
        let now = store.version(secret, WhichVersion::Label(CURRENT)).await?;
        let token = self.token(cx);
        let ours = |id: &str| id == token;
        let Some((now, text)) = now.and_then(|mut now| now.text.take().map(|text| (now, text))) else {
            return Ok(match facts.version_of(CURRENT) {
                Some(id) if ours(id) => Seen::Hangs(self.without("a value")),
                _ => Seen::Foreign(format!("{secret} has no current text")),
            });
        };
        let Some(value) = Place::of(self.at).value(&text) else {
            return Ok(Seen::Foreign(format!("{} is gone", self.at)));
        };
        let (id, fence) = split_version(&self.replaced);
        let is_old = fence.map_or(now.id == id, |fence| store.fence(&value) == fence);
        let over = || Seen::Over(Receipt::of("version", &now.id).and("token", &token));
        Ok(match self.turn {
            _ if is_old && ours(&now.id) => Seen::Hangs(self.without("another value")),
            Turn::First if is_old => self.pending(&facts, &token),
            Turn::Last if is_old => Seen::Foreign(format!("{} still has the old value", self.at)),
            // A rotation that AWS made on its schedule is as good; what somebody wrote by hand is none.
            Turn::First
                if ours(&now.id) || facts.rotated.is_some_and(|ended| now.created.is_some_and(|at| at <= ended)) =>
            {
                over()
            }
            Turn::First => Seen::Foreign(format!("{} was changed by somebody else (version {})", self.at, now.id)),
            Turn::Last => {
                let replaced = store.version(secret, WhichVersion::Id(id)).await?.and_then(|version| version.text);
                let Some(replaced) = replaced else { return Ok(Seen::Hangs(self.nobody_knows(id))) };
                match (user(&replaced), user(&text)) {
                    (then, now) if then == now => over(),
                    (then, _) if ours(&now.id) => Seen::Hangs(self.third_user(then)),
                    _ => self.pending(&facts, &token),
                }
            }
        })
    }

    /// Not over: was it begun?
    fn pending(&self, facts: &SecretFacts, token: &str) -> Seen {
        let secret = &facts.name;
        if !facts.rotates {
            return Seen::Foreign(format!("AWS does not rotate {secret} any more"));
        }
        let Some(pending) = facts.version_of(PENDING).filter(|id| facts.version_of(CURRENT) != Some(*id)) else {
            return Seen::NotBegun;
        };
        if pending != token {
            let give_up = self.store.give_up_command(secret, pending);
            return Seen::Foreign(format!(
                "{secret} is being rotated by somebody else: version {pending} is pending; if that hangs, run `{give_up}`"
            ));
        }
        let begun = Self::marks(facts, token).into_iter().filter_map(|(_, _, at)| at).max();
        let passed = begun.map_or(0, |begun| clock::now().duration_since(begun).as_secs().max(0));
        if passed.unsigned_abs() < self.store.rotation_deadline.as_secs() {
            return Seen::AtWork(format!(
                "AWS's function rotates {secret} for {passed} s now: version {token} is pending"
            ));
        }
        Seen::Hangs(format!(
            "AWS's function has not ended the rotation of {secret} within {passed} s: read what it logged, then run `{} && {}`, \
             then `offkey resume`",
            self.store.give_up_command(secret, token),
            self.store.rotation_command(secret)
        ))
    }

    fn without(&self, what: &str) -> String {
        let secret = self.secret();
        format!(
            "AWS's function ended its rotation of {secret} without {what}: repair it, run `{}`, then `offkey resume`",
            self.store.rotation_command(secret)
        )
    }

    fn third_user(&self, then: Option<String>) -> String {
        let secret = self.secret();
        format!(
            "after two rotations {secret} is not for {} again, whose old password may go on working: run `{}` until it is, \
             then `offkey resume`",
            then.unwrap_or_default(),
            self.store.rotation_command(secret)
        )
    }

    fn nobody_knows(&self, id: &str) -> String {
        let secret = self.secret();
        format!(
            "AWS has dropped version {id} of {secret}, so nobody can say whether its user has a new password: run `{}`, \
             then sweep again",
            self.store.rotation_command(secret)
        )
    }

    /// Marks the time and starts the rotation.
    async fn begin(&self, cx: &Context<'_>) -> Result<(), ActionError> {
        let (store, secret, token) = (self.store, self.secret(), self.token(cx));
        let facts = store.facts(secret).await?;
        for (label, version, _) in Self::marks(&facts, &token) {
            store.drop_label(secret, &label, &version).await?;
        }
        let (replaced, _) = split_version(&self.replaced);
        let carrier = facts.labels.contains_key(replaced).then_some(replaced).or(facts.version_of(CURRENT));
        let label = format!("{}{}", mark(&token), clock::now().as_second());
        store.aws.move_secret_label(secret, &label, None, carrier).await.map_err(changing)?;
        store.aws.rotate_secret(secret, &token).await.map_err(changing)
    }

    /// Looks until the turn is over, or this try has waited long enough.
    async fn wait(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let end = Instant::now() + LONGEST_TRY.min(cx.deadline / 2);
        loop {
            let why = match self.see(cx).await? {
                Seen::Over(receipt) => return Ok(receipt),
                Seen::Foreign(why) => return Err(ActionError::Conflict(why)),
                Seen::Hangs(todo) => return Err(ActionError::Stuck(todo)),
                Seen::AtWork(why) => why,
                Seen::NotBegun => {
                    format!("AWS has taken the rotation of {} on, and does not show it yet", self.secret())
                }
            };
            if Instant::now() >= end {
                return Err(ActionError::Unknown(why));
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl Work for Rotation<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("aws-secrets.{}", self.step().word()))
    }

    fn effect(&self) -> Effect {
        self.step().effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        match self.see(cx).await? {
            Seen::Over(receipt) => Ok(Observed::Done(receipt)),
            Seen::NotBegun => Ok(Observed::NotDone),
            Seen::Foreign(why) => Ok(Observed::Conflict(why)),
            Seen::Hangs(todo) => Err(ActionError::Stuck(todo)),
            // Neither done nor undone: nobody may begin it again, or call it taken back.
            Seen::AtWork(why) => Err(ActionError::Unavailable { why, retry_after: Some(Duration::from_secs(2)) }),
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        if matches!(self.see(cx).await?, Seen::NotBegun) {
            self.begin(cx).await?;
        }
        self.wait(cx).await
    }
}

impl Rotation<'_> {
    fn step(&self) -> StoreStep {
        StoreStep::Rotate { replaced: self.replaced.clone(), turn: self.turn }
    }
}
