//! How fast systems may be asked: a bucket of tokens for each that policy gives a rate.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Mutex;
use std::time::Duration;

use super::calls::sleep;
use crate::action::Action;
use crate::clock;
use crate::plan::Rate;

/// The buckets, by name of the system.
#[derive(Debug, Default)]
pub struct Limits(BTreeMap<String, Bucket>);

#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    state: Mutex<(f64, jiff::Timestamp)>,
}

impl Limits {
    /// One full bucket for each rate.
    pub fn new(rates: &BTreeMap<String, Rate>) -> Self {
        let bucket = |rate: &Rate| Bucket { rate: *rate, state: Mutex::new((f64::from(rate.calls), clock::now())) };
        Self(rates.iter().map(|(name, rate)| (name.clone(), bucket(rate))).collect())
    }

    pub(super) fn of(&self, system: &str) -> Option<&Bucket> {
        self.0.get(system)
    }
}

impl Bucket {
    /// Takes a token, or says how long to wait for the next one.
    fn take(&self, now: jiff::Timestamp) -> Option<Duration> {
        let mut state = self.state.lock().expect("because no thread panics with the lock held");
        let per_second = f64::from(self.rate.calls) / self.rate.seconds as f64;
        let passed = now.duration_since(state.1).as_secs_f64().max(0.0);
        *state = ((state.0 + passed * per_second).min(f64::from(self.rate.calls)), now);
        if state.0 >= 1.0 {
            state.0 -= 1.0;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - state.0) / per_second))
    }
}

/// An action that is only called when its system may be asked.
pub(super) struct Limited<'a> {
    pub(super) action: Box<dyn Action + 'a>,
    pub(super) bucket: Option<&'a Bucket>,
}

impl Limited<'_> {
    /// Waits until the system may be asked once more. Not part of a call: its deadline begins after this.
    pub(super) async fn turn(&self) {
        while let Some(wait) = self.bucket.and_then(|bucket| bucket.take(clock::now())) {
            sleep(wait).await;
        }
    }
}

impl<'a> Deref for Limited<'a> {
    type Target = dyn Action + 'a;

    fn deref(&self) -> &Self::Target {
        self.action.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_calls_at_once_and_then_one_after_the_other() {
        let limits = Limits::new(&BTreeMap::from([("github".to_owned(), "3/m".parse().expect("a rate"))]));
        let bucket = limits.of("github").expect("there");
        let start = bucket.state.lock().expect("lock").1;
        assert!((0..3).all(|_| bucket.take(start).is_none()), "a full bucket");
        let wait = bucket.take(start).expect("empty");
        assert!((19.9..=20.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert!(bucket.take(start + wait).is_none());
        assert!(bucket.take(start + wait).is_some());
        assert!(limits.of("gitlab").is_none(), "no rate, no bucket");
    }
}
