//! One treatment on its way: its steps one after the other, each observed, logged as intended, applied, observed again.

use std::sync::Mutex;
use std::time::Duration;

use tracing::info;

use super::limits::Limited;
use super::state::BY_HAND;
use super::{Execution, Journal, Patience, State, Systems, TakenBack};
use crate::action::{ActionError, Context, Effect, Observed, Receipt, Retry};
use crate::clock;
use crate::error::Result;
use crate::plan::{Does, Step, Treatment};
use crate::provider::ProviderStep;
use crate::store::{StoreStep, Supply, Turn};

/// How often a value is made anew when the target refuses it.
const GENERATIONS: u32 = 2;

/// How often a step whose outcome is in doubt is looked at before it counts as not done.
const LOOKS_IN_DOUBT: u32 = 3;

/// Everything that one treatment needs.
pub(super) struct Run<'r> {
    pub(super) treatment: &'r Treatment,
    pub(super) journal: &'r Journal<'r>,
    pub(super) systems: &'r Systems,
    pub(super) patience: &'r Patience,
    pub(super) execution: &'r Mutex<Execution>,
    pub(super) told: &'r (dyn Fn(&Treatment, &Step, &State) + Sync),
    /// What has to come first and is not there yet.
    pub(super) held: Option<State>,
}

/// How far a treatment came.
enum Way {
    /// To its end, or to a step that another apply has to go on from.
    Ended,
    /// A step was refused definitively: what came before it can be taken back.
    Refused(usize, String),
}

