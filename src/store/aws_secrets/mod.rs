//! AWS Secrets Manager.
//!
//! A locator is `name#field` for a field of a JSON secret, `name` for a whole text. A version is `id@fence`: AWS's version id,
//! and the beginning of the value's keyed fingerprint. The fence is what a promotion compares, so that two fields of one
//! secret can be rotated one after the other; AWS itself compares the version from which `AWSCURRENT` is taken.
//!
//! The native sequence (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>):
//! a version with its own `ClientRequestToken` gets `AWSPENDING`, then `AWSCURRENT`; at the end no label leads to the old
//! value any more. A secret with a rotation function of its own is left to that ([`rotation`]). Beside `AWSPENDING`, which only one version can carry, each staged version has a label of its own.

mod rotation;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::json::{self as fields};
use super::masked::{is_masked, must_be_value};
use super::{Held, Store, StoreStep, Supply, no_own_rotation};
use crate::action::{Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Slot, Target, Work};
use crate::error::{Error, Result};
use crate::remote::{Aws, Failure, SecretFacts, SecretVersion, WhichVersion};
use crate::secret::{Fingerprinter, SecretValue};
use crate::source::Coverage;
use rotation::{Rotation, own_rotation};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const PENDING: &str = "AWSPENDING";

/// How often a promotion reads again when other fields of the secret change under it.
const RACES: usize = 4;

/// The secrets of one account in one region.
pub struct AwsSecrets {
    name: String,
    aws: Arc<Aws>,
    prefixes: Vec<String>,
    fingerprinter: Fingerprinter,
    rotation_deadline: Duration,
}

/// Name of the secret, and the field when it is JSON.
#[derive(Clone, Copy)]
struct Place<'a> {
    secret: &'a str,
    field: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(at: &'a Target) -> Self {
        match at.locator.split_once('#') {
            Some((secret, field)) => Self { secret, field: Some(field) },
            None => Self { secret: &at.locator, field: None },
        }
    }

    /// The value inside the text of a version.
    fn value(&self, text: &str) -> Option<String> {
        match self.field {
            None => Some(text.to_owned()),
            Some(field) => fields::get(&entry_of(text)?, field).map(str::to_owned),
        }
    }

    /// The text with another value.
    fn with(&self, text: &str, value: &str) -> Option<Zeroizing<String>> {
        let Some(field) = self.field else { return Some(Zeroizing::new(value.to_owned())) };
        let mut entry = entry_of(text)?;
        fields::set(&mut entry, field, value).then(|| Zeroizing::new(Value::Object(entry).to_string()))
    }
}

