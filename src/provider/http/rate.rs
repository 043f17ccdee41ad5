//! No more calls than the issuer allows: a sliding window in this process.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::rule::issuer::Rate;

/// Counts the calls of one issuer.
#[derive(Debug)]
pub(super) struct Meter {
    rate: Option<Rate>,
    made: Mutex<VecDeque<Instant>>,
}

impl Meter {
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self { rate, made: Mutex::new(VecDeque::new()) }
    }

    /// Takes one call; the time to wait when there is none left.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let Some(Rate { calls, seconds }) = self.rate else { return Ok(()) };
        let window = Duration::from_secs(seconds);
        let mut made = self.made.lock().expect("because no holder panics");
        while made.front().is_some_and(|first| now.duration_since(*first) >= window) {
            made.pop_front();
        }
        if made.len() < calls {
            made.push_back(now);
            return Ok(());
        }
        let first = *made.front().expect("because a rate has one call or more");
        Err(window.saturating_sub(now.duration_since(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides() {
        let meter = Meter::new(Some(Rate { calls: 2, seconds: 10 }));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(meter.take(at(0)), Ok(()));
        assert_eq!(meter.take(at(4)), Ok(()));
        assert_eq!(meter.take(at(5)), Err(Duration::from_secs(5)));
        assert_eq!(meter.take(at(10)), Ok(()));
        assert_eq!(meter.take(at(11)), Err(Duration::from_secs(3)));
        assert_eq!(Meter::new(None).take(at(0)), Ok(()));
    }
}
