//! Everything known → the plan.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::period::Period;
use super::policy::{Decision, Policy, Waiver, Way, fits};
use super::sequence::{consumers, provider, readable, revoke, rotate, rotate_there};
use super::step::{Disposition, Does, Plan, Step, Treatment};
use crate::action::{Slot, Target, ValueRef};
use crate::attribution::{Exposure, Relation};
use crate::finding::Liveness;
use crate::provider::{Owned, ProviderStep};
use crate::secret::Fingerprint;
use crate::store::{Holding, OwnRotation, StoreStep};

/// A credential as planning sees it: everything but the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// What a person calls it.
    pub label: String,
    /// Its kind, and the rule that found it: what policy names.
    pub kinds: [String; 2],
    /// Highest confidence of its findings.
    pub confidence: f32,
    /// Number of places in text.
    pub places: usize,
    /// The day on which it ends by itself, `2026-11-22`, where its issuer wrote that into it.
    pub ends: Option<String>,
}

/// A credential's account at its issuer.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The credential.
    pub fingerprint: Fingerprint,
    /// The account.
    pub at: Target,
    /// What the issuer says.
    pub liveness: Liveness,
    /// Whether the issuer can set a new value for this account (a role's password), or only kill the old (a token).
    pub settable: bool,
    /// Whether the issuer makes new values itself, beside the old one (a second access key).
    pub issuable: bool,
    /// Whether the old value goes on working beside a new one until it is evicted.
    pub overlaps: bool,
}

/// Everything that planning looks at.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// The case.
    pub case: Uuid,
    /// Who leaves.
    pub identity: &'a str,
    /// Targets that they go on using in another role, `*` at the end.
    pub keeps: &'a [String],
    /// Today, `2026-11-22`: waivers end.
    pub today: &'a str,
    /// Distinct values found in text or read by the leaver.
    pub credentials: &'a [Known],
    /// Ties to people.
    pub exposures: &'a [Exposure],
    /// Where values are kept.
    pub holdings: &'a [Holding],
    /// Whose they are at the issuers.
    pub accounts: &'a [Account],
    /// What providers know to be the leaver's.
    pub owned: &'a [Owned],
    /// Credentials that offkey itself logs in with.
    pub own: &'a [Fingerprint],
    /// Exceptions.
    pub waivers: &'a [Waiver],
    /// What was decided beforehand.
    pub policy: &'a Policy,
}

/// Makes the plan. Accounts are frozen first, so that no live session reads a fresh value; then what is the leaver's own is
/// revoked; then shared values are rotated.
pub fn draft(inputs: &Inputs<'_>) -> Plan {
    let mut treatments: Vec<Treatment> = Vec::new();
    // What was found by its value is treated there, with a probe at the end that only the value makes possible.
    let by_value = |owned: &&Owned| !inputs.accounts.iter().any(|account| account.at == owned.at);
    // Two names of one person may lead to the same thing.
    let mut seen = BTreeSet::new();
    for owned in inputs.owned.iter().filter(by_value).filter(|owned| seen.insert(&owned.at)) {
        treatments.push(of_owned(inputs, owned));
    }
    for credential in inputs.credentials {
        if let Some(treatment) = of_credential(inputs, credential) {
            treatments.push(treatment);
        }
    }
    one_new_value_an_account(&mut treatments);
    treatments.sort_by_key(|treatment| {
        let phase = match treatment.disposition {
            Disposition::Freeze => 0,
            Disposition::Revoke => 1,
            Disposition::Rotate => 2,
            _ => 3,
        };
        (phase, !treatment.urgent, inputs.policy.turn(&targets(treatment)))
    });
    for (number, treatment) in treatments.iter_mut().enumerate() {
        treatment.id = format!("c{}", number + 1);
        for (at, step) in treatment.steps.iter_mut().enumerate() {
            step.id = format!("c{}.{}", number + 1, at + 1);
        }
    }
    let calm = treatments.iter().filter(|one| one.disposition == Disposition::Rotate && !one.urgent);
    Plan {
        schema: "offkey.plan/1".to_owned(),
        case: inputs.case,
        identity: inputs.identity.to_owned(),
        cap: inputs.policy.cap,
        canaries: calm.take(inputs.policy.canary).map(|treatment| treatment.id.clone()).collect(),
        approval: inputs.policy.approval.clone(),
        notes: notes(inputs, &treatments),
        treatments,
    }
}

/// Every target that a treatment touches.
fn targets(treatment: &Treatment) -> Vec<String> {
    treatment.steps.iter().map(|step| step.target.to_string()).collect()
}

