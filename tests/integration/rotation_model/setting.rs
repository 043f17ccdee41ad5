//! A generated company, its plan, processes that carry it out and die, and the judge of what they leave.

use std::collections::{BTreeSet, HashMap};
use std::future::Future as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use offkey::action::Target;
use offkey::attribution::{Exposure, Relation};
use offkey::audit::Log;
use offkey::finding::Liveness;
use offkey::plan::{Account, Inputs, Known, Plan, Policy, draft};
use offkey::provider::Owned;
use offkey::rotation::{Execution, Journal, Patience, State, Systems, execute_with};
use offkey::secret::{Fingerprint, Fingerprinter, SecretValue};
use offkey::store::Holding;
use uuid::Uuid;

use super::systems::{ModelProvider, ModelStore};
use super::world::{Accepting, FAULTS, Place, Shared, World};

/// One credential of a generated company.
#[derive(Clone, Debug)]
pub(crate) struct Generated {
    /// In how many places of the store it is kept; none: the leaver's own token.
    pub(crate) places: usize,
    pub(crate) overlap: bool,
}

/// A company, its plan, and what is to go wrong at which call.
pub(crate) struct Setting {
    pub(crate) world: Shared,
    pub(crate) plan: Plan,
    pub(crate) found: HashMap<Fingerprint, SecretValue>,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) fn target(system: &str, locator: String) -> Target {
    Target { system: system.to_owned(), locator }
}

pub(crate) fn setting(company: &[Generated], accounts_to_freeze: usize, faults: &[(usize, usize)]) -> Setting {
    setting_where(company, accounts_to_freeze, faults, &[])
}

