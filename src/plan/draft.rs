//! Everything known → the plan.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::policy::{Policy, Waiver};
use super::step::{Disposition, Does, Plan, Step, Treatment};
use crate::action::{ActionName, Effect, Slot, Target, ValueRef};
use crate::attribution::{Exposure, Relation};
use crate::finding::Liveness;
use crate::provider::{Owned, ProviderStep};
use crate::secret::Fingerprint;
use crate::store::{Holding, StoreStep, Supply};

/// A credential as planning sees it: everything but the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// What a person calls it.
    pub label: String,
    /// Highest confidence of its findings.
    pub confidence: f32,
    /// Number of places in text.
    pub places: usize,
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
}

/// Everything that planning looks at.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// The case.
    pub case: Uuid,
    /// Who leaves.
    pub identity: &'a str,
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
    treatments.sort_by_key(|treatment| match treatment.disposition {
        Disposition::Freeze => 0,
        Disposition::Revoke => 1,
        Disposition::Rotate => 2,
        _ => 3,
    });
    for (number, treatment) in treatments.iter_mut().enumerate() {
        treatment.id = format!("c{}", number + 1);
        for (at, step) in treatment.steps.iter_mut().enumerate() {
            step.id = format!("c{}.{}", number + 1, at + 1);
        }
    }
    Plan {
        schema: "offkey.plan/1".to_owned(),
        case: inputs.case,
        identity: inputs.identity.to_owned(),
        cap: inputs.policy.cap,
        notes: notes(inputs),
        treatments,
    }
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
fn notes(inputs: &Inputs<'_>) -> Vec<String> {
    let unmatched = inputs
        .waivers
        .iter()
        .filter(|waiver| !inputs.credentials.iter().any(|credential| credential.fingerprint == waiver.fingerprint));
    unmatched
        .map(|waiver| format!("the waiver {} of {} fits nothing that was found: remove it", waiver.id, waiver.owner))
        .collect()
}

/// Fact by which a provider says that an owned thing is an account to freeze, not a credential to kill.
const FREEZE: &str = "freeze";

/// Fact by which a provider says that offkey itself works with this thing.
const OWN: &str = "self";

fn of_owned(inputs: &Inputs<'_>, owned: &Owned) -> Treatment {
    let freeze = owned.facts.contains_key(FREEZE);
    let mut treatment = Treatment {
        id: String::new(),
        credential: None,
        label: format!("{} {}", owned.label, owned.at.locator),
        account: Some(owned.at.clone()),
        disposition: if freeze { Disposition::Freeze } else { Disposition::Revoke },
        why: vec![owned.reason.clone()],
        op: op(inputs.case, &owned.at.to_string()),
        steps: Vec::new(),
    };
    if inputs.policy.protects(&owned.at.to_string()) {
        treatment.disposition =
            Disposition::Open { todo: format!("{} is protected by policy: end it by hand", owned.at) };
    } else if let Liveness::Dead(proof) = &owned.liveness {
        treatment.disposition = Disposition::AlreadyDead { proof: proof.clone() };
    } else if owned.facts.contains_key(OWN) {
        let todo = format!("offkey itself works with {}: give it a credential of its own, then sweep again", owned.at);
        treatment.disposition = Disposition::Open { todo };
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
        why,
        op: op(inputs.case, &credential.fingerprint.to_string()),
        steps: Vec::new(),
    };
    let holdings: Vec<&Holding> =
        inputs.holdings.iter().filter(|h| h.current && h.fingerprint == credential.fingerprint).collect();
    (treatment.disposition, treatment.steps) = dispose(inputs, credential, &ties, &holdings, account, treatment.op);
    Some(treatment)
}

