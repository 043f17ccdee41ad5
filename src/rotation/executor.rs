//! Drives a plan: which treatments run when, and side by side with which others.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;

use super::treat::Run;
use super::{Execution, Journal, Patience, State, Systems};
use crate::error::{Error, Result};
use crate::plan::{Disposition, Plan, Step, Treatment};

/// What hears about every step as it ends.
pub type Tell<'t> = dyn FnMut(&Treatment, &Step, &State) + Send + 't;

/// Carries the plan out as far as it goes; `tell` hears about every step as it ends. Returns what became of every step, also
/// of those that earlier calls confirmed.
///
/// # Errors
/// When the plan breaks an order that keeps consumers working, or the log cannot be written or read: nothing is done
/// without a log.
pub async fn execute(plan: &Plan, journal: &Journal<'_>, systems: &Systems, tell: &mut Tell<'_>) -> Result<Execution> {
    execute_with(plan, journal, systems, &Patience::default(), tell).await
}

/// [`execute`] with other limits.
///
/// # Errors
/// See [`execute`].
pub async fn execute_with(
    plan: &Plan,
    journal: &Journal<'_>,
    systems: &Systems,
    patience: &Patience,
    tell: &mut Tell<'_>,
) -> Result<Execution> {
    plan.check().map_err(|why| {
        Error::integrity(format!("the plan is not safe to carry out: {why}"))
            .still("Nothing was changed.")
            .next("Sweep again into a new case.")
    })?;
    let kept = Mutex::new(Execution { steps: journal.states()? });
    let undoing = journal.unfinished()?;
    let tell = Mutex::new(tell);
    let told = |treatment: &Treatment, step: &Step, state: &State| {
        (tell.lock().expect("because no thread panics with the lock held"))(treatment, step, state);
    };
    let (execution, told) = (&kept, &told);
    // Accounts are frozen first: a session that still lives would read the fresh values.
    for phase in 0..=LAST {
        let held = held(plan, execution, phase);
        let due = |one: &&Treatment| one.acts() && phase_of(plan, one) == phase && !patience.leave.contains(&one.id);
        let runs = plan.treatments.iter().filter(due).map(|treatment| {
            let run = Run { treatment, journal, systems, patience, execution, told, held: held.clone() };
            let undoing = undoing.get(&treatment.id).cloned();
            async move { run.treat(undoing).await }
        });
        together(patience.parallel, runs).await?;
    }
    Ok(kept.into_inner().expect("because no thread panics with the lock held"))
}

/// Frozen accounts, revocations, urgent rotations, canaries, everything else.
const LAST: u8 = 4;

fn phase_of(plan: &Plan, treatment: &Treatment) -> u8 {
    match treatment.disposition {
        Disposition::Freeze => 0,
        Disposition::Rotate if treatment.urgent => 2,
        Disposition::Rotate if plan.canaries.contains(&treatment.id) => 3,
        Disposition::Rotate => LAST,
        _ => 1,
    }
}

/// What has to come before a phase and is not there yet.
fn held(plan: &Plan, execution: &Mutex<Execution>, phase: u8) -> Option<State> {
    let execution = execution.lock().expect("because no thread panics with the lock held");
    let unfrozen = |one: &&Treatment| one.disposition == Disposition::Freeze && !execution.is_done(one);
    if phase > 1 && plan.treatments.iter().any(|one| unfrozen(&one)) {
        let why = "an account of the leaver is not frozen yet, and would read the new value";
        return Some(State::Waiting(why.to_owned()));
    }
    // A canary in its grace period has shown that the new value works.
    let works = |one: &Treatment| matches!(execution.blocked(one), None | Some((_, Some(State::NotYet(_)))));
    let silent = plan.treatments.iter().find(|one| plan.canaries.contains(&one.id) && !works(one));
    silent.filter(|_| phase == LAST).map(|canary| State::NotYet(format!("{} goes first and is not done", canary.id)))
}

/// Runs futures to their end, at most `limit` at a time, in order. Stops at the first error: it means that the log is gone.
async fn together<F: Future<Output = Result<()>>>(limit: usize, futures: impl Iterator<Item = F>) -> Result<()> {
    let mut waiting = futures;
    let mut active: Vec<Pin<Box<F>>> = Vec::new();
    std::future::poll_fn(move |cx| {
        loop {
            while active.len() < limit.max(1) {
                let Some(next) = waiting.next() else { break };
                active.push(Box::pin(next));
            }
            if active.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let before = active.len();
            let mut failed = None;
            active.retain_mut(|future| match future.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(())) => false,
                Poll::Ready(Err(error)) => {
                    failed = Some(error);
                    false
                }
            });
            if let Some(error) = failed {
                return Poll::Ready(Err(error));
            }
            if active.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await
}
