//! What should happen: a pure function from everything that is known to a [`Plan`]. Its digest is what is approved.
//!
//! Invariant: this room asks nobody and changes nothing; the same inputs give the same plan, byte for byte.

mod check;
mod draft;
mod period;
mod policy;
mod sequence;
mod step;

pub use draft::{Account, Inputs, Known, draft};
pub use period::{Period, Rate};
pub use policy::{Approval, Approver, Decision, Hook, Policy, Tier, Waiver, Way};
pub use step::{Converge, Disposition, Does, HookStep, Plan, Step, Treatment};

#[cfg(test)]
mod tests;
