//! Plan → receipts: the only room that changes the world.
//!
//! For each step: observe → done? log it and go on → log the intent, synced → apply → observe again → log the outcome.
//! Resuming is the same call with a log that is not empty: confirmed steps are skipped, a step that was intended is
//! observed before anything else, a clearing up that was cut off goes on. An outcome that is not known is observed again;
//! the step is repeated only when a look says that it was not done and the system can take it twice.
//!
//! The steps of one treatment run one after the other, treatments side by side. A refusal before consumers see the new value
//! is taken back; after that everything rolls forward.

mod calls;
mod converge;
mod executor;
mod hook;
mod journal;
mod limits;
mod state;
mod systems;
mod treat;
mod undo;

pub use calls::Patience;
pub use executor::{Tell, execute, execute_with};
pub use journal::Journal;
pub use limits::Limits;
pub use state::{Execution, State};
pub use systems::Systems;
pub use undo::{TakenBack, undo};
