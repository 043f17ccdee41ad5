//! What the log says about each step. The log of the case is the journal: nothing is kept beside it.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::State;
use crate::action::Receipt;
use crate::audit::Log;
use crate::error::Result;
use crate::plan::{Step, Treatment};

/// Who wanted something taken back, in the log.
const BY_HAND: &str = "hand";

/// The journal of one plan.
pub struct Journal<'a> {
    log: &'a Log,
    plan: String,
}

impl<'a> Journal<'a> {
    /// The journal of the plan with this digest.
    pub fn new(log: &'a Log, plan: &str) -> Self {
        Self { log, plan: plan.to_owned() }
    }

    /// Last known state of every step that was ever begun, with its receipt.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn states(&self) -> Result<HashMap<String, (State, Receipt)>> {
        let mut states = HashMap::new();
        for entry in self.log.entries()? {
            if entry.data["plan"].as_str() != Some(&self.plan) {
                continue;
            }
            let (Some(step), Some(state)) = (entry.data["step"].as_str(), state(&entry.kind, &entry.data)) else {
                continue;
            };
            let receipt = serde_json::from_value(entry.data["receipt"].clone()).unwrap_or_default();
            states.insert(step.to_owned(), (state, receipt));
        }
        Ok(states)
    }

    /// Treatments whose clearing up after a refusal was begun and not finished: the refused step and why, by treatment.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn unfinished(&self) -> Result<HashMap<String, (String, String)>> {
        let mut unfinished: HashMap<String, (String, String)> = HashMap::new();
        for entry in self.log.entries()? {
            if entry.data["plan"].as_str() != Some(&self.plan) {
                continue;
            }
            let text = |key: &str| entry.data[key].as_str().unwrap_or_default().to_owned();
            match entry.kind.as_str() {
                "undo" => {
                    unfinished.insert(text("treatment"), (text("step"), text("why")));
                }
                // The refused step's own outcome comes last.
                "outcome" => unfinished.retain(|_, (step, _)| *step != text("step")),
                _ => {}
            }
        }
        Ok(unfinished)
    }

    /// When a step was first confirmed.
    pub(super) fn confirmed_at(&self, step: &Step) -> Result<Option<jiff::Timestamp>> {
        let of_step = |entry: &crate::audit::Entry| {
            entry.kind == "outcome"
                && entry.data["plan"].as_str() == Some(&self.plan)
                && entry.data["step"].as_str() == Some(&step.id)
                && state(&entry.kind, &entry.data) == Some(State::Confirmed)
        };
        Ok(self.log.entries()?.iter().find(|entry| of_step(entry)).and_then(|entry| entry.time.parse().ok()))
    }

    /// Treatments that a person took back and that nobody began again since.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn taken_back(&self) -> Result<BTreeSet<String>> {
        let mut taken = BTreeSet::new();
        for entry in self.log.entries()?.iter().filter(|entry| entry.data["plan"].as_str() == Some(&self.plan)) {
            if entry.kind == "undo" && entry.data["by"] == BY_HAND {
                taken.extend(entry.data["treatment"].as_str().map(str::to_owned));
            } else if entry.kind == "intent" {
                let step = entry.data["step"].as_str().unwrap_or_default();
                taken.remove(step.split('.').next().unwrap_or_default());
            }
        }
        Ok(taken)
    }

    /// Before taking back what came before a refused step, or all of a treatment `by_hand`: synced when this returns.
    pub(super) fn undoing(&self, treatment: &Treatment, step: &Step, why: &str, by_hand: bool) -> Result<()> {
        let by = if by_hand { BY_HAND } else { "refusal" };
        let data = json!({ "plan": self.plan, "treatment": treatment.id, "step": step.id, "why": why, "by": by });
        self.log.append("undo", data).map(drop)
    }

    /// Before an effect: synced when this returns.
    pub(super) fn intent(&self, step: &Step) -> Result<()> {
        let data =
            json!({ "plan": self.plan, "step": step.id, "action": step.action, "target": step.target.to_string() });
        self.log.append("intent", data).map(drop)
    }

    /// After an effect, or instead of one.
    pub(super) fn outcome(&self, step: &Step, state: &State, receipt: &Receipt) -> Result<()> {
        let data = json!({
            "plan": self.plan, "step": step.id, "action": step.action, "target": step.target.to_string(),
            "state": state, "receipt": receipt,
        });
        self.log.append("outcome", data).map(drop)
    }
}

fn state(kind: &str, data: &serde_json::Value) -> Option<State> {
    match kind {
        "intent" => Some(State::Intended),
        "outcome" => serde_json::from_value(data["state"].clone()).ok(),
        _ => None,
    }
}
