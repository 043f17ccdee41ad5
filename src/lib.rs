//! offkey changes the locks when someone leaves.
//!
//! It finds every credential tied to a departing identity, wherever it sprawled (work trees, full git history, chat and
//! ticket exports, vaults, cloud stores), revokes the individual ones, rotates the shared ones, asks the live systems
//! whether the old values are dead, and seals the evidence.
//!
//! The crate is a house of rooms. A room uses rooms with a smaller number only, and rooms with the same number do not
//! use each other (`tests/tidy.rs` checks this):
//!
//! | nr | rooms | their one job |
//! |---|---|---|
//! | 1 | [`secret`] [`clock`] [`error`] | values that cannot print · the only reader of time and randomness · what went wrong |
//! | 2 | [`audit`] [`source`] [`rule`] [`remote`] | the append-only log · where text comes from · what to look for · clients of live systems |
//! | 3 | [`identity`] | who the person is, under which names, and why we believe so |
//! | 4 | [`detect`] | rules and needles × documents → matches |
//! | 5 | [`finding`] | matches → findings → credentials |
//! | 6 | [`attribution`] [`action`] | credentials × identity → exposures · the joint between plans and live systems |
//! | 7 | [`store`] [`provider`] | who keeps a value · who issued it and can kill it |
//! | 8 | [`plan`] | what should happen: a pure function |
//! | 9 | [`rotation`] | makes it happen: the only room that changes the world |
//! | 10 | [`confirm`] | asks again, independently |
//! | 11 | [`case`] [`ledger`] [`config`] | the folder of one departure · what is known across cases · `offkey.toml` |
//! | 12 | [`report`] | a case in the form that somebody reads |
//! | 13 | [`sweep`] [`gate`] | the story of one departure · of one change to a repository |
//! | 14 | `fleet` | many repositories: which there are, and copies of them |
//! | 15 | [`cli`] | the only room that prints |

pub mod action;
pub mod attribution;
pub mod audit;
pub mod case;
pub mod cli;
pub mod clock;
pub mod config;
pub mod confirm;
pub mod detect;
pub mod error;
pub mod finding;
#[cfg(feature = "issuers")]
pub mod fleet;
pub mod gate;
pub mod identity;
pub mod ledger;
pub mod plan;
pub mod provider;
pub mod remote;
pub mod report;
pub mod rotation;
pub mod rule;
pub mod secret;
pub mod source;
pub mod store;
pub mod sweep;