fn entry_of(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

impl AwsSecrets {
    /// The store `name`. Only secrets whose names begin with one of `prefixes` are read in an inventory (all when empty).
    pub fn new(name: impl Into<String>, aws: Arc<Aws>, prefixes: Vec<String>, fingerprinter: Fingerprinter) -> Self {
        Self { name: name.into(), aws, prefixes, fingerprinter, rotation_deadline: Duration::from_secs(1800) }
    }

    /// How long AWS's own rotation of a secret may take before a person is asked.
    #[must_use]
    pub fn rotation_within(mut self, deadline: Duration) -> Self {
        self.rotation_deadline = deadline;
        self
    }

    fn fence(&self, value: &str) -> String {
        data_encoding::HEXLOWER.encode(&self.fingerprinter.fingerprint(value.as_bytes()).as_bytes()[..8])
    }

    /// Id of the version that an operation stages for a place: one operation may stage several fields of one secret.
    fn token(at: &Target, op: Uuid) -> String {
        Uuid::new_v5(&op, at.locator.as_bytes()).to_string()
    }

    fn label(token: &str) -> String {
        format!("offkey-{token}")
    }

    async fn facts(&self, secret: &str) -> Result<SecretFacts, ActionError> {
        let facts = self.aws.secret(secret).await.map_err(looking)?.filter(|facts| !facts.deleted);
        facts.ok_or_else(|| ActionError::Conflict(format!("{secret} is not there (region {})", self.aws.region())))
    }

    async fn version(&self, secret: &str, which: WhichVersion<'_>) -> Result<Option<SecretVersion>, ActionError> {
        self.aws.secret_version(secret, which).await.map_err(looking)
    }

    async fn value_of(&self, at: &Target, which: WhichVersion<'_>) -> Result<Option<String>, ActionError> {
        let place = Place::of(at);
        let version = self.version(place.secret, which).await?;
        Ok(version.and_then(|version| place.value(&version.text?)))
    }

    async fn staged(&self, at: &Target, op: Uuid) -> Result<Option<String>, ActionError> {
        self.value_of(at, WhichVersion::Id(&Self::token(at, op))).await
    }

    async fn current(&self, at: &Target) -> Result<(String, Zeroizing<String>), ActionError> {
        let secret = Place::of(at).secret;
        let version = self.version(secret, WhichVersion::Label(CURRENT)).await?;
        let version = version.and_then(|version| Some((version.id, version.text?)));
        version.ok_or_else(|| ActionError::Conflict(format!("{secret} has no current text")))
    }

    /// Puts a value aside under the operation's own version id.
    async fn put_aside(&self, at: &Target, op: Uuid, value: &str) -> Result<(), ActionError> {
        if is_masked(value) {
            return Err(ActionError::Refused("an empty or masked text is not a new value".to_owned()));
        }
        let place = Place::of(at);
        let (_, text) = self.current(at).await?;
        let new = place.with(&text, value).ok_or_else(|| ActionError::Conflict(format!("{at} is gone")))?;
        let token = Self::token(at, op);
        let labels = [PENDING.to_owned(), Self::label(&token)];
        match self.aws.put_secret_version(place.secret, &token, &new, &labels).await {
            // The same token with another text: our own version of before a lost answer. What waits there counts.
            Err(failure) if failure.code() == "ResourceExistsException" => Ok(()),
            other => other.map_err(changing),
        }
    }

    /// Who else is about to change the secret: a rotation that carries `AWSPENDING` and is none of ours.
    fn others_pending(facts: &SecretFacts) -> Option<&str> {
        let pending = facts.version_of(PENDING)?;
        let labels = &facts.labels[pending];
        // A finished rotation of AWS leaves the label on the current version.
        let ours = labels.iter().any(|label| label.starts_with("offkey-") || label == CURRENT);
        // A rotation that we started is told by the mark on the version that it replaces.
        let mark = rotation::mark(pending);
        let started = facts.labels.values().flatten().any(|label| label.starts_with(&mark));
        (!ours && !started).then_some(pending)
    }

    async fn hand_out(
        &self,
        facts: &SecretFacts,
        coverage: &mut Coverage,
        visit: &mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> ControlFlow<()> {
        let current = facts.version_of(CURRENT);
        if current.is_none() {
            coverage.skip(facts.name.clone(), "no current version");
        }
        let texts = self.texts(facts, coverage).await;
        let rotation = own_rotation(facts, &texts).map(|how| how.hints(&self.rotation_command(&facts.name)));
        let rotation = rotation.unwrap_or_default();
        for (id, text) in &texts {
            self.visit(&facts.name, (id, current == Some(id)), (text, &rotation), visit)?;
        }
        ControlFlow::Continue(())
    }

    /// The text of every version with a label.
    async fn texts(&self, facts: &SecretFacts, coverage: &mut Coverage) -> Vec<(String, Zeroizing<String>)> {
        let mut texts = Vec::new();
        for (id, labels) in &facts.labels {
            let shown = format!("{} version {id}", facts.name);
            match self.aws.secret_version(&facts.name, WhichVersion::Id(id)).await {
                Ok(Some(SecretVersion { text: Some(text), .. })) => {
                    coverage.documents += 1;
                    coverage.bytes += text.len() as u64;
                    texts.push((id.clone(), text));
                }
                Ok(_) => coverage.skip(shown, format!("{}: binary or without a value", labels.join(", "))),
                Err(failure) => coverage.fail(shown, failure.to_string()),
            }
        }
        texts
    }

    fn visit(
        &self,
        secret: &str,
        (id, current): (&str, bool),
        (text, more): (&str, &[(String, String)]),
        visit: &mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> ControlFlow<()> {
        let mut hand_out = |locator: String, value: &str, hints: Vec<(String, String)>| {
            let version = format!("{id}@{}", self.fence(value));
            visit(Held {
                at: Target { system: self.name.clone(), locator },
                slot: if current { Slot::Current } else { Slot::Version(version.clone()) },
                version,
                value: SecretValue::new(value),
                hints: hints.into_iter().chain(more.iter().cloned()).collect(),
            })
        };
        let Some(entry) = entry_of(text) else { return hand_out(secret.to_owned(), text, Vec::new()) };
        let all = fields::leaves(&entry);
        for leaf in &all {
            hand_out(format!("{secret}#{}", leaf.field), &leaf.value, fields::hints(&leaf.field, &all, &entry))?;
        }
        ControlFlow::Continue(())
    }
}

fn split_version(version: &str) -> (&str, Option<&str>) {
    version.split_once('@').map_or((version, None), |(id, fence)| (id, Some(fence)))
}

impl Store for AwsSecrets {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "AWS Secrets Manager"
    }

    fn inventory<'a>(
        &'a self,
        visit: &'a mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Pending<'a, Result<Coverage>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("store {}", self.name), "aws-secrets-manager");
            let secrets = self.aws.secrets(&self.prefixes).await.map_err(|failure| {
                Error::remote(format!("the store {} cannot be listed in {}", self.name, self.aws.region()))
                    .because(failure)
                    .still("Nothing was changed.")
                    .next("Check region, endpoint and key of this store in offkey.toml.")
            })?;
            for facts in &secrets {
                if self.hand_out(facts, &mut coverage, visit).await.is_break() {
                    break;
                }
            }
            Ok(coverage)
        })
    }

    fn read<'a>(&'a self, at: &'a Target, slot: &'a Slot) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async move {
            let value = match slot {
                Slot::Current => self.value_of(at, WhichVersion::Label(CURRENT)).await?,
                Slot::Staged(op) => self.staged(at, *op).await?,
                Slot::Version(version) => {
                    let (id, fence) = split_version(version);
                    let value = self.value_of(at, WhichVersion::Id(id)).await?;
                    value.filter(|value| fence.is_none_or(|fence| self.fence(value) == fence))
                }
            };
            Ok(value.map(SecretValue::from))
        })
    }

    fn stage<'a>(&'a self, at: &'a Target, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let text = value.expose_str().ok_or_else(|| ActionError::Refused("the value is not text".to_owned()))?;
            self.put_aside(at, op, text).await?;
            match self.staged(at, op).await?.as_deref() == Some(text) {
                true => Ok(()),
                false => Err(ActionError::Conflict(format!("another value waits for {at} under the same operation"))),
            }
        })
    }

    fn action<'a>(&'a self, at: &'a Target, step: StoreStep) -> Box<dyn Action + 'a> {
        match step {
            StoreStep::Rotate { replaced, turn } => Box::new(Rotation { store: self, at, replaced, turn }),
            step => Box::new(SecretAction { store: self, at, step }),
        }
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let facts = self.facts(Place::of(at).secret).await?;
            self.may_rotate(&facts)?;
            if let Some(version) = Self::others_pending(&facts) {
                let give_up = self.give_up_command(&facts.name, version);
                return Err(ActionError::Conflict(format!(
                    "{} is being rotated: version {version} is pending; if that hangs, run `{give_up}`",
                    facts.name
                )));
            }
            self.may_move_labels(&facts).await?;
            must_be_value(at, self.value_of(at, WhichVersion::Label(CURRENT)).await?.as_deref())
        })
    }
}