/// An account takes one new value at a time: a second one would end the first before its consumers are asked.
fn one_new_value_an_account(treatments: &mut [Treatment]) {
    let mut taken: BTreeMap<Target, String> = BTreeMap::new();
    for treatment in treatments {
        let sets = treatment.steps.iter().find(|step| matches!(step.does, Does::Provider(ProviderStep::Set { .. })));
        let Some(account) = sets.map(|step| step.target.clone()) else { continue };
        if let Some(first) = taken.get(&account) {
            let todo = format!(
                "{account} accepts another value too, which is rotated first ({first}): sweep again after that"
            );
            treatment.disposition = Disposition::Open { todo };
            treatment.steps.clear();
        } else {
            taken.insert(account, treatment.label.clone());
        }
    }
}

/// What somebody who approves the plan should know beside it.
fn notes(inputs: &Inputs<'_>, treatments: &[Treatment]) -> Vec<String> {
    let unmatched = inputs
        .waivers
        .iter()
        .filter(|waiver| !inputs.credentials.iter().any(|credential| credential.fingerprint == waiver.fingerprint));
    let mut notes: Vec<String> = unmatched
        .map(|waiver| {
            let state = if waiver.until.as_str() < inputs.today {
                format!("ended on {} and fits", waiver.until)
            } else {
                "fits".to_owned()
            };
            format!("the waiver {} of {} {state} nothing that was found: remove it", waiver.id, waiver.owner)
        })
        .collect();
    notes.extend(of_keeps(inputs, treatments));
    for step in treatments.iter().flat_map(|treatment| &treatment.steps) {
        if let Does::Overwrite(does) = &step.does {
            notes.push(format!(
                "{}: {} is never shown and is a copy of {} by what offkey.toml says: nothing proves that it holds the old value, \
                 and after the step only that it was written",
                step.id, step.target, does.old.at
            ));
        }
    }
    let sets = |treatment: &&Treatment| treatment.steps.iter().all(|step| !is_own_rotation(step));
    for treatment in treatments.iter().filter(|treatment| !treatment.grace.is_zero()).filter(sets) {
        let account = inputs.accounts.iter().find(|account| Some(&account.at) == treatment.account.as_ref());
        if let Some(account) = account.filter(|account| !account.overlaps) {
            notes.push(format!(
                "{}: policy grants {} of grace, but {} accepts one value at a time: the old one ends when the new one is set",
                treatment.id, treatment.grace, account.at
            ));
        }
    }
    notes
}

/// What a change of role leaves to think about: what they keep and nobody found, and accounts that may read fresh values.
fn of_keeps(inputs: &Inputs<'_>, treatments: &[Treatment]) -> Vec<String> {
    let places = inputs.holdings.iter().map(|holding| &holding.at);
    let accounts = inputs.accounts.iter().map(|account| &account.at);
    let all: Vec<String> =
        inputs.owned.iter().map(|owned| &owned.at).chain(accounts).chain(places).map(ToString::to_string).collect();
    let unmatched = inputs.keeps.iter().filter(|pattern| !all.iter().any(|target| fits(pattern, target)));
    let mut notes: Vec<String> = unmatched
        .map(|pattern| format!("{} keeps {pattern}, which fits nothing that was found", inputs.identity))
        .collect();
    if treatments.iter().any(|one| one.disposition == Disposition::Rotate) {
        let stays = |owned: &&Owned| owned.facts.contains_key(FREEZE) && kept(inputs, &owned.at.to_string()).is_some();
        notes.extend(inputs.owned.iter().filter(stays).map(|owned| {
            format!(
                "{} stays: take its rights on what is rotated here away first, or it reads the new values",
                owned.at
            )
        }));
    }
    notes
}

/// Fact by which a provider says that an owned thing is an account to freeze, not a credential to kill.
const FREEZE: &str = "freeze";

/// Fact by which a provider says that offkey itself works with this thing.
const OWN: &str = "self";

/// Fact by which a provider says what a person has to do about a thing that it cannot or must not end itself.
const BY_HAND: &str = "by hand";

