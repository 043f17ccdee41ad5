//! The joint between plans and live systems: one step of a rotation or revocation that can be observed, applied and,
//! where the system allows it, undone.
//!
//! The executor (room `rotation`) drives actions; stores and providers (room 7) offer them, so the trait lives below both.
//! For each step: `observe` → done? log and go on → log the intent, synced → `apply` → log the outcome.
//!
//! Invariant: no type here can carry a secret value, except through [`Values`], which resolves a [`ValueRef`] at the last
//! moment and is never written anywhere.

mod failure;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::{Fingerprint, SecretValue};

/// A future that an object-safe trait can return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Stable name of an action, as plans, logs and documents print it: `aws.promote`, `vault-token.revoke`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionName(pub String);

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an action does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Looks only.
    ReadOnly,
    /// Can be taken back by [`Action::undo`].
    Reversible,
    /// Cannot be taken back. A `Final` step runs after every `Reversible` one before it.
    Final,
}

/// The system and the place in it that a step works on. Never a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// Name of a configured store or provider: `bao`, `aws`, `shop-db`, `files`.
    pub system: String,
    /// Where in it: `secret/shop/db#password`, `arn:…`, `role:shop`, `.env#DB_PASSWORD`, `accessor:…`.
    pub locator: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.system, self.locator)
    }
}

/// Which of the values kept at a place is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// What consumers read now.
    Current,
    /// The staged new value of the operation with this id. It lives inside the store, never in the journal.
    Staged(Uuid),
    /// One named version (KV version number, Secrets Manager version id, `backup`).
    Version(String),
}

/// A pointer to a value in a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ValueRef {
    /// Store and place.
    pub at: Target,
    /// Which value there.
    pub slot: Slot,
}

impl ValueRef {
    /// System name of values that this process found in text; the locator is the fingerprint.
    pub const FOUND: &str = "found-in-text";

    /// A value that was found in text: nothing but a new scan brings it back.
    pub fn found(fingerprint: &Fingerprint) -> Self {
        let at = Target { system: Self::FOUND.to_owned(), locator: fingerprint.to_string() };
        Self { at, slot: Slot::Current }
    }
}

/// Resolves pointers to values at the last moment.
pub trait Values: Send + Sync {
    /// Reads the value; `Ok(None)` when there is definitely none.
    fn read<'a>(&'a self, value: &'a ValueRef) -> Pending<'a, Result<Option<SecretValue>, ActionError>>;

    /// Puts a value that a provider just issued into a staging slot.
    fn stage<'a>(&'a self, into: &'a ValueRef, value: &'a SecretValue) -> Pending<'a, Result<(), ActionError>>;
}

/// What an action is given.
pub struct Context<'a> {
    /// Identity of the operation, the same for every step of one treatment and each time a step is run: what is staged under
    /// it is what is promoted. Doubles as AWS `ClientRequestToken`.
    pub op: Uuid,
    /// Resolves value pointers.
    pub values: &'a dyn Values,
    /// How long one call may take.
    pub deadline: Duration,
}

impl Context<'_> {
    /// The value that a step cannot do without.
    ///
    /// # Errors
    /// `Stuck` when there is none any more, and what its place says.
    pub async fn value(&self, value: &ValueRef) -> Result<SecretValue, ActionError> {
        let missing = || ActionError::Stuck(format!("the value at {} cannot be read any more", value.at));
        self.values.read(value).await?.ok_or_else(missing)
    }
}

/// What the remote said, redacted: version ids, request ids, states. Never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Facts by name, in the remote's own words: `version = 8`, `accessor = revoked`.
    pub facts: BTreeMap<String, String>,
}

impl Receipt {
    /// A receipt with one fact.
    pub fn of(name: &str, fact: impl fmt::Display) -> Self {
        Self::default().and(name, fact)
    }

    /// Adds a fact.
    #[must_use]
    pub fn and(mut self, name: &str, fact: impl fmt::Display) -> Self {
        self.facts.insert(name.to_owned(), fact.to_string());
        self
    }
}

/// What a look at the system says about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The step's effect is not there.
    NotDone,
    /// The step's effect is there.
    Done(Receipt),
    /// Something else than the plan expected is there (a foreign version, a vanished entry): re-plan, never overwrite.
    Conflict(String),
}