/// Decides how one credential ends.
fn dispose(
    inputs: &Inputs<'_>,
    credential: &Known,
    ties: &[&Exposure],
    holdings: &[&Holding],
    account: Option<&Account>,
    op: Uuid,
) -> (Disposition, Vec<Step>) {
    let open = |todo: String| (Disposition::Open { todo }, Vec::new());
    if let Some(waiver) = inputs.waivers.iter().find(|w| w.fingerprint == credential.fingerprint) {
        if waiver.until.as_str() >= inputs.today {
            return (Disposition::Waived { waiver: waiver.id.clone(), until: waiver.until.clone() }, Vec::new());
        }
        return open(format!("its waiver {} ended on {}: renew it or let offkey treat it", waiver.id, waiver.until));
    }
    let protected = holdings.iter().map(|h| &h.at).chain(account.map(|a| &a.at));
    if let Some(target) = protected.map(ToString::to_string).find(|target| inputs.policy.protects(target)) {
        return open(format!("{target} is protected by policy: change it by hand, then confirm"));
    }
    // Dead although a store keeps it: the account has another value, and a new one would cut off whoever uses that.
    if let Some(Account { liveness: Liveness::Dead(proof), .. }) = account {
        return (Disposition::AlreadyDead { proof: proof.clone() }, Vec::new());
    }
    if inputs.own.contains(&credential.fingerprint) {
        return open(
            "offkey itself logs in with it, and would lock itself out: give it a credential of its own, then sweep again"
                .to_owned(),
        );
    }
    match (account, holdings) {
        (Some(Account { at, settable: true, liveness: Liveness::Unknown(why), .. }), [_, ..]) => open(format!(
            "{at} could not say whether it lives ({why}), and a new value would cut off whoever uses another one: sweep again"
        )),
        (Some(account), [_, ..]) if account.settable => {
            (Disposition::Rotate, rotate(inputs.policy, holdings, Some(account), op))
        }
        (Some(account), []) if !account.settable && individual(ties) => {
            (Disposition::Revoke, revoke(credential, account))
        }
        (Some(account), []) if individual(ties) => open(format!(
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
        (None, [_, ..]) if holdings.iter().all(|h| inputs.policy.is_self_issued(&h.at.to_string())) => {
            (Disposition::Rotate, rotate(inputs.policy, holdings, None, op))
        }
        (None, [held, ..]) => open(format!(
            "kept in {}, but no configured provider issued it: add its provider to offkey.toml, or list it under policy.self_issued",
            held.at
        )),
        (None, []) => open(
            "no configured store keeps it and no configured provider knows it: find its issuer and end it there"
                .to_owned(),
        ),
    }
}

/// Only the leaver holds it.
fn individual(ties: &[&Exposure]) -> bool {
    let theirs = ties.iter().any(|tie| tie.leaver && tie.relation == Relation::Theirs);
    theirs || ties.iter().all(|tie| tie.leaver || tie.relation == Relation::CouldRead)
}

fn revoke(credential: &Known, account: &Account) -> Vec<Step> {
    let old = ValueRef::found(&credential.fingerprint);
    vec![provider(&account.at, ProviderStep::Revoke), provider(&account.at, ProviderStep::Verify { new: None, old })]
}

/// Create pending → set → test → promote everywhere → evict → verify → retire everywhere. The old value is needed for the
/// last probe, so old versions are destroyed after it.
fn rotate(policy: &Policy, holdings: &[&Holding], account: Option<&Account>, op: Uuid) -> Vec<Step> {
    // One staged value a place: two fields of one entry that hold the same value are two places.
    let places: BTreeMap<&Target, &&Holding> = holdings.iter().map(|h| (&h.at, h)).collect();
    let first = holdings[0];
    let staged = |at: &Target| ValueRef { at: at.clone(), slot: Slot::Staged(op) };
    let old = ValueRef { at: first.at.clone(), slot: Slot::Version(first.version.clone()) };
    let mut steps = vec![store(
        &first.at,
        StoreStep::Stage(Supply::Generate { length: policy.length, alphabet: policy.alphabet.clone() }),
    )];
    for at in places.keys().filter(|at| ***at != first.at) {
        steps.push(store(at, StoreStep::Stage(Supply::Copy(staged(&first.at)))));
    }
    if let Some(account) = account {
        steps.push(provider(&account.at, ProviderStep::Set { new: staged(&first.at), old: old.clone() }));
        steps.push(provider(&account.at, ProviderStep::Test { new: staged(&first.at) }));
    }
    for (at, holding) in &places {
        steps.push(store(at, StoreStep::Promote { expect: holding.version.clone() }));
    }
    if let Some(account) = account {
        let new = ValueRef { at: first.at.clone(), slot: Slot::Current };
        steps.push(provider(&account.at, ProviderStep::Evict { old: old.clone() }));
        steps.push(provider(&account.at, ProviderStep::Verify { new: Some(new), old }));
    }
    for (at, holding) in &places {
        steps.push(store(at, StoreStep::Retire { replaced: holding.version.clone() }));
    }
    steps
}

fn store(at: &Target, does: StoreStep) -> Step {
    let (name, effect) = match does {
        StoreStep::Stage(_) => ("store.stage", Effect::Reversible),
        StoreStep::Promote { .. } => ("store.promote", Effect::Reversible),
        StoreStep::Retire { .. } => ("store.retire", Effect::Final),
    };
    step(name, effect, at, Does::Store(does))
}

fn provider(at: &Target, does: ProviderStep) -> Step {
    let (name, effect) = match does {
        ProviderStep::Freeze => ("provider.freeze", Effect::Reversible),
        ProviderStep::Revoke => ("provider.revoke", Effect::Final),
        ProviderStep::Set { .. } => ("provider.set", Effect::Reversible),
        ProviderStep::Issue { .. } => ("provider.issue", Effect::Reversible),
        ProviderStep::Test { .. } => ("provider.test", Effect::ReadOnly),
        ProviderStep::Evict { .. } => ("provider.evict", Effect::Final),
        ProviderStep::Verify { .. } => ("provider.verify", Effect::ReadOnly),
    };
    step(name, effect, at, Does::Provider(does))
}

fn step(name: &str, effect: Effect, at: &Target, does: Does) -> Step {
    Step { id: String::new(), action: ActionName(name.to_owned()), target: at.clone(), does, effect }
}

fn op(case: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&case, what.as_bytes())
}