impl Run<'_> {
    /// Runs the treatment as far as it goes. `undoing` is the step whose refusal an earlier run did not finish to clear up.
    pub(super) async fn treat(self, undoing: Option<(String, String)>) -> Result<()> {
        if let Some((failed, why)) = undoing {
            let at = self.treatment.steps.iter().position(|step| step.id == failed).unwrap_or(0);
            return self.take_back(at, &why).await.map(drop);
        }
        for generation in 1..=GENERATIONS {
            let Way::Refused(at, why) = self.forward().await? else { return Ok(()) };
            self.journal.undoing(self.treatment, &self.treatment.steps[at], &why, false)?;
            let clean = self.take_back(at, &why).await?;
            if !clean || generation == GENERATIONS || !self.worth_another_value(at) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes everything back for a person, if that is still possible.
    pub(super) async fn undo(self) -> Result<TakenBack> {
        let steps = &self.treatment.steps;
        let begun = |step: &Step| !matches!(self.state(step), None | Some(State::Undone(_) | State::NotYet(_)));
        let Some(last) = steps.iter().rposition(begun) else { return Ok(TakenBack::NotBegun) };
        let too_far = |step: &Step| {
            let state = self.state(step).map_or_else(String::new, |state| state.to_string());
            TakenBack::TooFar(format!("{} {} is {state}: it can only go on", step.id, step.action))
        };
        // A step of no return that was never asked for, or was refused, is none.
        let no_return = |step: &&Step| step.effect == Effect::Final || is_promote(step);
        let confirmed = |step: &&Step| self.state(step).is_some_and(|state| state.is_confirmed());
        if let Some(step) = steps.iter().filter(no_return).find(confirmed) {
            return Ok(too_far(step));
        }
        let seen = if self.in_doubt(&steps[last]) { Some(self.look(&steps[last]).await) } else { None };
        if matches!(seen, Some(Ok(Observed::Done(_) | Observed::Conflict(_)) | Err(_))) && no_return(&&steps[last]) {
            return Ok(too_far(&steps[last]));
        }
        let why = BY_HAND;
        self.journal.undoing(self.treatment, &steps[last], why, true)?;
        match seen {
            Some(Ok(Observed::Done(receipt))) => self.end(&steps[last], State::Confirmed, receipt)?,
            Some(Ok(Observed::Conflict(why))) => return self.blocked(last, &why),
            Some(Err(error)) => return self.blocked(last, &error.to_string()),
            Some(Ok(Observed::NotDone)) | None => {}
        }
        Ok(if self.take_back(last, why).await? { TakenBack::Clean } else { TakenBack::Blocked })
    }

    /// Looks at a step that may have been done.
    async fn look(&self, step: &Step) -> Result<Observed, ActionError> {
        self.patience.settle(&self.systems.limited(step)?, &self.context(), LOOKS_IN_DOUBT).await
    }

    fn blocked(&self, at: usize, why: &str) -> Result<TakenBack> {
        let why = format!("it may have been done, and nobody could look: {why}");
        self.end(&self.treatment.steps[at], State::Unknown(why), Receipt::default())?;
        Ok(TakenBack::Blocked)
    }

    async fn forward(&self) -> Result<Way> {
        // Whether this process saw the new value work; a test of an earlier process may be hours old.
        let mut tested = false;
        let mut straggles = false;
        for (at, step) in self.treatment.steps.iter().enumerate() {
            if self.state(step).is_some_and(|state| state.is_confirmed()) {
                continue;
            }
            if (straggles && !is_promote(step)) || (self.patience.stopped() && self.may_rest(at)) {
                return Ok(Way::Ended);
            }
            let before = match self.gate(at, step, tested).await {
                Ok(()) => None,
                // What may have been done stays in doubt, whatever keeps us from looking.
                Err(state) if self.in_doubt(step) => Some((State::Unknown(format!("{state}")), Receipt::default())),
                Err(state) => Some((state, Receipt::default())),
            };
            let (state, receipt) = match before {
                Some(blocked) => blocked,
                None => self.step(step).await?,
            };
            if let State::Failed(why) = &state
                && self.can_take_back(at)
            {
                return Ok(Way::Refused(at, why.clone()));
            }
            tested |= is_test(step);
            let confirmed = state.is_confirmed();
            self.end(step, self.no_way_back(at, state), receipt)?;
            // The target has the new value: one place that does not take it must not keep it from the others.
            let others_wait = is_promote(step) && self.treatment.steps.get(at + 1).is_some_and(is_promote);
            straggles |= !confirmed;
            if straggles && !others_wait {
                return Ok(Way::Ended);
            }
        }
        Ok(Way::Ended)
    }

    /// What must hold before a step although its turn has come.
    async fn gate(&self, at: usize, step: &Step, tested: bool) -> Result<(), State> {
        if let Some(held) = &self.held {
            return Err(held.clone());
        }
        let earlier = &self.treatment.steps[..at];
        if matches!(step.does, Does::Provider(ProviderStep::Set { .. })) {
            // The last look before the target changes: has anybody else changed what consumers read?
            for later in self.treatment.steps[at..].iter().filter(|step| is_promote(step)) {
                let action = self.systems.limited(later).map_err(State::of)?;
                if let Observed::Conflict(why) =
                    self.patience.observe(&action, &self.context()).await.map_err(State::of)?
                {
                    return Err(State::called_off(why));
                }
            }
        }
        self.grace(step)?;
        // Once something final happened there is nothing to hold back any more.
        let first = !earlier.iter().any(|step| step.effect == Effect::Final);
        if step.effect == Effect::Final
            && first
            && !tested
            && let Some(test) = earlier.iter().find(|step| is_test(step))
        {
            let action = self.systems.limited(test).map_err(State::of)?;
            // After the promotion the tested value is the current one; the staged one is still there until it is retired.
            if let Err(error) = self.patience.apply(&action, &self.context()).await {
                return Err(match State::of(error) {
                    State::Failed(why) => State::Stuck(format!("the new value does not work any more ({why})")),
                    other => other,
                });
            }
        }
        Ok(())
    }

    /// Before the old value ends: consumers had the time that policy grants them.
    fn grace(&self, step: &Step) -> Result<(), State> {
        let evicts = matches!(
            step.does,
            Does::Provider(ProviderStep::Evict { .. }) | Does::Store(StoreStep::Rotate { turn: Turn::Last, .. })
        );
        if !evicts || self.treatment.grace.is_zero() {
            return Ok(());
        }
        let promoted = self.treatment.steps.iter().filter(|step| is_promote(step));
        let last = promoted.filter_map(|step| self.journal.confirmed_at(step).ok().flatten()).max();
        let Some(last) = last else { return Ok(()) };
        let grace = Duration::from_secs(self.treatment.grace.0);
        let end = last.checked_add(grace).unwrap_or(last);
        if clock::now() >= end {
            return Ok(());
        }
        Err(State::NotYet(format!("the old value goes on working until {end} (grace {})", self.treatment.grace)))
    }

    async fn step(&self, step: &Step) -> Result<(State, Receipt)> {
        if let Does::Converge(converge) = &step.does {
            return Ok(self.converge(converge).await);
        }
        let action = match self.systems.limited(step) {
            Ok(action) => action,
            Err(error) => return Ok((State::of(error), Receipt::default())),
        };
        let action = &action;
        if action.effect() > step.effect {
            let why = format!("{} would be more final than the plan says", action.name());
            return Ok((State::outgrown(why), Receipt::default()));
        }
        let cx = self.context();
        let mut attempt = 0;
        // Nobody knows whether the last run's request arrived.
        let mut in_doubt = self.in_doubt(step);
        loop {
            let seen = if in_doubt {
                self.patience.settle(action, &cx, LOOKS_IN_DOUBT).await
            } else {
                self.patience.observe(action, &cx).await
            };
            match seen {
                // Whoever looked knows what a person has to do: that is more than a doubt.
                Err(ActionError::Stuck(todo)) => return Ok((State::Stuck(todo), Receipt::default())),
                Err(error) if in_doubt => {
                    let why = format!("it may have been done, and nobody could look: {error}");
                    return Ok((State::Unknown(why), Receipt::default()));
                }
                Err(error) => return Ok((State::of(error), Receipt::default())),
                Ok(Observed::Conflict(why)) => return Ok((self.conflict(step, why), Receipt::default())),
                Ok(Observed::Done(receipt)) => return Ok((State::Confirmed, receipt)),
                Ok(Observed::NotDone) => {}
            }
            if in_doubt && action.retry() == Retry::Never {
                let why = format!(
                    "{} may have been done and cannot be repeated: look at {} by hand",
                    step.action, step.target
                );
                return Ok((State::Unknown(why), Receipt::default()));
            }
            if action.effect() != Effect::ReadOnly {
                self.journal.intent(step)?;
            }
            let (error, asked) = match self.patience.apply(action, &cx).await {
                Ok(receipt) => return Ok(self.confirmed(action, &cx, receipt).await),
                Err(ActionError::Unavailable { why, retry_after }) => {
                    (ActionError::Unavailable { why, retry_after }, retry_after)
                }
                // Some targets need a moment until a new value works.
                Err(ActionError::Refused(why)) if is_test(step) => (ActionError::Refused(why), None),
                Err(ActionError::Unknown(why)) => {
                    in_doubt = true;
                    (ActionError::Unknown(why), None)
                }
                Err(ActionError::Conflict(why)) => return Ok((self.conflict(step, why), Receipt::default())),
                Err(error) => return Ok((State::of(error), Receipt::default())),
            };
            attempt += 1;
            if attempt >= self.patience.attempts {
                return Ok((State::of(error), Receipt::default()));
            }
            self.patience.pause(attempt, asked).await;
        }
    }

    /// Something else than the plan expected is there. Before the target changed, the treatment is called off.
    fn conflict(&self, step: &Step, why: String) -> State {
        if matches!(step.does, Does::Store(StoreStep::Stage(_)) | Does::Provider(ProviderStep::Set { .. })) {
            State::called_off(why)
        } else {
            State::outgrown(why)
        }
    }

    /// Looks after an effect: what was accepted is not done before it can be seen.
    async fn confirmed(&self, action: &Limited<'_>, cx: &Context<'_>, receipt: Receipt) -> (State, Receipt) {
        if action.effect() == Effect::ReadOnly {
            return (State::Confirmed, receipt);
        }
        let state = match self.patience.settle(action, cx, self.patience.attempts).await {
            Ok(Observed::Done(_)) => State::Confirmed,
            Ok(Observed::Conflict(why)) => State::Stuck(why),
            Ok(Observed::NotDone) => State::Unknown("it was accepted, but its effect is not to be seen".to_owned()),
            Err(error) => State::Unknown(format!("it was accepted, but cannot be observed: {error}")),
        };
        (state, receipt)
    }

    /// Takes back what was done before step number `failed`, newest first; says whether everything was.
    async fn take_back(&self, failed: usize, why: &str) -> Result<bool> {
        let steps = &self.treatment.steps;
        let because = if why == BY_HAND { why.to_owned() } else { format!("{} was refused", steps[failed].action) };
        for step in steps[..=failed].iter().rev().filter(|step| step.effect == Effect::Reversible) {
            if !self.state(step).is_some_and(|state| state.is_confirmed()) {
                continue;
            }
            let undone = match self.systems.limited(step) {
                Ok(action) => self.patience.undo(&action, &self.context()).await,
                Err(error) => Err(error),
            };
            match undone {
                Ok(receipt) => {
                    self.end(step, State::Undone(because.clone()), receipt)?;
                }
                // The next apply goes on with taking back.
                Err(ActionError::Unavailable { .. } | ActionError::Unknown(_)) => return Ok(false),
                Err(error) => {
                    let todo = format!("{why}; {} could not be taken back: {error}", step.action);
                    self.end(&steps[failed], State::Stuck(todo), Receipt::default())?;
                    return Ok(false);
                }
            }
        }
        // A test that passed says nothing once its value is gone.
        for step in steps[..failed].iter().filter(|step| step.effect == Effect::ReadOnly && self.state(step).is_some())
        {
            self.end(step, State::Undone(because.clone()), Receipt::default())?;
        }
        // By hand, the last step may be one that was done: it was ended above then.
        if why != BY_HAND || !matches!(self.state(&steps[failed]), Some(State::Undone(_))) {
            self.end(&steps[failed], State::Undone(why.to_owned()), Receipt::default())?;
        }
        Ok(true)
    }

    /// Whether nothing before this step is final or seen by consumers.
    fn can_take_back(&self, at: usize) -> bool {
        !self.treatment.steps[..at].iter().any(|step| step.effect == Effect::Final || is_promote(step))
    }

    /// Whether consumers work if nothing comes after the steps before this one: nothing was begun, or all of them were given
    /// the new value.
    fn may_rest(&self, at: usize) -> bool {
        let (before, after) = self.treatment.steps.split_at(at);
        before.iter().all(|step| step.effect == Effect::ReadOnly) || !after.iter().any(is_promote)
    }

    fn no_way_back(&self, at: usize, state: State) -> State {
        match state {
            State::Failed(why) if !self.can_take_back(at) => {
                State::Stuck(format!("{why}; what was done before stands, so nothing is taken back"))
            }
            other => other,
        }
    }

    /// Whether the target refused a value that we made up: another one may fit its rules.
    fn worth_another_value(&self, at: usize) -> bool {
        let refused = &self.treatment.steps[at];
        let made = |step: &Step| matches!(step.does, Does::Store(StoreStep::Stage(Supply::Generate { .. })));
        matches!(refused.does, Does::Provider(ProviderStep::Set { .. } | ProviderStep::Test { .. }))
            && self.treatment.steps.iter().any(made)
            && !self.state(refused).is_some_and(|state| state.wants_another_plan())
    }

    fn in_doubt(&self, step: &Step) -> bool {
        matches!(self.state(step), Some(State::Intended | State::Unknown(_)))
    }

    fn context(&self) -> Context<'_> {
        Context { op: self.treatment.op, values: self.systems, deadline: self.patience.deadline }
    }

    fn state(&self, step: &Step) -> Option<State> {
        let execution = self.execution.lock().expect("because no thread panics with the lock held");
        execution.steps.get(&step.id).map(|(state, _)| state.clone())
    }

    fn end(&self, step: &Step, state: State, receipt: Receipt) -> Result<()> {
        self.journal.outcome(step, &state, &receipt)?;
        info!(step = %step.id, action = %step.action, target = %step.target, ?state, "step ended");
        (self.told)(self.treatment, step, &state);
        let mut execution = self.execution.lock().expect("because no thread panics with the lock held");
        execution.steps.insert(step.id.clone(), (state, receipt));
        Ok(())
    }
}

fn is_test(step: &Step) -> bool {
    matches!(step.does, Does::Provider(ProviderStep::Test { .. }))
}

/// Whether consumers are given the new value by it.
pub(super) fn is_promote(step: &Step) -> bool {
    use StoreStep::{Promote, Rotate};
    matches!(step.does, Does::Overwrite(_) | Does::Store(Promote { .. } | Rotate { turn: Turn::First, .. }))
}