fn of_owned(inputs: &Inputs<'_>, owned: &Owned) -> Treatment {
    let freeze = owned.facts.contains_key(FREEZE);
    let mut treatment = Treatment {
        id: String::new(),
        credential: None,
        label: format!("{} {}", owned.label, owned.at.locator),
        account: Some(owned.at.clone()),
        disposition: if freeze { Disposition::Freeze } else { Disposition::Revoke },
        consumers: Vec::new(),
        why: vec![owned.reason.clone()],
        tier: None,
        urgent: false,
        grace: Period::default(),
        op: op(inputs.case, &owned.at.to_string()),
        steps: Vec::new(),
    };
    if inputs.policy.protects(&owned.at.to_string()) {
        treatment.disposition =
            Disposition::Open { todo: format!("{} is protected by policy: end it by hand", owned.at) };
    } else if let Liveness::Dead(proof) = &owned.liveness {
        treatment.disposition = Disposition::AlreadyDead { proof: proof.clone() };
    } else if let Some(by) = kept(inputs, &owned.at.to_string()) {
        treatment.disposition = Disposition::Kept { by };
    } else if owned.facts.contains_key(OWN) {
        let todo = format!("offkey itself works with {}: give it a credential of its own, then sweep again", owned.at);
        treatment.disposition = Disposition::Open { todo };
    } else if let Some(todo) = owned.facts.get(BY_HAND) {
        treatment.disposition = Disposition::Open { todo: todo.clone() };
    } else {
        let does = if freeze { ProviderStep::Freeze } else { ProviderStep::Revoke };
        treatment.steps.push(provider(&owned.at, does));
    }
    treatment
}

fn of_credential(inputs: &Inputs<'_>, credential: &Known) -> Option<Treatment> {
    let ties: Vec<&Exposure> = inputs.exposures.iter().filter(|e| e.fingerprint == credential.fingerprint).collect();
    let leavers: Vec<&&Exposure> = ties.iter().filter(|tie| tie.leaver).collect();
    if leavers.is_empty() || credential.confidence < inputs.policy.min_confidence {
        return None;
    }
    let why = leavers
        .iter()
        .map(|tie| format!("{}: {}", tie.relation.label(), tie.reasons.first().map_or("", String::as_str)))
        .collect();
    let account = inputs.accounts.iter().find(|account| account.fingerprint == credential.fingerprint);
    let mut treatment = Treatment {
        id: String::new(),
        credential: Some(credential.fingerprint),
        label: credential.label.clone(),
        account: account.map(|account| account.at.clone()),
        disposition: Disposition::Open { todo: String::new() },
        consumers: Vec::new(),
        why,
        tier: None,
        urgent: false,
        grace: Period::default(),
        op: op(inputs.case, &credential.fingerprint.to_string()),
        steps: Vec::new(),
    };
    let mut holdings: Vec<&Holding> =
        inputs.holdings.iter().filter(|h| h.current && h.fingerprint == credential.fingerprint).collect();
    // What can be read comes first: it is named to people, and probes take the old value from there.
    holdings.sort_by_key(|holding| holding.copy_of.is_some());
    treatment.consumers = consumers(&holdings);
    let touched: Vec<String> =
        holdings.iter().map(|h| &h.at).chain(account.map(|a| &a.at)).map(ToString::to_string).collect();
    let kinds = credential.kinds.each_ref().map(String::as_str);
    let tier = inputs.policy.tier(&kinds, &touched);
    let facts = Facts {
        credential,
        ties: &ties,
        holdings: &holdings,
        account,
        touched: &touched,
        decision: inputs.policy.decision(tier, &kinds, &touched),
        op: treatment.op,
    };
    (treatment.disposition, treatment.steps) = dispose(inputs, &facts);
    if let (Disposition::Rotate, Some(decision)) = (&treatment.disposition, facts.decision) {
        treatment.urgent = decision.way == Way::EmergencyRotate;
        treatment.grace = if treatment.urgent { Period::default() } else { decision.grace };
    }
    treatment.tier = tier.map(str::to_owned);
    Some(treatment)
}

/// What is known of one credential, and what policy decided for it.
struct Facts<'a> {
    credential: &'a Known,
    ties: &'a [&'a Exposure],
    holdings: &'a [&'a Holding],
    account: Option<&'a Account>,
    touched: &'a [String],
    decision: Option<&'a Decision>,
    op: Uuid,
}

type Ending = (Disposition, Vec<Step>);

fn open(todo: String) -> Ending {
    (Disposition::Open { todo }, Vec::new())
}

