//! Whether the consumers of a value have read the new one: by the stores' own records of reads.

use std::collections::BTreeSet;
use std::time::Duration;

use super::treat::{Run, is_promote};
use super::{State, Systems};
use crate::action::Receipt;
use crate::clock;
use crate::plan::{Converge, Step};

/// How often the records are read in one run.
const LOOKS: u32 = 3;

impl Run<'_> {
    /// Looks whether every consumer has read the new value; after the deadline it depends on the target what happens.
    pub(super) async fn converge(&self, converge: &Converge) -> (State, Receipt) {
        let mut looks = 0;
        let missing = loop {
            let missing = match self.missing(converge).await {
                Ok(missing) => missing,
                Err(why) => return (State::Waiting(why), Receipt::default()),
            };
            looks += 1;
            if missing.is_empty() {
                let all = converge.consumers.join(", ");
                return (State::Confirmed, Receipt::of("have read the new value", all));
            }
            if looks >= LOOKS {
                break missing.into_iter().collect::<Vec<_>>().join(", ");
            }
            self.patience.pause(looks, None).await;
        };
        if self.patience.let_go.contains(&self.treatment.id) {
            return (State::Confirmed, Receipt::of("not waited for, as a person decided", missing));
        }
        let promoted = self.promoted().and_then(|at| at.checked_add(Duration::from_secs(converge.within.0)).ok());
        match promoted {
            Some(end) if clock::now() < end => (
                State::NotYet(format!("{missing} did not read the new value yet; waiting until {end}")),
                Receipt::default(),
            ),
            _ if converge.holds => {
                let todo = format!(
                    "{missing} did not read the new value within {}: make them read it, or give up on them with \
                     `offkey resume --let-go {}`; the old value goes on working until then",
                    converge.within, self.treatment.id
                );
                (State::Stuck(todo), Receipt::default())
            }
            // The old value ended when the new one was set: waiting longer saves nobody.
            _ => (State::Confirmed, Receipt::of("did not read the new value in time", missing)),
        }
    }

    /// When the last place was given the new value.
    fn promoted(&self) -> Option<jiff::Timestamp> {
        let promoted = self.treatment.steps.iter().filter(|step| is_promote(step));
        promoted.filter_map(|step| self.journal.confirmed_at(step).ok().flatten()).max()
    }

    /// Consumers without a read of a new version in any of the records.
    async fn missing(&self, converge: &Converge) -> Result<BTreeSet<String>, String> {
        let mut missing: BTreeSet<String> = converge.consumers.iter().cloned().collect();
        let promoted: Vec<&Step> = self.treatment.steps.iter().filter(|step| is_promote(step)).collect();
        let since = self.promoted().map(|at| at.to_string()).unwrap_or_default();
        let systems: BTreeSet<&str> = promoted.iter().map(|step| step.target.system.as_str()).collect();
        for store in systems.into_iter().filter_map(|name| Systems::store(self.systems, name)) {
            let (reads, _) = store.reads().await.map_err(|error| error.to_string())?;
            for read in reads {
                let ours = promoted.iter().any(|step| {
                    let entry =
                        step.target.locator.rsplit_once('#').map_or(step.target.locator.as_str(), |(entry, _)| entry);
                    read.at.system == step.target.system && (read.at == step.target || read.at.locator == entry)
                });
                // A record's time has fewer digits than ours at times: the whole second counts.
                if ours && (read.time.get(..19) >= since.get(..19)) {
                    missing.retain(|consumer| !read.aliases.contains(consumer));
                }
            }
        }
        Ok(missing)
    }
}