/// Why an action could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionError {
    /// The system refused definitively; nothing was changed.
    Refused(String),
    /// The request may have had its effect: observe, never apply again by itself.
    Unknown(String),
    /// Nothing was changed and trying later may work (rate limit, sealed, 5xx before sending).
    Unavailable {
        /// What happened.
        why: String,
        /// When to try again, if the system said so.
        retry_after: Option<Duration>,
    },
    /// What is there is not what the plan was made for: re-plan.
    Conflict(String),
    /// A person has to act; the text says what to do.
    Stuck(String),
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Unknown(why) => write!(f, "outcome unknown: {why}"),
            Self::Unavailable { why, .. } => write!(f, "not available: {why}"),
            Self::Conflict(why) => write!(f, "conflict: {why}"),
            Self::Stuck(why) => write!(f, "stuck: {why}"),
        }
    }
}

impl std::error::Error for ActionError {}

/// Whether a step may be applied again when it is not known whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Retry {
    /// Twice is the same as once: the same password set again, a revocation repeated.
    Safe,
    /// After a look that says that it was not done.
    #[default]
    ReadFirst,
    /// Never by itself: repeating would destroy what the first request made, and a look cannot tell.
    Never,
}

/// One step that can be observed, applied and perhaps undone.
pub trait Action: Send + Sync {
    /// Stable name.
    fn name(&self) -> ActionName;

    /// What it does to the world.
    fn effect(&self) -> Effect;

    /// Looks whether the effect is there. Must not change anything.
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Observed, ActionError>>;

    /// Brings the effect about. Idempotent by `cx.op` wherever the system allows it.
    fn apply<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Receipt, ActionError>>;

    /// Whether it may be applied again when its outcome is not known.
    fn retry(&self) -> Retry;

    /// Takes a `Reversible` effect back. Must be safe to repeat.
    fn undo<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Receipt, ActionError>>;
}

/// An [`Action`] as its author writes it, in async functions; what executors hold is the boxed form that follows from it.
pub trait Work: Send + Sync {
    /// See [`Action::name`].
    fn name(&self) -> ActionName;

    /// See [`Action::effect`].
    fn effect(&self) -> Effect;

    /// See [`Action::retry`].
    fn retry(&self) -> Retry {
        Retry::ReadFirst
    }

    /// See [`Action::observe`].
    fn look(&self, cx: &Context<'_>) -> impl Future<Output = Result<Observed, ActionError>> + Send;

    /// See [`Action::apply`].
    fn act(&self, cx: &Context<'_>) -> impl Future<Output = Result<Receipt, ActionError>> + Send;

    /// See [`Action::undo`].
    fn take_back(&self, _cx: &Context<'_>) -> impl Future<Output = Result<Receipt, ActionError>> + Send {
        async { Err(ActionError::Refused("this step cannot be undone".to_owned())) }
    }
}

impl<T: Work> Action for T {
    fn name(&self) -> ActionName {
        Work::name(self)
    }

    fn effect(&self) -> Effect {
        Work::effect(self)
    }

    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Observed, ActionError>> {
        Box::pin(self.look(cx))
    }

    fn apply<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Receipt, ActionError>> {
        Box::pin(self.act(cx))
    }

    fn retry(&self) -> Retry {
        Work::retry(self)
    }

    fn undo<'a>(&'a self, cx: &'a Context<'a>) -> Pending<'a, Result<Receipt, ActionError>> {
        Box::pin(self.take_back(cx))
    }
}

/// Runs a future to its end on this thread. The rooms below the command line are async only where they talk to remotes.
///
/// One runtime serves the whole process: a client keeps its connections open between two calls, and they end with the
/// runtime that opened them.
#[cfg(any(feature = "issuers", feature = "postgres"))]
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("because a runtime of one thread needs no more than memory")
    });
    RUNTIME.block_on(async {
        let done = future.await;
        // Nobody drives this runtime between two calls: connections that were given up here are closed now, not at the next call.
        tokio::task::yield_now().await;
        done
    })
}

/// Runs a future to its end on this thread. Without a feature that talks to remotes no future ever waits.
#[cfg(not(any(feature = "issuers", feature = "postgres")))]
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        std::thread::yield_now();
    }
}