/// Decides how one credential ends: exceptions, what must not be touched, what policy decided, what its kind allows.
fn dispose(inputs: &Inputs<'_>, facts: &Facts<'_>) -> Ending {
    if let Some(waiver) = inputs.waivers.iter().find(|w| w.fingerprint == facts.credential.fingerprint) {
        if waiver.until.as_str() >= inputs.today {
            return (Disposition::Waived { waiver: waiver.id.clone(), until: waiver.until.clone() }, Vec::new());
        }
        return open(format!("its waiver {} ended on {}: renew it or let offkey treat it", waiver.id, waiver.until));
    }
    if let Some(target) = facts.touched.iter().find(|target| inputs.policy.protects(target)) {
        return open(format!("{target} is protected by policy: change it by hand, then confirm"));
    }
    // Dead although a store keeps it: the account has another value, and a new one would cut off whoever uses that.
    if let Some(Account { liveness: Liveness::Dead(proof), .. }) = facts.account {
        return (Disposition::AlreadyDead { proof: proof.clone() }, Vec::new());
    }
    // One place that they lose is enough: the value is the same everywhere.
    let keeps: Option<Vec<String>> = facts.touched.iter().map(|target| kept(inputs, target)).collect();
    if let Some(by) = keeps.and_then(|all| all.into_iter().next()) {
        return (Disposition::Kept { by }, Vec::new());
    }
    if inputs.own.contains(&facts.credential.fingerprint) {
        return open(
            "offkey itself logs in with it, and would lock itself out: give it a credential of its own, then sweep again"
                .to_owned(),
        );
    }
    if let (None, Some(on)) = (facts.account, facts.credential.ends.as_ref().filter(|day| day.as_str() < inputs.today))
    {
        return (Disposition::Expired { on: on.clone() }, Vec::new());
    }
    let decided = facts.decision.and_then(|decision| by_decision(inputs, facts, decision));
    decided.or_else(|| by_itself(inputs, facts)).unwrap_or_else(|| by_kind(inputs, facts))
}

/// What the identity file says of a target that they go on using.
fn kept(inputs: &Inputs<'_>, target: &str) -> Option<String> {
    inputs.keeps.iter().find(|pattern| fits(pattern, target)).cloned()
}

/// What policy decided, if that is not a rotation.
fn by_decision(inputs: &Inputs<'_>, facts: &Facts<'_>, decision: &Decision) -> Option<Ending> {
    match decision.way {
        Way::Rotate | Way::EmergencyRotate => None,
        Way::HandOver => {
            let to = decision.to.clone().unwrap_or_default();
            let place = facts.touched.first().map_or_else(String::new, |place| format!(" at {place}"));
            let todo = format!("{to} replaces it{place} by hand, as policy decided; then confirm");
            Some((Disposition::HandOver { to, todo }, Vec::new()))
        }
        Way::LetExpire => {
            let days = decision.within.map_or(0, |within| within.0.div_ceil(86_400));
            Some((Disposition::LetExpire { by: later(inputs.today, days), signed: false }, Vec::new()))
        }
        Way::Revoke => Some(match (facts.account, facts.holdings) {
            (Some(account), []) => {
                (Disposition::Revoke, revoke(account, ValueRef::found(&facts.credential.fingerprint)))
            }
            (Some(account), [held, ..]) => {
                let old = ValueRef { at: held.at.clone(), slot: Slot::Version(held.version.clone()) };
                (Disposition::Revoke, revoke(account, old))
            }
            (None, _) => open(
                "policy wants it revoked, but no configured provider knows it: find its issuer and end it there"
                    .to_owned(),
            ),
        }),
    }
}

/// The day that many days after `today`.
fn later(today: &str, days: u64) -> String {
    let day = today.parse::<jiff::civil::Date>().ok();
    let later = day.and_then(|day| day.checked_add(jiff::Span::new().try_days(i64::try_from(days).ok()?).ok()?).ok());
    later.map_or_else(|| today.to_owned(), |day| day.to_string())
}

fn is_own_rotation(step: &Step) -> bool {
    matches!(step.does, Does::Store(StoreStep::Rotate { .. }))
}

/// What is kept where the store rotates by itself; `None` when it is kept nowhere like that.
fn by_itself(inputs: &Inputs<'_>, facts: &Facts<'_>) -> Option<Ending> {
    let rotated = |held: &&Holding| held.own_rotation().is_some();
    let Some(held) = facts.holdings.iter().copied().find(rotated) else {
        return facts.holdings.is_empty().then(|| turn_before(inputs, facts)).flatten();
    };
    let (entry, command) = (entry_of(&held.at), held.rotation_command());
    if held.own_rotation() == Some(OwnRotation::ByHand) {
        return Some(open(format!("{entry} is managed by a service: run `{command}`, then confirm")));
    }
    if let Some(copy) = facts.holdings.iter().find(|other| entry_of(&other.at) != entry) {
        return Some(open(format!(
            "{entry} is rotated by its own store, which does not know the copy at {}: let its consumers read {entry} and \
             remove the copy, then sweep again",
            copy.at
        )));
    }
    if let Some(Account { at, liveness: Liveness::Unknown(why), .. }) = facts.account {
        return Some(open(format!("{at} could not say whether it lives ({why}): sweep again")));
    }
    Some((Disposition::Rotate, rotate_there(inputs.policy, facts.holdings, facts.account)))
}

