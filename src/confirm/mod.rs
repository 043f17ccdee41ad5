//! Asks again, independently of what the executor saw: is the old value dead, does the new one live, is the text clean?
//!
//! Invariant: *unknown* is never counted as dead, and a case is complete only when every item is in a terminal state.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::{Context, Effect, Observed, Target, ValueRef, Values};
use crate::finding::Liveness;
use crate::plan::{Disposition, Does, Plan, Step, Treatment};
use crate::provider::ProviderStep;
use crate::rotation::{Execution, Systems};
use crate::secret::Fingerprint;

/// How long one look may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// How well the end of a credential is known, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// We saw the live system reject the old value.
    Observed,
    /// The system said that it did it.
    Acknowledged,
    /// It ended by itself: the time that its issuer wrote into it has passed.
    Expired,
    /// An owned, dated exception stands for it.
    Waived,
    /// It does not end: they go on using it in another role.
    Kept,
    /// Nothing shows it.
    None,
}

/// What a second look says of one item of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The treatment.
    pub treatment: String,
    /// What a person calls the credential.
    pub label: String,
    /// Whether the item is in a terminal state.
    pub closed: bool,
    /// How well that is known.
    pub evidence: Evidence,
    /// What the issuer says of the old value now.
    pub old: Option<Liveness>,
    /// What the issuer says of the new value now.
    pub new: Option<Liveness>,
    /// Places in text where the old value still stands.
    pub still_in_text: usize,
    /// What a person has to do, when the item is not closed.
    pub todo: Option<String>,
}

/// The end of a case, or what is missing from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// When, RFC 3339.
    pub time: String,
    /// Every item of the plan.
    pub items: Vec<Confirmation>,
    /// Whether every item is closed.
    pub complete: bool,
    /// Whether something could not be read during the second scan.
    pub partial: bool,
}

/// Looks again at every item. `in_text` counts the places where a fresh scan found each value.
pub async fn confirm(
    plan: &Plan,
    execution: &Execution,
    systems: &Systems,
    in_text: &HashMap<Fingerprint, usize>,
    partial: bool,
    time: String,
) -> Verdict {
    let mut items = Vec::new();
    for treatment in &plan.treatments {
        let mut item = look(treatment, execution, systems, &time).await;
        item.still_in_text =
            treatment.credential.and_then(|fingerprint| in_text.get(&fingerprint).copied()).unwrap_or(0);
        items.push(item);
    }
    let complete = items.iter().all(|item| item.closed);
    Verdict { time, items, complete, partial }
}

async fn look(treatment: &Treatment, execution: &Execution, systems: &Systems, time: &str) -> Confirmation {
    let mut item = Confirmation {
        treatment: treatment.id.clone(),
        label: treatment.label.clone(),
        closed: false,
        evidence: Evidence::None,
        old: None,
        new: None,
        still_in_text: 0,
        todo: None,
    };
    match &treatment.disposition {
        Disposition::Open { todo } | Disposition::HandOver { todo, .. } => {
            until_seen_dead(treatment, systems, &mut item, todo.clone()).await;
        }
        Disposition::LetExpire { by, signed } => {
            let late = by.as_str() < &time[..by.len().min(time.len())];
            if late && *signed {
                (item.closed, item.evidence) = (true, Evidence::Expired);
                return item;
            }
            let todo = if late {
                format!(
                    "it should have ended by {by}, and was not seen dead: revoke it, or decide otherwise and sweep again"
                )
            } else if *signed {
                format!("it ends by itself on {by}: end it at its issuer before, or confirm after that")
            } else {
                format!("it ends by itself until {by}: confirm after that")
            };
            until_seen_dead(treatment, systems, &mut item, todo).await;
        }
        Disposition::Expired { .. } => (item.closed, item.evidence) = (true, Evidence::Expired),
        Disposition::Kept { .. } => (item.closed, item.evidence) = (true, Evidence::Kept),
        Disposition::Waived { .. } => (item.closed, item.evidence) = (true, Evidence::Waived),
        Disposition::AlreadyDead { proof } => {
            item.old = ask_again(treatment, systems).await.or_else(|| Some(Liveness::Dead(proof.clone())));
            match &item.old {
                Some(Liveness::Live) => item.todo = Some("it works again: sweep again".to_owned()),
                Some(Liveness::Unknown(why)) => {
                    item.todo = Some(format!("nobody could say whether it is still dead ({why}): confirm again"));
                }
                _ => (item.closed, item.evidence) = (true, Evidence::Observed),
            }
        }
        Disposition::Freeze | Disposition::Revoke | Disposition::Rotate => {
            probe(treatment, systems, &mut item).await;
            close(treatment, execution, &mut item);
            if item.closed && pair(treatment).is_none() {
                look_at_effect(treatment, systems, &mut item).await;
            }
        }
    }
    item
}