impl AwsSecrets {
    /// Takes a label away. That it is not there any more is as good; the look afterwards tells whether all are gone.
    async fn drop_label(&self, secret: &str, label: &str, version: &str) -> Result<(), ActionError> {
        match self.aws.move_secret_label(secret, label, Some(version), None).await {
            Err(failure) if matches!(failure.code(), "InvalidParameterException" | "ResourceNotFoundException") => {
                Ok(())
            }
            other => other.map_err(changing),
        }
    }

    /// Takes a label that no version has from the current one: changes nothing, and shows whether we are allowed to.
    async fn may_move_labels(&self, facts: &SecretFacts) -> Result<(), ActionError> {
        let Some(current) = facts.version_of(CURRENT) else { return Ok(()) };
        match self.aws.move_secret_label(&facts.name, "offkey-preflight", Some(current), None).await {
            Err(failure) if matches!(failure.code(), "AccessDeniedException" | "AccessDenied") => Err(looking(failure)),
            Err(failure) if failure.may_pass() || failure.is_ambiguous() => Err(looking(failure)),
            _ => Ok(()),
        }
    }
}

struct SecretAction<'a> {
    store: &'a AwsSecrets,
    at: &'a Target,
    step: StoreStep,
}

/// What a promotion finds.
enum Now {
    /// The place has the staged value, in this version.
    Ours(String),
    /// The place is as the plan saw it: version, text, and the value that waits.
    AsPlanned(String, Zeroizing<String>, String),
    /// Somebody else replaced it.
    Foreign(String),
}