/// The value before the current one of a secret whose two users take turns: it works until the next rotation.
fn turn_before(inputs: &Inputs<'_>, facts: &Facts<'_>) -> Option<Ending> {
    let ours = |held: &&Holding| held.fingerprint == facts.credential.fingerprint && !held.current;
    let held = inputs.holdings.iter().filter(ours).find(|held| held.own_rotation() == Some(OwnRotation::TwoUsers))?;
    Some(open(format!(
        "two users take turns at {}, and this value is that of the one whose turn is next: run `{}`, then confirm",
        entry_of(&held.at),
        held.rotation_command()
    )))
}

/// The entry that a place is a field of.
fn entry_of(at: &Target) -> String {
    let entry = at.locator.rsplit_once('#').map_or(at.locator.as_str(), |(entry, _)| entry);
    format!("{}:{entry}", at.system)
}

/// What its kind allows: shared values are replaced, individual ones killed, the rest is for a person.
fn by_kind(inputs: &Inputs<'_>, facts: &Facts<'_>) -> Ending {
    match (facts.account, facts.holdings) {
        (Some(Account { at, settable: true, liveness: Liveness::Unknown(why), .. }), [_, ..]) => open(format!(
            "{at} could not say whether it lives ({why}), and a new value would cut off whoever uses another one: sweep again"
        )),
        (Some(Account { at, issuable: true, liveness: Liveness::Unknown(why), .. }), [_, ..]) => {
            open(format!("{at} could not say whether it lives ({why}): sweep again"))
        }
        (Some(account), holdings @ [_, ..]) if account.settable || account.issuable => {
            (Disposition::Rotate, rotate(inputs.policy, holdings, Some(account), facts.op))
        }
        (Some(account), []) if !account.settable && individual(facts.ties) => {
            (Disposition::Revoke, revoke(account, ValueRef::found(&facts.credential.fingerprint)))
        }
        (Some(account), []) if individual(facts.ties) => open(format!(
            "no store keeps it: set a new value for {} by hand, or add its store to offkey.toml",
            account.at
        )),
        (Some(account), []) => open(format!(
            "others use it too and no store keeps it: replace it for them, then revoke it at {}",
            account.at
        )),
        (Some(account), [held, ..]) => open(format!(
            "{} cannot set a value: issue a new one there, put it into {}, then revoke the old one",
            account.at, held.at
        )),
        (None, holdings @ [_, ..]) if readable(holdings).all(|h| inputs.policy.is_self_issued(&h.at.to_string())) => {
            (Disposition::Rotate, rotate(inputs.policy, holdings, None, facts.op))
        }
        (None, [held, ..]) => open(format!(
            "kept in {}, but no configured provider issued it: add its provider to offkey.toml, or list it under policy.self_issued",
            held.at
        )),
        (None, []) => unknown(inputs, facts.credential.ends.as_deref()),
    }
}

/// What nobody here keeps or knows: its issuer has to be found, or its own end is near.
fn unknown(inputs: &Inputs<'_>, ends: Option<&str>) -> Ending {
    let todo = "no configured store keeps it and no configured provider knows it: find its issuer and end it there";
    match ends {
        Some(day) if day <= later(inputs.today, SOON).as_str() => {
            (Disposition::LetExpire { by: day.to_owned(), signed: true }, Vec::new())
        }
        Some(day) => open(format!("{todo}; it ends by itself on {day} only")),
        None => open(todo.to_owned()),
    }
}

/// Days after which nobody should wait for an end that is written into a value.
const SOON: u64 = 7;

/// Only the leaver holds it.
fn individual(ties: &[&Exposure]) -> bool {
    let theirs = ties.iter().any(|tie| tie.leaver && tie.relation == Relation::Theirs);
    theirs || ties.iter().all(|tie| tie.leaver || tie.relation == Relation::CouldRead)
}

fn op(case: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&case, what.as_bytes())
}
