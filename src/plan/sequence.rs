//! The steps of each way to end, in the order that keeps consumers working.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::draft::Account;
use super::policy::{Hook, Policy};
use super::step::{Converge, Does, HookStep, Step};
use crate::action::{ActionName, Effect, Slot, Target, ValueRef};
use crate::provider::ProviderStep;
use crate::store::{Holding, Overwrite, OwnRotation, StoreStep, Supply, Turn};

/// Kill at the issuer → see it dead.
pub(super) fn revoke(account: &Account, old: ValueRef) -> Vec<Step> {
    vec![provider(&account.at, ProviderStep::Revoke), provider(&account.at, ProviderStep::Verify { new: None, old })]
}

/// Create pending → set → test → promote everywhere → hooks → convergence → evict → verify → retire everywhere. The old value is needed for the
/// last probe, so old versions are destroyed after it. An issuer that makes the values itself stages the first one.
pub(super) fn rotate(policy: &Policy, holdings: &[&Holding], account: Option<&Account>, op: Uuid) -> Vec<Step> {
    // One staged value a place: two fields of one entry that hold the same value are two places.
    let places: BTreeMap<&Target, &Holding> = readable(holdings).map(|h| (&h.at, h)).collect();
    let copies: BTreeMap<&Target, &Holding> =
        holdings.iter().filter(|h| h.copy_of.is_some()).map(|h| (&h.at, *h)).collect();
    let first = readable(holdings).next().expect("because a copy is planned only beside the place that it copies");
    let staged = |at: &Target| ValueRef { at: at.clone(), slot: Slot::Staged(op) };
    let old = ValueRef { at: first.at.clone(), slot: Slot::Version(first.version.clone()) };
    let made = Supply::Generate { length: policy.length, alphabet: policy.alphabet.clone() };
    let issuing = account.filter(|account| !account.settable && account.issuable);
    let mut steps = vec![match issuing {
        Some(account) => provider(&account.at, ProviderStep::Issue { into: staged(&first.at) }),
        None => store(&first.at, StoreStep::Stage(made)),
    }];
    for at in places.keys().filter(|at| ***at != first.at) {
        steps.push(store(at, StoreStep::Stage(Supply::Copy(staged(&first.at)))));
    }
    if let Some(account) = account {
        if issuing.is_none() {
            steps.push(provider(&account.at, ProviderStep::Set { new: staged(&first.at), old: old.clone() }));
        }
        steps.push(provider(&account.at, ProviderStep::Test { new: staged(&first.at) }));
    }
    for (at, holding) in &places {
        steps.push(store(at, StoreStep::Promote { expect: holding.version.clone() }));
    }
    for (at, holding) in &copies {
        let does = Overwrite { expect: holding.version.clone(), new: staged(&first.at), old: old.clone() };
        steps.push(step("store.overwrite", Effect::Reversible, at, Does::Overwrite(does)));
    }
    let changed = places.keys().chain(copies.keys()).copied();
    let touched: Vec<String> = changed.chain(account.map(|a| &a.at)).map(ToString::to_string).collect();
    for hook in policy.hooks(&touched) {
        steps.push(run(hook, &touched));
    }
    let consumers = consumers(holdings);
    if !policy.converge.is_zero() && !consumers.is_empty() {
        let holds = account.is_some_and(|account| account.overlaps);
        let converge = Converge { consumers, within: policy.converge, holds };
        steps.push(step("consumers.converge", Effect::ReadOnly, &first.at, Does::Converge(converge)));
    }
    if let Some(account) = account {
        let new = ValueRef { at: first.at.clone(), slot: Slot::Current };
        steps.push(provider(&account.at, ProviderStep::Evict { old: old.clone() }));
        steps.push(provider(&account.at, ProviderStep::Verify { new: Some(new), old }));
    }
    for (at, holding) in places.iter().chain(&copies) {
        steps.push(store(at, StoreStep::Retire { replaced: holding.version.clone() }));
    }
    steps
}

/// Places whose stores show what they keep.
pub(super) fn readable<'h>(holdings: &[&'h Holding]) -> impl Iterator<Item = &'h Holding> {
    holdings.iter().copied().filter(|holding| holding.copy_of.is_none())
}

/// A secret whose store rotates it itself: start that → hooks → convergence → a second time, where two users take turns →
/// verify → retire. The store's machinery makes, sets and tests the values; offkey writes none.
pub(super) fn rotate_there(policy: &Policy, holdings: &[&Holding], account: Option<&Account>) -> Vec<Step> {
    let first = holdings[0];
    let turn = |turn| store(&first.at, StoreStep::Rotate { replaced: first.version.clone(), turn });
    let mut steps = vec![turn(Turn::First)];
    let touched: Vec<String> =
        holdings.iter().map(|h| &h.at).chain(account.map(|a| &a.at)).map(ToString::to_string).collect();
    for hook in policy.hooks(&touched) {
        steps.push(run(hook, &touched));
    }
    let consumers = consumers(holdings);
    if !policy.converge.is_zero() && !consumers.is_empty() {
        let holds = first.own_rotation() == Some(OwnRotation::TwoUsers);
        let converge = Converge { consumers, within: policy.converge, holds };
        steps.push(step("consumers.converge", Effect::ReadOnly, &first.at, Does::Converge(converge)));
    }
    steps.push(turn(Turn::Last));
    if let Some(account) = account {
        let new = ValueRef { at: first.at.clone(), slot: Slot::Current };
        let old = ValueRef { at: first.at.clone(), slot: Slot::Version(first.version.clone()) };
        steps.push(provider(&account.at, ProviderStep::Verify { new: Some(new), old }));
    }
    let places: BTreeMap<&Target, &&Holding> = holdings.iter().map(|h| (&h.at, h)).collect();
    for (at, holding) in &places {
        steps.push(store(at, StoreStep::Retire { replaced: holding.version.clone() }));
    }
    steps
}

/// Every program that is known to read one of the places.
pub(super) fn consumers(holdings: &[&Holding]) -> Vec<String> {
    let all: BTreeSet<&String> = holdings.iter().flat_map(|holding| &holding.consumers).collect();
    all.into_iter().cloned().collect()
}

fn run(hook: &Hook, targets: &[String]) -> Step {
    let at = Target { system: "hook".to_owned(), locator: hook.name.clone() };
    let (name, exec, webhook) = (hook.name.clone(), hook.exec.clone(), hook.webhook.clone());
    let does = Does::Hook(HookStep { name, exec, webhook, targets: targets.to_vec() });
    step("hook.run", Effect::Reversible, &at, does)
}

fn store(at: &Target, does: StoreStep) -> Step {
    let (name, effect) = match does {
        StoreStep::Stage(_) => ("store.stage", Effect::Reversible),
        StoreStep::Promote { .. } => ("store.promote", Effect::Reversible),
        StoreStep::Retire { .. } => ("store.retire", Effect::Final),
        StoreStep::Rotate { turn: Turn::First, .. } => ("store.rotate", Effect::Final),
        StoreStep::Rotate { turn: Turn::Last, .. } => ("store.rotate-again", Effect::Final),
    };
    step(name, effect, at, Does::Store(does))
}

pub(super) fn provider(at: &Target, does: ProviderStep) -> Step {
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
