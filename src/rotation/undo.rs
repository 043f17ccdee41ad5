//! Taking back what was begun, for a person who thinks again: as long as no consumer was given the new value and nothing final
//! happened. After that only the way forward is safe.

use std::sync::Mutex;

use super::executor::Tell;
use super::treat::Run;
use super::{Execution, Journal, Patience, Systems};
use crate::error::Result;
use crate::plan::{Plan, Step, Treatment};
use crate::rotation::State;

/// What became of the wish to take a treatment back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// Nothing of it was begun.
    NotBegun,
    /// Everything that was done is as it was before.
    Clean,
    /// It went too far: why, and that it has to go on.
    TooFar(String),
    /// Something could not be taken back: see the state of its steps.
    Blocked,
}

/// Takes back the treatments whose ids are in `which`; empty: all that were begun.
///
/// # Errors
/// When the log cannot be written or read.
pub async fn undo(
    plan: &Plan,
    journal: &Journal<'_>,
    systems: &Systems,
    patience: &Patience,
    which: &[String],
    tell: &mut Tell<'_>,
) -> Result<(Execution, Vec<(String, TakenBack)>)> {
    let kept = Mutex::new(Execution { steps: journal.states()? });
    let tell = Mutex::new(tell);
    let told = |treatment: &Treatment, step: &Step, state: &State| {
        (tell.lock().expect("because no thread panics with the lock held"))(treatment, step, state);
    };
    let mut taken = Vec::new();
    // Newest first: what froze an account comes back last.
    let wanted = |one: &&Treatment| one.acts() && (which.is_empty() || which.contains(&one.id));
    for treatment in plan.treatments.iter().rev().filter(wanted) {
        let run = Run { treatment, journal, systems, patience, execution: &kept, told: &told, held: None };
        taken.push((treatment.id.clone(), run.undo().await?));
    }
    Ok((kept.into_inner().expect("because no thread panics with the lock held"), taken))
}
