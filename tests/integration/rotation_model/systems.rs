//! The store and the issuer of the model: every step asks first what is to go wrong.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use offkey::action::{
    Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Retry, Slot, Target, ValueRef,
};
use offkey::error::Result;
use offkey::finding::Liveness;
use offkey::identity::Identity;
use offkey::provider::{Owned, Provider, ProviderStep, Subject};
use offkey::secret::SecretValue;
use offkey::source::Coverage;
use offkey::store::{Held, Store, StoreRead, StoreStep, Supply, Turn};
use uuid::Uuid;

use super::world::{Fault, Shared};

pub(super) struct ModelStore(pub(super) Shared);
pub(super) struct ModelProvider(pub(super) Shared);

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
                    StoreStep::Rotate { .. } if place.foreign => Observed::Conflict("another version".to_owned()),
                    StoreStep::Rotate { replaced, turn: Turn::First } => done(place.version.to_string() != *replaced),
                    StoreStep::Rotate { replaced, .. } => {
                        let old = replaced.parse().ok().and_then(|version: u64| place.old.get(&version));
                        done(
                            !old.is_some_and(|old| world.accounts.values().any(|account| account.values.contains(old))),
                        )
                    }
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
            Does::Store(StoreStep::Rotate { replaced, turn }) => self.function(replaced, *turn)?,
            Does::Provider(step) => return self.ask(cx, step).await,
        }
        Ok(Receipt::default())
    }

    /// The store's own machinery: it sets a value that it has seen working, and says so only then. Where the account takes two
    /// values, it alternates between two users.
    fn function(&self, replaced: &str, turn: Turn) -> Result<(), ActionError> {
        let mut world = self.world.lock().expect("lock");
        let new = world.fresh();
        let place = world.places.get_mut(&self.at).expect("a place");
        if place.foreign {
            return Err(ActionError::Conflict("another version".to_owned()));
        }
        if turn == Turn::First && place.version.to_string() != replaced {
            return Ok(());
        }
        let before = std::mem::replace(&mut place.current, new.clone());
        place.old.insert(place.version, before.clone());
        place.version += 1;
        let old: BTreeSet<String> = place.old.values().filter(|value| **value != before).cloned().collect();
        for account in world.accounts.values_mut().filter(|account| account.values.contains(&before)) {
            account.values.retain(|value| account.overlap && !old.contains(value));
            account.values.insert(new.clone());
            account.seen.insert(new.clone());
        }
        Ok(())
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
            Does::Store(step @ (StoreStep::Retire { .. } | StoreStep::Rotate { .. })) => {
                format!("model.{}", step.word())
            }
            Does::Provider(step) => {
                format!("model.{}", format!("{step:?}").split([' ', '{']).next().unwrap_or("").to_lowercase())
            }
        })
    }

    fn effect(&self) -> Effect {
        match &self.does {
            Does::Store(StoreStep::Retire { .. } | StoreStep::Rotate { .. }) => Effect::Final,
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
