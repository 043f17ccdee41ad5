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
    for phase in [0, 1, 2] {
        let frozen = phase < 2 || unfrozen(plan, execution).is_none();
        let runs = plan.treatments.iter().filter(|treatment| treatment.acts() && phase_of(treatment) == phase).map(
            |treatment| {
                let run = Run { treatment, journal, systems, patience, execution, told, frozen };
                let undoing = undoing.get(&treatment.id).cloned();
                async move { run.treat(undoing).await }
            },
        );
        together(patience.parallel, runs).await?;
    }
    Ok(kept.into_inner().expect("because no thread panics with the lock held"))
}

fn phase_of(treatment: &Treatment) -> u8 {
    match treatment.disposition {
        Disposition::Freeze => 0,
        Disposition::Rotate => 2,
        _ => 1,
    }
}

/// A freeze that is not confirmed.
fn unfrozen<'p>(plan: &'p Plan, execution: &Mutex<Execution>) -> Option<&'p Treatment> {
    let execution = execution.lock().expect("because no thread panics with the lock held");
    plan.treatments
        .iter()
        .find(|treatment| treatment.disposition == Disposition::Freeze && !execution.is_done(treatment))
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
