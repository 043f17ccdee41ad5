//! Calls to live systems with their limits: a deadline for each, a few tries when a system is not available, back-off.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::limits::Limited;
use crate::action::{ActionError, Context, Observed, Receipt};

/// How patient the executor is.
#[derive(Clone, Debug)]
pub struct Patience {
    /// How long one call may take.
    pub deadline: Duration,
    /// How often an unavailable system is asked before the treatment is left for the next apply.
    pub attempts: u32,
    /// First pause between two tries; each further one is twice as long.
    pub pause: Duration,
    /// Treatments on their way at the same time.
    pub parallel: usize,
    /// Treatments that are left alone: a person took them back.
    pub leave: BTreeSet<String>,
    /// Treatments whose consumers are not waited for any longer: a person decided so.
    pub let_go: BTreeSet<String>,
    /// Once true, nothing new is begun; what was begun goes on until its consumers have a value that works.
    pub stop: Arc<AtomicBool>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(20),
            attempts: 5,
            pause: Duration::from_millis(200),
            parallel: 8,
            leave: BTreeSet::new(),
            let_go: BTreeSet::new(),
            stop: Arc::default(),
        }
    }
}

impl Patience {
    /// Whether a person asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Waits after try number `attempt`, or as long as the system asked for.
    pub(super) async fn pause(&self, attempt: u32, asked: Option<Duration>) {
        let wait = asked.unwrap_or(self.pause * 2u32.saturating_pow(attempt.saturating_sub(1))).min(self.deadline);
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    /// Looks; a system that is not available is asked again. A look has no effect, so a lost answer is asked for again too.
    pub(super) async fn observe(&self, action: &Limited<'_>, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let mut attempt = 0;
        loop {
            action.turn().await;
            let seen = within(self.deadline, action.observe(cx)).await.unwrap_or_else(|| {
                let why = format!("no answer within {} s", self.deadline.as_secs());
                Err(ActionError::Unavailable { why, retry_after: None })
            });
            let asked = match &seen {
                Err(ActionError::Unavailable { retry_after, .. }) => *retry_after,
                Err(ActionError::Unknown(_)) => None,
                _ => return seen,
            };
            attempt += 1;
            if attempt >= self.attempts {
                return seen;
            }
            self.pause(attempt, asked).await;
        }
    }

    /// Looks, up to `looks` times, until the effect is there: some systems accept first and work later, and a request whose
    /// answer was lost may still be on its way.
    pub(super) async fn settle(
        &self,
        action: &Limited<'_>,
        cx: &Context<'_>,
        looks: u32,
    ) -> Result<Observed, ActionError> {
        let mut attempt = 0;
        loop {
            let seen = self.observe(action, cx).await;
            attempt += 1;
            if seen != Ok(Observed::NotDone) || attempt >= looks {
                return seen;
            }
            self.pause(attempt, None).await;
        }
    }

    /// One try. An answer that does not come in time leaves the outcome unknown.
    pub(super) async fn apply(&self, action: &Limited<'_>, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        action.turn().await;
        within(self.deadline, action.apply(cx)).await.unwrap_or_else(|| Err(self.late()))
    }

    /// Takes an effect back; repeated when the system is not available or the answer was lost, because putting back what
    /// was there before twice is the same as once.
    pub(super) async fn undo(&self, action: &Limited<'_>, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let mut attempt = 0;
        loop {
            action.turn().await;
            let undone = within(self.deadline, action.undo(cx)).await.unwrap_or_else(|| Err(self.late()));
            let asked = match &undone {
                Err(ActionError::Unavailable { retry_after, .. }) => *retry_after,
                Err(ActionError::Unknown(_)) => None,
                _ => return undone,
            };
            attempt += 1;
            if attempt >= self.attempts {
                return undone;
            }
            self.pause(attempt, asked).await;
        }
    }

    fn late(&self) -> ActionError {
        ActionError::Unknown(format!("no answer within {} s", self.deadline.as_secs()))
    }
}

/// `None` when the deadline passed first. Where nothing talks to remotes no call can hang, and there is no clock to ask.
#[cfg(any(feature = "issuers", feature = "postgres"))]
async fn within<T>(deadline: Duration, call: impl Future<Output = T>) -> Option<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::time::timeout(deadline, call).await.ok(),
        Err(_) => Some(call.await),
    }
}

#[cfg(not(any(feature = "issuers", feature = "postgres")))]
async fn within<T>(_: Duration, call: impl Future<Output = T>) -> Option<T> {
    Some(call.await)
}

#[cfg(any(feature = "issuers", feature = "postgres"))]
pub(super) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

#[cfg(not(any(feature = "issuers", feature = "postgres")))]
pub(super) async fn sleep(time: Duration) {
    std::thread::sleep(time);
}