/// Open until the issuer rejects the value: somebody may have ended it by hand since the sweep.
async fn until_seen_dead(treatment: &Treatment, systems: &Systems, item: &mut Confirmation, todo: String) {
    item.old = ask_again(treatment, systems).await;
    if matches!(item.old, Some(Liveness::Dead(_))) || has_ended(treatment, systems).await {
        (item.closed, item.evidence) = (true, Evidence::Observed);
    } else {
        item.todo = Some(todo);
    }
}

/// Whether the issuer says that a thing without a value has ended: its end is looked for, never brought about.
async fn has_ended(treatment: &Treatment, systems: &Systems) -> bool {
    let (None, Some(account)) = (treatment.credential, treatment.account.as_ref()) else { return false };
    let Some(provider) = systems.provider(&account.system) else { return false };
    let Some(end) = provider.action(account, ProviderStep::Revoke) else { return false };
    let cx = Context { op: treatment.op, values: systems, deadline: DEADLINE };
    matches!(end.observe(&cx).await, Ok(Observed::Done(_)))
}

/// What the issuer says now of a value that nothing was done about; `None` when value or issuer cannot be had.
async fn ask_again(treatment: &Treatment, systems: &Systems) -> Option<Liveness> {
    let (account, fingerprint) = (treatment.account.as_ref()?, treatment.credential.as_ref()?);
    let provider = systems.provider(&account.system)?;
    let value = systems.read(&ValueRef::found(fingerprint)).await.ok().flatten()?;
    Some(provider.validate(account, &value).await)
}

/// Where no value can be tried, the effect itself is looked at again: is the account still frozen, the token still gone?
async fn look_at_effect(treatment: &Treatment, systems: &Systems, item: &mut Confirmation) {
    let acted = |step: &&Step| step.effect != Effect::ReadOnly && matches!(step.does, Does::Provider(_));
    for step in treatment.steps.iter().filter(acted) {
        let cx = Context { op: treatment.op, values: systems, deadline: DEADLINE };
        let seen = match systems.action(step) {
            Ok(action) => action.observe(&cx).await,
            Err(error) => Err(error),
        };
        let todo = match seen {
            Ok(Observed::Done(_)) => continue,
            Ok(Observed::NotDone) => format!("{} {} is not in effect any more: sweep again", step.action, step.target),
            Ok(Observed::Conflict(why)) => format!("{}: {why}: sweep again", step.target),
            Err(error) => format!("{} could not be looked at ({error}): confirm again", step.target),
        };
        (item.closed, item.evidence, item.todo) = (false, Evidence::None, Some(todo));
        return;
    }
}

/// Asks the issuer about the old and the new value, as far as they can still be had.
async fn probe(treatment: &Treatment, systems: &Systems, item: &mut Confirmation) {
    let Some((at, new, old)) = pair(treatment) else { return };
    let Some(provider) = systems.provider(&at.system) else { return };
    // The store forgets the old value when it is retired; text may still have it.
    let in_text = treatment.credential.map(|fingerprint| ValueRef::found(&fingerprint));
    for value in in_text.iter().chain([old]) {
        if let Ok(Some(value)) = systems.read(value).await {
            item.old = Some(provider.validate(at, &value).await);
            break;
        }
    }
    if let Some(new) = new
        && let Ok(Some(value)) = systems.read(new).await
    {
        item.new = Some(provider.validate(at, &value).await);
    }
}

/// Account, new and old value of a treatment's probe.
fn pair(treatment: &Treatment) -> Option<(&Target, Option<&ValueRef>, &ValueRef)> {
    treatment.steps.iter().find_map(|step| match &step.does {
        Does::Provider(ProviderStep::Verify { new, old }) => Some((&step.target, new.as_ref(), old)),
        _ => None,
    })
}

/// Decides whether an item is at its end.
fn close(treatment: &Treatment, execution: &Execution, item: &mut Confirmation) {
    if let Some((step, state)) = execution.blocked(treatment) {
        let state = state.map_or_else(|| "not begun".to_owned(), ToString::to_string);
        item.todo = Some(format!("step {} ({}): {state}; `offkey status` tells what it needs", step.id, step.action));
        return;
    }
    match (&item.old, &item.new) {
        (Some(Liveness::Live), _) => item.todo = Some("the old value works again: sweep again".to_owned()),
        (_, Some(Liveness::Dead(why))) => {
            item.todo = Some(format!("the new value does not work ({why}): consumers may be down"))
        }
        (Some(Liveness::Unknown(why)), _) => {
            item.todo = Some(format!("nobody could say whether the old value is dead ({why}): confirm again"))
        }
        (_, Some(Liveness::Unknown(why))) => {
            item.todo = Some(format!("nobody could say whether the new value works ({why}): confirm again"))
        }
        (Some(Liveness::Dead(_)), _) => (item.closed, item.evidence) = (true, Evidence::Observed),
        // The value cannot be had any more: what the executor observed before it was destroyed stands.
        (None, _) => {
            let observed = pair(treatment).is_some();
            (item.closed, item.evidence) = (true, if observed { Evidence::Observed } else { Evidence::Acknowledged });
        }
    }
}