impl SecretAction<'_> {
    async fn now(&self, cx: &Context<'_>, expect: &str) -> Result<Now, ActionError> {
        let place = Place::of(self.at);
        let (id, fence) = split_version(expect);
        let (version, text) = self.store.current(self.at).await?;
        let Some(value) = place.value(&text) else { return Ok(Now::Foreign(format!("{} is gone", self.at))) };
        let Some(staged) = self.store.staged(self.at, cx.op).await? else {
            return Ok(Now::Foreign(format!("nothing is staged for {}", self.at)));
        };
        if value == staged {
            return Ok(Now::Ours(version));
        }
        let same = fence.map_or(version == id, |fence| self.store.fence(&value) == fence);
        Ok(match same {
            true => Now::AsPlanned(version, text, staged),
            false => Now::Foreign(format!("{} was changed by somebody else (version {version})", self.at)),
        })
    }

    /// Labels that still lead to the old value, and those that staging left; `None` when consumers still read the old one.
    async fn left(&self, cx: &Context<'_>, replaced: &str) -> Result<Option<Vec<(String, String)>>, ActionError> {
        let store = self.store;
        let place = Place::of(self.at);
        let (id, fence) = split_version(replaced);
        let facts = store.facts(place.secret).await?;
        let mut left = Vec::new();
        for (version, labels) in &facts.labels {
            let text = store.version(place.secret, WhichVersion::Id(version)).await?.and_then(|version| version.text);
            let value = text.and_then(|text| place.value(&text)).unwrap_or_default();
            let old = fence.map_or(version == id, |fence| store.fence(&value) == fence);
            if old && labels.iter().any(|label| label == CURRENT) {
                return Ok(None);
            }
            let own = AwsSecrets::token(self.at, cx.op);
            let staging = |label: &String| *label == AwsSecrets::label(&own);
            // Whether a version is pending is told differently by list and look-up while it moves; it is dropped beside.
            let leads = |label: &&String| *label != PENDING && (old || staging(label));
            left.extend(labels.iter().filter(leads).map(|label| (label.clone(), version.clone())));
        }
        Ok(Some(left))
    }

    async fn stage(&self, cx: &Context<'_>, supply: &Supply) -> Result<Receipt, ActionError> {
        let value = supply.value(cx).await?;
        let text = value.expose_str().ok_or_else(|| ActionError::Refused("the value is not text".to_owned()))?;
        self.store.put_aside(self.at, cx.op, text).await?;
        Ok(Receipt::of("version", AwsSecrets::token(self.at, cx.op)).and("label", PENDING))
    }

    async fn promote(&self, cx: &Context<'_>, expect: &str) -> Result<Receipt, ActionError> {
        for _ in 0..RACES {
            let (from, text, staged) = match self.now(cx, expect).await? {
                Now::Ours(version) => return Ok(Receipt::of("version", version)),
                Now::Foreign(why) => return Err(ActionError::Conflict(why)),
                Now::AsPlanned(version, text, staged) => (version, text, staged),
            };
            if let Some(version) = self.switch(cx, &from, &text, &staged, &AwsSecrets::token(self.at, cx.op)).await? {
                return Ok(Receipt::of("version", version).and("before", from));
            }
        }
        Err(ActionError::Unavailable { why: format!("{} keeps changing under us", self.at), retry_after: None })
    }

    /// Makes `value` current where `from` is: by the version `candidate` when its other fields are those of now, else by a
    /// version of its own. `None` when `from` is not current any more.
    async fn switch(
        &self,
        cx: &Context<'_>,
        from: &str,
        text: &str,
        value: &str,
        candidate: &str,
    ) -> Result<Option<String>, ActionError> {
        let (store, place) = (self.store, Place::of(self.at));
        let gone = || ActionError::Conflict(format!("{} is gone", self.at));
        let wanted = place.with(text, value).ok_or_else(gone)?;
        let ready = store.version(place.secret, WhichVersion::Id(candidate)).await?.and_then(|version| version.text);
        let to = if ready.is_some_and(|ready| same_text(&ready, &wanted)) {
            candidate.to_owned()
        } else {
            // Its id follows from what it replaces, so a repeated call makes no second one.
            let token = Uuid::new_v5(&cx.op, format!("{}\n{from}", self.at.locator).as_bytes()).to_string();
            let label = AwsSecrets::label(&AwsSecrets::token(self.at, cx.op));
            store.aws.put_secret_version(place.secret, &token, &wanted, &[label]).await.map_err(changing)?;
            token
        };
        match store.aws.move_secret_label(place.secret, CURRENT, Some(from), Some(&to)).await {
            Ok(()) => Ok(Some(to)),
            Err(failure) if failure.code() == "InvalidParameterException" => Ok(None),
            Err(failure) => Err(changing(failure)),
        }
    }

    async fn retire(&self, cx: &Context<'_>, replaced: &str) -> Result<Receipt, ActionError> {
        let secret = Place::of(self.at).secret;
        let kept = || ActionError::Conflict(format!("{} still has the old value", self.at));
        let left = self.left(cx, replaced).await?.ok_or_else(kept)?;
        self.store.drop_label(secret, PENDING, &AwsSecrets::token(self.at, cx.op)).await?;
        for (label, version) in &left {
            self.store.drop_label(secret, label, version).await?;
        }
        let previous = left.iter().filter(|(label, _)| label == PREVIOUS).map(|(_, version)| version.as_str());
        Ok(Receipt::of("labels taken away", left.len()).and("evicted", previous.collect::<Vec<_>>().join(", ")))
    }
}

