//! The executor against a model of the world that fails in every way it can: crash before and after an effect, lost reply,
//! request that never arrived, duplicate delivery, foreign write, 429, 5xx, refusal. Whatever happens, somebody can always log
//! in, nothing ends before its replacement was seen working, and "done" is only said when the old value is dead.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use offkey::action::{
    Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Retry, Slot, Target, ValueRef,
};
use offkey::attribution::{Exposure, Relation};
use offkey::audit::Log;
use offkey::error::Result;
use offkey::finding::Liveness;
use offkey::identity::Identity;
use offkey::plan::{Account, Disposition, Inputs, Known, Plan, Policy, draft};
use offkey::provider::{Owned, Provider, ProviderStep, Subject};
use offkey::rotation::{Execution, Journal, Patience, State, Systems, execute_with};
use offkey::secret::{Fingerprint, Fingerprinter, SecretValue};
use offkey::source::Coverage;
use offkey::store::{Held, Holding, Store, StoreRead, StoreStep, Supply};
use proptest::prelude::*;
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
    fn fresh(&mut self) -> String {
        self.made += 1;
        let value = format!("model-value-{:06}-{}", self.made, "x".repeat(8));
        self.every_value.insert(value.clone());
        value
    }

    /// Somebody who reads the stores can log in to every account that has a consumer.
    fn check(&mut self, after: &str) {
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

struct ModelStore(Shared);
struct ModelProvider(Shared);

enum Does {
    Store(StoreStep),
    Provider(ProviderStep),
}

struct ModelAction {
    world: Shared,
    at: String,
    does: Does,
}

/// The process dies here: the future is never woken again, and its driver drops it.
async fn dies(world: &Shared) -> ! {
    world.lock().expect("lock").crashed = true;
    std::future::poll_fn(|_| Poll::<()>::Pending).await;
    unreachable!("a dead process does nothing")
}

impl ModelAction {
    fn fault(&self) -> Option<Fault> {
        let mut world = self.world.lock().expect("lock");
        world.calls += 1;
        let call = world.calls;
        world.faults.remove(&call)
    }

    async fn value(cx: &Context<'_>, value: &ValueRef) -> Result<String, ActionError> {
        let read = cx.values.read(value).await?;
        let read = read.ok_or_else(|| ActionError::Stuck(format!("nothing at {value:?}")))?;
        Ok(String::from_utf8(read.expose().to_vec()).expect("text"))
    }

    fn login(&self, value: &str) -> bool {
        let mut world = self.world.lock().expect("lock");
        let account = world.accounts.get_mut(&self.at).expect("an account");
        let fresh = !account.seen.contains(value);
        let arrived = !fresh || account.slow == 0;
        let works = account.values.contains(value) && arrived;
        if !arrived {
            account.slow -= 1;
        }
        if !works {
            *world.rejected.entry(self.at.clone()).or_default() += 1;
            return false;
        }
        let account = world.accounts.get_mut(&self.at).expect("an account");
        if works {
            account.seen.insert(value.to_owned());
        }
        works
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        match self.fault() {
            Some(Fault::CrashBefore | Fault::CrashAfter) => dies(&self.world).await,
            Some(Fault::TooMany) => return Err(too_many()),
            Some(Fault::ServerError) => return Err(server_error()),
            Some(Fault::LostReply | Fault::NeverArrived) => return Err(ActionError::Unknown("lost".to_owned())),
            _ => {}
        }
        let done = |yes: bool| if yes { Observed::Done(Receipt::default()) } else { Observed::NotDone };
        if self.effect() != Effect::ReadOnly {
            let mut world = self.world.lock().expect("lock");
            if world.stale_looks > 0 {
                world.stale_looks -= 1;
                return Ok(Observed::NotDone);
            }
        }
        Ok(match &self.does {
            Does::Store(step) => {
                let world = self.world.lock().expect("lock");
                let place = &world.places[&self.at];
                let mine = place.staged.as_ref().filter(|(op, _)| *op == cx.op).map(|(_, value)| value);
                match step {
                    StoreStep::Stage(_) => done(mine.is_some()),
                    StoreStep::Promote { expect } if mine.is_some_and(|value| *value == place.current) => {
                        let _ = expect;
                        done(true)
                    }
                    StoreStep::Promote { expect } if place.version.to_string() == *expect => done(false),
                    StoreStep::Promote { .. } => Observed::Conflict("another version".to_owned()),
                    StoreStep::Retire { .. } => done(place.staged.is_none() && place.old.is_empty()),
                }
            }
            Does::Provider(step) => match step {
                ProviderStep::Freeze => done(self.world.lock().expect("lock").frozen.contains(&self.at)),
                ProviderStep::Revoke => done(self.world.lock().expect("lock").accounts[&self.at].values.is_empty()),
                ProviderStep::Set { new, .. } => {
                    let new = Self::value(cx, new).await?;
                    done(self.login(&new))
                }
                ProviderStep::Evict { old } => {
                    let old = Self::value(cx, old).await?;
                    done(!self.login(&old))
                }
                _ => Observed::NotDone,
            },
        })
    }

    /// Brings the effect about, once.
    async fn effect_of(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.does {
            Does::Store(StoreStep::Stage(supply)) => {
                let value = match supply {
                    Supply::Generate { .. } => None,
                    Supply::Copy(from) => Some(Self::value(cx, from).await?),
                    Supply::Issued => return Err(ActionError::Refused("not in this model".to_owned())),
                };
                let mut world = self.world.lock().expect("lock");
                let value = value.unwrap_or_else(|| world.fresh());
                let place = world.places.get_mut(&self.at).expect("a place");
                match &place.staged {
                    Some((op, _)) if *op != cx.op => return Err(ActionError::Conflict("another operation".to_owned())),
                    Some(_) => {}
                    None => place.staged = Some((cx.op, value)),
                }
            }
            Does::Store(StoreStep::Promote { expect }) => {
                let mut world = self.world.lock().expect("lock");
                let place = world.places.get_mut(&self.at).expect("a place");
                let Some((_, new)) = place.staged.clone() else {
                    return Err(ActionError::Conflict("nothing staged".to_owned()));
                };
                if place.version.to_string() != *expect {
                    return if place.current == new {
                        Ok(Receipt::default())
                    } else {
                        Err(ActionError::Conflict("another version".to_owned()))
                    };
                }
                place.old.insert(place.version, std::mem::replace(&mut place.current, new));
                place.version += 1;
            }
            Does::Store(StoreStep::Retire { .. }) => {
                let mut world = self.world.lock().expect("lock");
                let place = world.places.get_mut(&self.at).expect("a place");
                place.staged = None;
                place.old.clear();
            }
            Does::Provider(step) => return self.ask(cx, step).await,
        }
        Ok(Receipt::default())
    }

    async fn ask(&self, cx: &Context<'_>, step: &ProviderStep) -> Result<Receipt, ActionError> {
        match step {
            ProviderStep::Freeze => {
                self.world.lock().expect("lock").frozen.insert(self.at.clone());
            }
            ProviderStep::Revoke => {
                let mut world = self.world.lock().expect("lock");
                let account = world.accounts.get_mut(&self.at).expect("an account");
                if !account.queues {
                    account.values.clear();
                }
            }
            ProviderStep::Set { new, .. } => {
                let new = Self::value(cx, new).await?;
                let mut world = self.world.lock().expect("lock");
                let account = world.accounts.get_mut(&self.at).expect("an account");
                if account.refuses > 0 {
                    account.refuses -= 1;
                    return Err(ActionError::Refused("the password is too simple".to_owned()));
                }
                if account.never_twice && account.values.contains(&new) {
                    account.values.clear();
                    world.broken.push(format!("{} was asked twice, and lost its value", self.at));
                    return Ok(Receipt::default());
                }
                if !account.overlap {
                    account.values.clear();
                }
                account.values.insert(new);
            }
            ProviderStep::Test { new } => {
                let new = Self::value(cx, new).await?;
                if !self.login(&new) {
                    return Err(ActionError::Refused("the new value is rejected".to_owned()));
                }
            }
            ProviderStep::Evict { old } => {
                let old = Self::value(cx, old).await?;
                let mut world = self.world.lock().expect("lock");
                let account = world.accounts.get_mut(&self.at).expect("an account");
                let replaced = account.values.iter().any(|value| *value != old && account.seen.contains(value));
                account.values.remove(&old);
                if !replaced {
                    let why = format!("{} was evicted before a new value was seen working", self.at);
                    world.broken.push(why);
                }
            }
            ProviderStep::Verify { new, old } => {
                if let Some(new) = new {
                    let new = Self::value(cx, new).await?;
                    if !self.login(&new) {
                        return Err(ActionError::Stuck("the new value is rejected".to_owned()));
                    }
                }
                let old = Self::value(cx, old).await?;
                if self.login(&old) {
                    return Err(ActionError::Stuck("the old value still works".to_owned()));
                }
            }
            ProviderStep::Issue { .. } => return Err(ActionError::Refused("not in this model".to_owned())),
        }
        Ok(Receipt::default())
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let fault = self.fault();
        let name = self.name().0;
        match fault {
            Some(Fault::CrashBefore) => dies(&self.world).await,
            Some(Fault::TooMany) => return Err(too_many()),
            Some(Fault::ServerError) => return Err(server_error()),
            Some(Fault::Refused) => return Err(ActionError::Refused("not today".to_owned())),
            Some(Fault::NeverArrived) => return Err(ActionError::Unknown("no answer".to_owned())),
            Some(Fault::ForeignWrite) => self.somebody_else_writes(),
            _ => {}
        }
        self.look_for_intent();
        *self.world.lock().expect("lock").asked.entry(format!("{name} {}", self.at)).or_default() += 1;
        let result = self.effect_of(cx).await;
        self.world.lock().expect("lock").check(&name);
        match fault {
            Some(Fault::Duplicate) => {
                let again = self.effect_of(cx).await;
                self.world.lock().expect("lock").check(&name);
                again
            }
            Some(Fault::CrashAfter) => dies(&self.world).await,
            Some(Fault::LostReply) => Err(ActionError::Unknown("the reply was lost".to_owned())),
            _ => result,
        }
    }

    /// What is about to happen stands in the journal, on the disk, before it happens.
    fn look_for_intent(&self) {
        let mut world = self.world.lock().expect("lock");
        let Some(dir) = world.journal.clone() else { return };
        let (system, action) = match &self.does {
            Does::Store(_) => ("model-store", self.name().0.replace("model.", "store.")),
            Does::Provider(_) => ("model-issuer", self.name().0.replace("model.", "provider.")),
        };
        if self.effect() == Effect::ReadOnly {
            return;
        }
        let mut written = Vec::new();
        for entry in std::fs::read_dir(dir).expect("folder") {
            written.extend(std::fs::read(entry.expect("entry").path()).expect("readable"));
        }
        let start = format!("\"kind\":\"intent\",\"data\":{{\"action\":\"{action}\"");
        let target = format!("\"target\":\"{system}:{}\"", self.at);
        let there = memchr::memmem::find_iter(&written, start.as_bytes()).any(|at| {
            let rest = &written[at..written.len().min(at + 400)];
            let end = memchr::memchr(b'}', rest).unwrap_or(rest.len());
            memchr::memmem::find(&rest[..end], target.as_bytes()).is_some()
        });
        if !there {
            world.broken.push(format!("{action} {} was done without an intent on the disk", self.at));
        }
    }

    /// A colleague changes the entry by hand, in the store and at the issuer, as people do.
    fn somebody_else_writes(&self) {
        let Does::Store(StoreStep::Promote { .. } | StoreStep::Stage(_)) = self.does else { return };
        let mut world = self.world.lock().expect("lock");
        let value = world.fresh();
        let place = world.places.get_mut(&self.at).expect("a place");
        place.foreign = true;
        let before = std::mem::replace(&mut place.current, value.clone());
        place.version += 1;
        for account in world.accounts.values_mut() {
            if account.rotated && account.values.contains(&before) {
                account.values.insert(value.clone());
            }
        }
    }
}

fn too_many() -> ActionError {
    ActionError::Unavailable { why: "429".to_owned(), retry_after: Some(Duration::ZERO) }
}

fn server_error() -> ActionError {
    ActionError::Unavailable { why: "503".to_owned(), retry_after: None }
}

impl Action for ModelAction {
    fn name(&self) -> ActionName {
        ActionName(match &self.does {
            Does::Store(StoreStep::Stage(_)) => "model.stage".to_owned(),
            Does::Store(StoreStep::Promote { .. }) => "model.promote".to_owned(),
            Does::Store(StoreStep::Retire { .. }) => "model.retire".to_owned(),
            Does::Provider(step) => {
                format!("model.{}", format!("{step:?}").split([' ', '{']).next().unwrap_or("").to_lowercase())
            }
        })
    }

    fn effect(&self) -> Effect {
        match &self.does {
            Does::Store(StoreStep::Retire { .. }) => Effect::Final,
            Does::Store(_) => Effect::Reversible,
            Does::Provider(ProviderStep::Test { .. } | ProviderStep::Verify { .. }) => Effect::ReadOnly,
            Does::Provider(ProviderStep::Revoke | ProviderStep::Evict { .. }) => Effect::Final,
            Does::Provider(_) => Effect::Reversible,
        }
    }

    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Observed, ActionError>> {
        Box::pin(self.look(cx))
    }

    fn retry(&self) -> Retry {
        let world = self.world.lock().expect("lock");
        let never = world.accounts.get(&self.at).is_some_and(|account| account.never_twice);
        if never { Retry::Never } else { Retry::ReadFirst }
    }

    fn apply<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Receipt, ActionError>> {
        Box::pin(self.act(cx))
    }

    fn undo<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Receipt, ActionError>> {
        Box::pin(async move {
            let fault = self.fault();
            match fault {
                Some(Fault::CrashBefore) => dies(&self.world).await,
                Some(Fault::TooMany) => return Err(too_many()),
                Some(Fault::ServerError) => return Err(server_error()),
                Some(Fault::NeverArrived) => return Err(ActionError::Unknown("no answer".to_owned())),
                _ => {}
            }
            match &self.does {
                Does::Store(StoreStep::Stage(_)) => {
                    let mut world = self.world.lock().expect("lock");
                    let place = world.places.get_mut(&self.at).expect("a place");
                    if place.staged.as_ref().is_some_and(|(op, _)| *op == cx.op) {
                        place.staged = None;
                    }
                }
                Does::Provider(ProviderStep::Set { new, old }) => {
                    let (new, old) = (Self::value(cx, new).await?, Self::value(cx, old).await?);
                    let mut world = self.world.lock().expect("lock");
                    let account = world.accounts.get_mut(&self.at).expect("an account");
                    account.values.remove(&new);
                    account.values.insert(old);
                }
                Does::Provider(ProviderStep::Freeze) => {
                    self.world.lock().expect("lock").frozen.remove(&self.at);
                }
                _ => return Err(ActionError::Refused("cannot be undone".to_owned())),
            }
            self.world.lock().expect("lock").check("undo");
            match fault {
                Some(Fault::CrashAfter) => dies(&self.world).await,
                Some(Fault::LostReply) => Err(ActionError::Unknown("the reply was lost".to_owned())),
                _ => Ok(Receipt::default()),
            }
        })
    }
}

impl Store for ModelStore {
    fn name(&self) -> &str {
        "model-store"
    }
    fn label(&self) -> &'static str {
        "model store"
    }
    fn inventory<'a>(
        &'a self,
        _: &'a mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Pending<'a, Result<Coverage>> {
        Box::pin(async { Ok(Coverage::default()) })
    }
    fn reads<'a>(&'a self) -> Pending<'a, Result<(Vec<StoreRead>, Coverage)>> {
        Box::pin(async { Ok((self.0.lock().expect("lock").reads.clone(), Coverage::default())) })
    }
    fn read<'a>(&'a self, at: &'a Target, slot: &'a Slot) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async move {
            let world = self.0.lock().expect("lock");
            let place = &world.places[&at.locator];
            Ok(match slot {
                Slot::Current => Some(place.current.clone()),
                Slot::Staged(op) => place.staged.clone().filter(|(mine, _)| mine == op).map(|(_, value)| value),
                Slot::Version(version) if place.version.to_string() == *version => Some(place.current.clone()),
                Slot::Version(version) => version.parse().ok().and_then(|n: u64| place.old.get(&n).cloned()),
            }
            .map(SecretValue::from))
        })
    }
    fn stage<'a>(&'a self, _: &'a Target, _: Uuid, _: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async { Err(ActionError::Refused("not in this model".to_owned())) })
    }
    fn action<'a>(&'a self, at: &'a Target, step: StoreStep) -> Box<dyn Action + 'a> {
        Box::new(ModelAction { world: Arc::clone(&self.0), at: at.locator.clone(), does: Does::Store(step) })
    }
    fn preflight<'a>(&'a self, _: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Provider for ModelProvider {
    fn name(&self) -> &str {
        "model-issuer"
    }
    fn label(&self) -> &'static str {
        "model issuer"
    }
    fn recognise<'a>(&'a self, _: &'a Subject, _: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async { Ok(None) })
    }
    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(async move {
            let world = self.0.lock().expect("lock");
            let live = world.accounts[&at.locator].values.contains(value.expose_str().unwrap_or_default());
            if live { Liveness::Live } else { Liveness::Dead("rejected".to_owned()) }
        })
    }
    fn owned<'a>(&'a self, _: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        Box::pin(async { Ok((Vec::new(), Coverage::default())) })
    }
    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>> {
        Some(Box::new(ModelAction { world: Arc::clone(&self.0), at: at.locator.clone(), does: Does::Provider(step) }))
    }
    fn preflight<'a>(&'a self, _: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async { Ok(()) })
    }
}

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
                hints: Vec::new(),
                consumers: Vec::new(),
            });
        }
        known.push(Known {
            fingerprint,
            label: format!("credential {number}"),
            kinds: ["password".to_owned(), "generic".to_owned()],
            confidence: 1.0,
            places: 1,
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

fn company() -> impl Strategy<Value = Vec<Generated>> {
    let one = (0usize..4, any::<bool>()).prop_map(|(places, overlap)| Generated { places, overlap });
    prop::collection::vec(one, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_every_generated_plan_ends_in_a_legal_state(
        company in company(),
        freeze in 0usize..2,
        faults in prop::collection::vec((1usize..60, 0usize..FAULTS.len()), 0..5),
    ) {
        let setting = setting(&company, freeze, &faults);
        let execution = setting.converge();
        let hostile = faults.iter().any(|(_, f)| matches!(FAULTS[*f], Fault::ForeignWrite | Fault::Refused));
        setting.judge(&execution, hostile);
    }
}

/// A refusal is taken back, and the process dies while it is.
#[test]
fn a_clearing_up_that_is_cut_off_goes_on() {
    let company = [Generated { places: 2, overlap: false }];
    for refused in 1..=14 {
        for later in 1..=8 {
            for crash in [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply] {
                let fault = |wanted| FAULTS.iter().position(|fault| *fault == wanted).expect("listed");
                let faults = [(refused, fault(Fault::Refused)), (refused + later, fault(crash))];
                let setting = setting(&company, 0, &faults);
                let execution = setting.converge();
                setting.judge(&execution, true);
            }
        }
    }
}

/// Every fault at every call of one plan that has everything: two places, a token, an account to freeze.
#[test]
fn every_fault_at_every_call_ends_in_a_legal_state() {
    let company = [
        Generated { places: 2, overlap: false },
        Generated { places: 1, overlap: true },
        Generated { places: 0, overlap: false },
    ];
    let calm = setting(&company, 1, &[]);
    let execution = calm.converge();
    calm.judge(&execution, false);
    assert!(calm.plan.treatments.iter().all(|t| !matches!(t.disposition, Disposition::Open { .. })));
    let calls = calm.world.lock().expect("lock").calls;
    assert!(calls > 40, "the plan asks for {calls} calls only");
    for at in 1..=calls {
        for (fault, kind) in FAULTS.iter().enumerate() {
            let setting = setting(&company, 1, &[(at, fault)]);
            let execution = setting.converge();
            let hostile = matches!(kind, Fault::ForeignWrite | Fault::Refused);
            setting.judge(&execution, hostile);
        }
    }
}

/// Policy grants the consumers of a target with two slots some seconds: both values work until it is over, then the old one ends.
#[test]
fn the_old_value_lives_through_its_grace_period_and_no_longer() {
    let mut setting = setting(&[Generated { places: 1, overlap: true }], 0, &[]);
    // Long enough that even a busy machine comes from the promotion to the eviction before it is over.
    setting.plan.treatments[0].grace = "10s".parse().expect("a period");
    let old = setting.found.values().next().expect("a value").expose_str().expect("text").to_owned();
    let first = setting.apply().expect("nobody dies");
    let Some((step, Some(State::NotYet(why)))) = first.blocked(&setting.plan.treatments[0]) else {
        panic!("{first:?}");
    };
    assert!(step.action.0 == "provider.evict" && why.contains("grace"), "{why}");
    {
        let world = setting.world.lock().expect("lock");
        let values = &world.accounts["account-0"].values;
        assert!(values.contains(&old) && values.contains(&world.places["place-0-0"].current), "{values:?}");
    }
    let late = std::time::Instant::now() + Duration::from_secs(60);
    let mut execution = first;
    while !execution.is_done(&setting.plan.treatments[0]) {
        assert!(std::time::Instant::now() < late, "{execution:?}");
        std::thread::sleep(Duration::from_millis(100));
        execution = setting.apply().expect("nobody dies");
    }
    setting.judge(&execution, false);
}
