//! What the model remembers: places, accounts, and what is to go wrong at which call.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use offkey::store::StoreRead;
use uuid::Uuid;

/// What goes wrong at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    CrashBefore,
    CrashAfter,
    LostReply,
    NeverArrived,
    Duplicate,
    ForeignWrite,
    TooMany,
    ServerError,
    Refused,
}

pub(crate) const FAULTS: [Fault; 9] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::LostReply,
    Fault::NeverArrived,
    Fault::Duplicate,
    Fault::ForeignWrite,
    Fault::TooMany,
    Fault::ServerError,
    Fault::Refused,
];

/// One entry of the model store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) current: String,
    pub(crate) version: u64,
    pub(crate) staged: Option<(Uuid, String)>,
    pub(crate) old: BTreeMap<u64, String>,
    pub(crate) foreign: bool,
}

/// One account of the model issuer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepting {
    pub(crate) values: BTreeSet<String>,
    /// A new value ends the old one at once (PostgreSQL), or both work until the old one is evicted (two key slots).
    pub(crate) overlap: bool,
    /// Values that were seen working by a login.
    pub(crate) seen: BTreeSet<String>,
    pub(crate) rotated: bool,
    /// How many more values the rules of the account refuse.
    pub(crate) refuses: usize,
    /// How many log-ins with a fresh value fail until it has arrived everywhere.
    pub(crate) slow: usize,
    /// A second request to set a value destroys the first one, as some issuers do on reuse.
    pub(crate) never_twice: bool,
    /// Revocations are accepted and not carried out.
    pub(crate) queues: bool,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) places: BTreeMap<String, Place>,
    pub(crate) accounts: BTreeMap<String, Accepting>,
    pub(crate) frozen: BTreeSet<String>,
    pub(crate) calls: usize,
    pub(crate) faults: HashMap<usize, Fault>,
    pub(crate) crashed: bool,
    pub(crate) every_value: BTreeSet<String>,
    pub(crate) made: usize,
    pub(crate) broken: Vec<String>,
    /// How many more looks at a change say that it was not done.
    pub(crate) stale_looks: usize,
    /// How often each effect was asked for: `model.set account-0`.
    pub(crate) asked: BTreeMap<String, usize>,
    /// How often a value was rejected, by account.
    pub(crate) rejected: BTreeMap<String, usize>,
    /// The journal's folder, when each effect is to look for its intent there.
    pub(crate) journal: Option<PathBuf>,
    /// What the store's own records say about reads.
    pub(crate) reads: Vec<StoreRead>,
}

impl World {
    pub(super) fn fresh(&mut self) -> String {
        self.made += 1;
        let value = format!("model-value-{:06}-{}", self.made, "x".repeat(8));
        self.every_value.insert(value.clone());
        value
    }

    /// Somebody who reads the stores can log in to every account that has a consumer.
    pub(super) fn check(&mut self, after: &str) {
        for (name, account) in &self.accounts {
            if !account.rotated {
                continue;
            }
            let readable = self.places.values().any(|place| {
                account.values.contains(&place.current)
                    || place.staged.as_ref().is_some_and(|(_, value)| account.values.contains(value))
                    || place.old.values().any(|value| account.values.contains(value))
            });
            if !readable {
                self.broken.push(format!("after {after} no value in any store works for {name}"));
            }
        }
    }
}

pub(crate) type Shared = Arc<Mutex<World>>;
