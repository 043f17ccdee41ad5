//! Where a step is, and what became of a plan.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::{ActionError, Receipt};
use crate::plan::{Step, Treatment};

/// Where a step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "why", rename_all = "kebab-case")]
pub enum State {
    /// Its effect was about to be brought about; nobody knows more.
    Intended,
    /// Its effect was observed.
    Confirmed,
    /// It was refused, and what came before it was taken back.
    Undone(String),
    /// It was refused; what came before it stands.
    Failed(String),
    /// It may have had its effect; only looking helps.
    Unknown(String),
    /// The system is not available; applying again later may work.
    Waiting(String),
    /// Something has to pass first that takes time: a grace period, a canary.
    NotYet(String),
    /// A person has to act, or the plan does not fit any more.
    Stuck(String),
}

/// Why a treatment was taken back that nothing had refused.
pub(super) const BY_HAND: &str = "somebody wished so";

/// How a reason ends that calls for another plan. The log keeps the sentence, so it alone tells what it means.
const OUTGROWN: &str = ": plan again";

impl State {
    /// Something else is there than the plan expected; what came before is taken back.
    pub(super) fn called_off(why: impl fmt::Display) -> Self {
        Self::Failed(format!("{why}{OUTGROWN}"))
    }

    /// The same where it stands.
    pub(super) fn outgrown(why: impl fmt::Display) -> Self {
        Self::Stuck(format!("{why}{OUTGROWN}"))
    }

    /// Whether only another plan helps.
    pub fn wants_another_plan(&self) -> bool {
        matches!(self, Self::Undone(why) | Self::Failed(why) | Self::Stuck(why) if why.contains(OUTGROWN))
    }

    /// Whether a person had it taken back, who may want it carried out after all.
    pub fn is_taken_back_by_hand(&self) -> bool {
        matches!(self, Self::Undone(why) if why == BY_HAND)
    }

    /// Whether nothing more is to be done for the step.
    pub fn is_confirmed(&self) -> bool {
        *self == Self::Confirmed
    }

    pub(super) fn of(error: ActionError) -> Self {
        match error {
            ActionError::Refused(why) => Self::Failed(why),
            ActionError::Unknown(why) => Self::Unknown(why),
            ActionError::Unavailable { why, .. } => Self::Waiting(why),
            ActionError::Conflict(why) => Self::outgrown(why),
            ActionError::Stuck(why) => Self::Stuck(why),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intended => f.write_str("begun, outcome not known"),
            Self::Confirmed => f.write_str("done"),
            Self::Undone(why) => write!(f, "taken back: {why}"),
            Self::Failed(why) => write!(f, "refused: {why}"),
            Self::Unknown(why) => write!(f, "outcome not known: {why}"),
            Self::Waiting(why) => write!(f, "not available: {why}"),
            Self::NotYet(why) => write!(f, "not yet: {why}"),
            Self::Stuck(why) => write!(f, "needs a person: {why}"),
        }
    }
}

/// What became of every step that was begun.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// State and receipt by step id.
    pub steps: HashMap<String, (State, Receipt)>,
}

impl Execution {
    /// Whether all steps of a treatment are confirmed.
    pub fn is_done(&self, treatment: &Treatment) -> bool {
        treatment.steps.iter().all(|step| self.steps.get(&step.id).is_some_and(|(state, _)| state.is_confirmed()))
    }

    /// The first step of a treatment that is not confirmed, with what is known of it.
    pub fn blocked<'p>(&self, treatment: &'p Treatment) -> Option<(&'p Step, Option<&State>)> {
        let state = |step: &Step| self.steps.get(&step.id).map(|(state, _)| state);
        // A step that was refused says more than the steps before it, which were taken back because of it.
        let refused = treatment.steps.iter().rev().find(|step| matches!(state(step), Some(State::Undone(_))));
        refused
            .or_else(|| treatment.steps.iter().find(|step| !state(step).is_some_and(State::is_confirmed)))
            .map(|step| (step, state(step)))
    }
}