/// The same where every kept value has these hints.
pub(crate) fn setting_where(
    company: &[Generated],
    accounts_to_freeze: usize,
    faults: &[(usize, usize)],
    hints: &[(String, String)],
) -> Setting {
    let fingerprinter = Fingerprinter::new(&SecretValue::new("model"));
    let mut world = World { faults: faults.iter().map(|(at, f)| (*at, FAULTS[*f])).collect(), ..World::default() };
    let (mut known, mut exposures, mut holdings, mut accounts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut found = HashMap::new();
    for (number, credential) in company.iter().enumerate() {
        let value = world.fresh();
        let fingerprint = fingerprinter.fingerprint(value.as_bytes());
        found.insert(fingerprint, SecretValue::from(value.clone()));
        let rotated = credential.places > 0;
        let account = format!("account-{number}");
        let accepting = Accepting {
            values: BTreeSet::from([value.clone()]),
            overlap: credential.overlap,
            seen: BTreeSet::new(),
            rotated,
            ..Accepting::default()
        };
        world.accounts.insert(account.clone(), accepting);
        for place in 0..credential.places {
            let locator = format!("place-{number}-{place}");
            let entry = Place { current: value.clone(), version: 1, ..Place::default() };
            world.places.insert(locator.clone(), entry);
            holdings.push(Holding {
                at: target("model-store", locator),
                version: "1".to_owned(),
                current: true,
                fingerprint,
                hints: hints.to_vec(),
                consumers: Vec::new(),
                copy_of: None,
            });
        }
        known.push(Known {
            fingerprint,
            label: format!("credential {number}"),
            kinds: ["password".to_owned(), "generic".to_owned()],
            confidence: 1.0,
            places: 1,
            ends: None,
        });
        accounts.push(Account {
            fingerprint,
            at: target("model-issuer", account),
            liveness: Liveness::Live,
            settable: rotated,
            issuable: false,
            overlaps: credential.overlap,
        });
        exposures.push(Exposure {
            fingerprint,
            person: "Alice".to_owned(),
            leaver: true,
            relation: Relation::Wrote,
            strength: 1.0,
            reasons: vec!["pasted".to_owned()],
        });
    }
    let owned: Vec<Owned> = (0..accounts_to_freeze)
        .map(|n| Owned {
            at: target("model-issuer", format!("person-{n}")),
            label: "account".to_owned(),
            reason: "theirs".to_owned(),
            facts: [("freeze".to_owned(), "yes".to_owned())].into(),
            liveness: Liveness::Live,
        })
        .collect();
    let plan = draft(&Inputs {
        case: Uuid::from_u128(1),
        identity: "Alice",
        keeps: &[],
        today: "2026-11-22",
        credentials: &known,
        exposures: &exposures,
        holdings: &holdings,
        accounts: &accounts,
        owned: &owned,
        own: &[],
        waivers: &[],
        policy: &Policy::default(),
    });
    // Memory-backed where there is such a place: a thousand plans with a full sync for every entry would wear a disk out.
    let shm = PathBuf::from("/dev/shm");
    let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.expect("a folder");
    Setting { world: Arc::new(Mutex::new(world)), plan, found, dir }
}

impl Setting {
    pub(crate) fn systems(&self) -> Systems {
        Systems {
            stores: vec![Box::new(ModelStore(Arc::clone(&self.world)))],
            providers: vec![Box::new(ModelProvider(Arc::clone(&self.world)))],
            found: self.found.clone(),
            ..Systems::default()
        }
    }

    /// One process: from opening the log until it ends or dies. `None` when it died.
    pub(crate) fn apply(&self) -> Option<Execution> {
        let log = Log::open(self.dir.path()).expect("the log of a dead process opens");
        let digest = self.plan.digest();
        let journal = Journal::new(&log, &digest);
        let systems = self.systems();
        let patience = Patience { pause: Duration::ZERO, attempts: 4, ..Patience::default() };
        let mut tell = |_: &_, _: &_, _: &_| {};
        let run = execute_with(&self.plan, &journal, &systems, &patience, &mut tell);
        let mut run = std::pin::pin!(run);
        let mut cx = std::task::Context::from_waker(Waker::noop());
        for _ in 0..10_000 {
            if let Poll::Ready(execution) = run.as_mut().poll(&mut cx) {
                return Some(execution.expect("the log is writable"));
            }
            if std::mem::take(&mut self.world.lock().expect("lock").crashed) {
                return None;
            }
        }
        panic!("the executor hangs");
    }

    /// Applies until nothing is left to go wrong, and once more.
    pub(crate) fn converge(&self) -> Execution {
        let mut last = None;
        for _ in 0..60 {
            let Some(execution) = self.apply() else { continue };
            // Faults that lie beyond what the first runs reach never happen.
            let quiet = std::mem::take(&mut self.world.lock().expect("lock").faults).is_empty();
            if quiet && last.as_ref() == Some(&execution) {
                return execution;
            }
            last = Some(execution);
        }
        panic!("does not converge: {last:?}");
    }

    pub(crate) fn judge(&self, execution: &Execution, hostile: bool) {
        let world = self.world.lock().expect("lock");
        assert!(world.broken.is_empty(), "{:?}", world.broken);
        for treatment in &self.plan.treatments {
            let done = execution.is_done(treatment);
            let blocked = execution.blocked(treatment);
            assert!(done || hostile, "{}: {blocked:?}", treatment.id);
            assert_eq!(done, blocked.is_none(), "{}: {blocked:?}", treatment.id);
            let Some(fingerprint) = treatment.credential else { continue };
            let old = self.found[&fingerprint].expose_str().expect("text").to_owned();
            let account = treatment.steps.iter().find(|s| s.target.system == "model-issuer").expect("an issuer");
            let account = &world.accounts[&account.target.locator];
            let places: BTreeSet<_> = treatment
                .steps
                .iter()
                .filter(|s| s.target.system == "model-store")
                .map(|s| &s.target.locator)
                .collect();
            let places: Vec<&Place> = places.into_iter().map(|at| &world.places[at]).collect();
            if done {
                assert!(!account.values.contains(&old), "{} is done, but its old value lives", treatment.id);
                assert!(
                    places.iter().all(|p| p.foreign || account.values.contains(&p.current)),
                    "{places:?} {account:?}"
                );
                assert!(places.iter().all(|p| p.staged.is_none() && p.old.is_empty()), "{places:?}");
            } else if matches!(blocked, Some((_, Some(State::Undone(_))))) {
                assert!(account.values.contains(&old), "{}: taken back, but the old value is gone", treatment.id);
                assert!(places.iter().all(|p| p.staged.is_none()), "{}: {places:?}", treatment.id);
                assert!(places.iter().all(|p| p.foreign || p.current == old), "{}: {places:?}", treatment.id);
            } else {
                let legal = matches!(blocked, Some((_, Some(State::Stuck(_) | State::Unknown(_) | State::Waiting(_)))));
                assert!(legal, "{}: {blocked:?}", treatment.id);
                let forgotten = format!("{blocked:?}").contains("nothing at");
                assert!(!forgotten, "{}: a step looks for what was taken back: {blocked:?}", treatment.id);
            }
        }
        let mut written = Vec::new();
        for entry in std::fs::read_dir(self.dir.path()).expect("folder") {
            written.extend(std::fs::read(entry.expect("entry").path()).expect("readable"));
        }
        let leaked = memchr::memmem::find(&written, b"model-value-").is_some();
        assert!(!leaked, "a value is in the journal");
        let plan = serde_json::to_string(&self.plan).expect("serialises");
        assert!(!plan.contains("model-value-"), "a value is in the plan");
    }
}
