//! Drives the steps of a plan.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::info;

use super::{Journal, Systems};
use crate::action::{Action, ActionError, Context, Effect, Observed, Receipt};
use crate::error::Result;
use crate::plan::{Plan, Step, Treatment};

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// How often an unavailable system is asked before the treatment is left for the next apply.
const ATTEMPTS: u32 = 4;

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
    /// A person has to act, or the plan does not fit any more.
    Stuck(String),
}

impl State {
    /// Whether nothing more is to be done for the step.
    pub fn is_confirmed(&self) -> bool {
        *self == Self::Confirmed
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
        treatment
            .steps
            .iter()
            .find(|step| !state(step).is_some_and(State::is_confirmed))
            .map(|step| (step, state(step)))
    }
}

/// Carries the plan out as far as it goes; `tell` hears about every step as it ends. Returns what became of every step, also
/// of those that earlier calls confirmed.
///
/// # Errors
/// Only when the log cannot be written or read: nothing is done without a log.
pub async fn execute(
    plan: &Plan,
    journal: &Journal<'_>,
    systems: &Systems,
    tell: &mut (dyn FnMut(&Treatment, &Step, &State) + Send),
) -> Result<Execution> {
    let mut execution = Execution { steps: journal.states()? };
    for treatment in &plan.treatments {
        let mut run = Run { treatment, journal, systems, execution: &mut execution };
        run.treat(tell).await?;
    }
    Ok(execution)
}

/// One treatment on its way.
struct Run<'r> {
    treatment: &'r Treatment,
    journal: &'r Journal<'r>,
    systems: &'r Systems,
    execution: &'r mut Execution,
}

impl Run<'_> {
    async fn treat(&mut self, tell: &mut (dyn FnMut(&Treatment, &Step, &State) + Send)) -> Result<()> {
        for step in &self.treatment.steps {
            let before = self.execution.steps.get(&step.id).map(|(state, _)| state.clone());
            if before.as_ref().is_some_and(State::is_confirmed) {
                continue;
            }
            let (mut state, receipt) = self.step(step).await?;
            if let State::Failed(why) = &state {
                state = self.undo(step, why).await?;
            }
            self.journal.outcome(step, &state, &receipt)?;
            info!(step = %step.id, action = %step.action, target = %step.target, ?state, "step ended");
            tell(self.treatment, step, &state);
            let confirmed = state.is_confirmed();
            self.execution.steps.insert(step.id.clone(), (state, receipt));
            if !confirmed {
                break;
            }
        }
        Ok(())
    }

    async fn step(&self, step: &Step) -> Result<(State, Receipt)> {
        let action = match self.systems.action(step) {
            Ok(action) => action,
            Err(error) => return Ok((state_of(error), Receipt::default())),
        };
        let cx = Context { op: self.treatment.op, values: self.systems, deadline: DEADLINE };
        match observe(action.as_ref(), &cx).await {
            Err(error) => return Ok((state_of(error), Receipt::default())),
            Ok(Observed::Conflict(why)) => return Ok((State::Stuck(format!("{why}: plan again")), Receipt::default())),
            Ok(Observed::Done(receipt)) => return Ok((State::Confirmed, receipt)),
            Ok(Observed::NotDone) => {}
        }
        if action.effect() != Effect::ReadOnly {
            self.journal.intent(step)?;
        }
        let mut attempt = 0;
        let applied = loop {
            match action.apply(&cx).await {
                Err(ActionError::Unavailable { retry_after, .. }) if attempt + 1 < ATTEMPTS => {
                    attempt += 1;
                    pause(retry_after.unwrap_or(Duration::from_millis(200 << attempt)).min(DEADLINE)).await;
                }
                other => break other,
            }
        };
        let receipt = match applied {
            Ok(receipt) => receipt,
            // The reply may have been lost after the effect: a look decides.
            Err(ActionError::Unknown(why)) => {
                return Ok(match observe(action.as_ref(), &cx).await {
                    Ok(Observed::Done(receipt)) => (State::Confirmed, receipt),
                    _ => (State::Unknown(why), Receipt::default()),
                });
            }
            Err(error) => return Ok((state_of(error), Receipt::default())),
        };
        if action.effect() == Effect::ReadOnly {
            return Ok((State::Confirmed, receipt));
        }
        Ok(match observe(action.as_ref(), &cx).await {
            Ok(Observed::Done(_)) => (State::Confirmed, receipt),
            Ok(Observed::Conflict(why)) => (State::Stuck(why), receipt),
            Ok(Observed::NotDone) => {
                (State::Unknown("it was accepted, but its effect is not to be seen".to_owned()), receipt)
            }
            Err(error) => (State::Unknown(format!("it was accepted, but cannot be observed: {error}")), receipt),
        })
    }

    /// After a refusal: takes back what came before, newest first, unless something final or the promotion happened.
    async fn undo(&self, failed: &Step, why: &str) -> Result<State> {
        let earlier: Vec<&Step> = self.treatment.steps.iter().take_while(|step| step.id != failed.id).collect();
        let one_way = |step: &&Step| step.effect == Effect::Final || step.action.0 == "store.promote";
        if earlier.iter().any(one_way) {
            return Ok(State::Stuck(format!("{why}; consumers read the new value already, so nothing is taken back")));
        }
        for step in earlier.into_iter().rev().filter(|step| step.effect == Effect::Reversible) {
            let Ok(action) = self.systems.action(step) else { continue };
            let cx = Context { op: self.treatment.op, values: self.systems, deadline: DEADLINE };
            let undone = action.undo(&cx).await;
            let (state, receipt) = match undone {
                Ok(receipt) => (State::Undone(format!("{} was refused", failed.action)), receipt),
                Err(error) => (State::Stuck(format!("could not be taken back: {error}")), Receipt::default()),
            };
            let stuck = matches!(state, State::Stuck(_));
            self.journal.outcome(step, &state, &receipt)?;
            if stuck {
                return Ok(State::Stuck(format!("{why}; {} could not be taken back", step.action)));
            }
        }
        Ok(State::Undone(why.to_owned()))
    }
}

async fn observe(action: &dyn Action, cx: &Context<'_>) -> std::result::Result<Observed, ActionError> {
    let mut attempt = 0;
    loop {
        match action.observe(cx).await {
            Err(ActionError::Unavailable { retry_after, .. }) if attempt + 1 < ATTEMPTS => {
                attempt += 1;
                pause(retry_after.unwrap_or(Duration::from_millis(200 << attempt)).min(DEADLINE)).await;
            }
            other => return other,
        }
    }
}

fn state_of(error: ActionError) -> State {
    match error {
        ActionError::Refused(why) => State::Failed(why),
        ActionError::Unknown(why) => State::Unknown(why),
        ActionError::Unavailable { why, .. } => State::Waiting(why),
        ActionError::Conflict(why) => State::Stuck(format!("{why}: plan again")),
        ActionError::Stuck(why) => State::Stuck(why),
    }
}

#[cfg(any(feature = "issuers", feature = "postgres"))]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[cfg(not(any(feature = "issuers", feature = "postgres")))]
async fn pause(time: Duration) {
    std::thread::sleep(time);
}
