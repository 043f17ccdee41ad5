//! The orders that keep consumers working, checked once more before a plan is carried out.

use std::collections::HashSet;

use super::step::{Does, Plan, Step, Treatment};
use crate::action::Effect;
use crate::provider::ProviderStep;
use crate::store::{StoreStep, Supply, Turn};

impl Plan {
    /// Whether every treatment is safe to carry out.
    ///
    /// # Errors
    /// The first order that is broken, as part of a sentence.
    pub fn check(&self) -> Result<(), String> {
        let mut ids = HashSet::new();
        for treatment in &self.treatments {
            if !ids.insert(treatment.id.as_str()) || !treatment.steps.iter().all(|step| ids.insert(step.id.as_str())) {
                return Err(format!("two parts have the id {}", treatment.id));
            }
            treatment.check().map_err(|why| format!("{}: {why}", treatment.id))?;
        }
        Ok(())
    }
}

impl Treatment {
    fn check(&self) -> Result<(), String> {
        let first = |wanted: fn(&Step) -> bool| self.steps.iter().position(wanted);
        let last = |wanted: fn(&Step) -> bool| self.steps.iter().rposition(wanted);
        let ordered = |before: Option<usize>, after: Option<usize>| match (before, after) {
            (Some(before), Some(after)) => before < after,
            _ => true,
        };
        if self.steps.iter().any(is_own_rotation) {
            if self.steps.iter().any(|step| is_stage(step) || is_set(step) || is_promote(step)) {
                return Err("a value would be written beside the store's own rotation".to_owned());
            }
            if !ordered(last(is_own_rotation), first(|step| is_verify(step) || is_retire(step))) {
                return Err("the old value would be destroyed before the store has rotated it".to_owned());
            }
        }
        let tested = first(is_test);
        if let Some(evict) = first(is_evict)
            && tested.is_none_or(|test| test > evict)
        {
            return Err("the old value would end before the new one was tested".to_owned());
        }
        if let Some(set) = first(is_set) {
            if tested.is_none_or(|test| test < set) {
                return Err("a value is set that nobody tests".to_owned());
            }
            if !ordered(tested, first(is_promote)) {
                return Err("consumers would read the new value before it was tested".to_owned());
            }
        }
        if !ordered(last(is_promote), first(is_evict)) {
            return Err("the old value would end while consumers still read it".to_owned());
        }
        // An issuer that makes the value itself stages it; copies of that come after it, and it ends nothing.
        let changes = first(|step| is_set(step) && !is_issue(step)).or_else(|| first(is_promote));
        if !ordered(last(is_stage), changes) {
            return Err("the target would change before the new value is safe in every store".to_owned());
        }
        // The store's own rotation gives consumers their value, as a promotion does: what makes them read it comes after that.
        let ends = |step: &Step| step.effect == Effect::Final && !is_first_turn(step);
        if !ordered(last(|step| step.effect == Effect::Reversible), first(ends)) {
            return Err("something final would come before something that can be taken back".to_owned());
        }
        let waits = |step: &Step| matches!(step.does, Does::Hook(_) | Does::Converge(_));
        let gives = |step: &Step| is_promote(step) || is_first_turn(step);
        if !ordered(last(gives), first(waits)) {
            return Err("consumers would be asked to read the new value before they can".to_owned());
        }
        if !ordered(last(is_verify), first(is_retire)) {
            return Err("the old value would be destroyed before it was proven dead".to_owned());
        }
        Ok(())
    }
}

fn is_test(step: &Step) -> bool {
    matches!(step.does, Does::Provider(ProviderStep::Test { .. }))
}

fn is_set(step: &Step) -> bool {
    matches!(step.does, Does::Provider(ProviderStep::Set { .. } | ProviderStep::Issue { .. }))
}

fn is_issue(step: &Step) -> bool {
    matches!(step.does, Does::Provider(ProviderStep::Issue { .. }))
}

fn is_evict(step: &Step) -> bool {
    matches!(step.does, Does::Provider(ProviderStep::Evict { .. }))
}

fn is_verify(step: &Step) -> bool {
    matches!(step.does, Does::Provider(ProviderStep::Verify { .. }))
}

fn is_stage(step: &Step) -> bool {
    matches!(step.does, Does::Store(StoreStep::Stage(Supply::Generate { .. } | Supply::Copy(_))))
}

fn is_promote(step: &Step) -> bool {
    matches!(step.does, Does::Store(StoreStep::Promote { .. }) | Does::Overwrite(_))
}

fn is_own_rotation(step: &Step) -> bool {
    matches!(step.does, Does::Store(StoreStep::Rotate { .. }))
}

fn is_first_turn(step: &Step) -> bool {
    matches!(step.does, Does::Store(StoreStep::Rotate { turn: Turn::First, .. }))
}

fn is_retire(step: &Step) -> bool {
    matches!(step.does, Does::Store(StoreStep::Retire { .. }))
}
