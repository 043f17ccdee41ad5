//! Plan → receipts: the only room that changes the world.
//!
//! For each step: observe → done? log it and go on → log the intent, synced → apply → observe again → log the outcome.
//! Resuming is the same call with a log that is not empty: confirmed steps are skipped, a step that was intended is
//! observed before anything else. An outcome that is not known is observed again, never applied again by itself.

mod executor;
mod journal;
mod systems;

pub use executor::{Execution, State, execute};
pub use journal::Journal;
pub use systems::Systems;