/// Whether two versions say the same, whatever the spaces and the order of their fields.
fn same_text(one: &str, other: &str) -> bool {
    match (entry_of(one), entry_of(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

impl Work for SecretAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("aws-secrets.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        match &self.step {
            StoreStep::Stage(_) => {
                if self.store.staged(self.at, cx.op).await?.is_some() {
                    return Ok(Observed::Done(Receipt::of("version", AwsSecrets::token(self.at, cx.op))));
                }
                let facts = self.store.facts(Place::of(self.at).secret).await?;
                if facts.rotates || facts.owner.is_some() {
                    let why = format!("AWS rotates {} itself now: no value is written beside it", facts.name);
                    return Ok(Observed::Conflict(why));
                }
                Ok(match AwsSecrets::others_pending(&facts) {
                    Some(version) => Observed::Conflict(format!("{} has version {version} pending", facts.name)),
                    None => Observed::NotDone,
                })
            }
            StoreStep::Promote { expect } => Ok(match self.now(cx, expect).await? {
                Now::Ours(version) => Observed::Done(Receipt::of("version", version)),
                Now::AsPlanned(..) => Observed::NotDone,
                Now::Foreign(why) => Observed::Conflict(why),
            }),
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
            StoreStep::Retire { replaced } => Ok(match self.left(cx, replaced).await? {
                None => Observed::Conflict(format!("{} still has the old value", self.at)),
                Some(left) if left.is_empty() => Observed::Done(Receipt::of("labels of the old value", "none")),
                Some(_) => Observed::NotDone,
            }),
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            StoreStep::Stage(supply) => self.stage(cx, supply).await,
            StoreStep::Promote { expect } => self.promote(cx, expect).await,
            StoreStep::Retire { replaced } => self.retire(cx, replaced).await,
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let (store, secret) = (self.store, Place::of(self.at).secret);
        match &self.step {
            StoreStep::Stage(_) => {
                let token = AwsSecrets::token(self.at, cx.op);
                let facts = store.facts(secret).await?;
                for label in facts.labels.get(&token).into_iter().flatten().filter(|label| *label != CURRENT) {
                    store.drop_label(secret, label, &token).await?;
                }
                Ok(Receipt::of("staged version", "without a label"))
            }
            StoreStep::Promote { expect } => {
                let (id, fence) = split_version(expect);
                let from = match self.now(cx, expect).await? {
                    Now::AsPlanned(version, ..) => return Ok(Receipt::of("version", version)),
                    Now::Foreign(why) => return Err(ActionError::Conflict(why)),
                    Now::Ours(version) => version,
                };
                let old = store.value_of(self.at, WhichVersion::Id(id)).await?;
                let old = old.filter(|value| fence.is_none_or(|fence| store.fence(value) == fence));
                let old = old.ok_or_else(|| ActionError::Stuck(format!("the old value of {} is gone", self.at)))?;
                let (_, text) = store.current(self.at).await?;
                let back = self.switch(cx, &from, &text, &old, id).await?;
                let raced = || ActionError::Conflict(format!("{} changed in the meantime", self.at));
                Ok(Receipt::of("version", back.ok_or_else(raced)?))
            }
            StoreStep::Retire { .. } => Err(ActionError::Refused("labels that were taken do not come back".to_owned())),
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
        }
    }
}
