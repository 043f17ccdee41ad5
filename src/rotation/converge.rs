//! Whether the consumers of a value have read the new one: by the stores' own records of reads.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::treat::{Run, is_promote};
use super::{State, Systems};
use crate::action::Receipt;
use crate::clock;
use crate::plan::{Converge, Does, Step};
use crate::store::{StoreRead, StoreStep};

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
        let since = self.promoted().unwrap_or_else(clock::now);
        let systems: BTreeSet<&str> = promoted.iter().map(|step| step.target.system.as_str()).collect();
        for store in systems.into_iter().filter_map(|name| Systems::store(self.systems, name)) {
            let (reads, _) = store.reads().await.map_err(|error| error.to_string())?;
            for read in reads {
                if promoted.iter().any(|step| is_of(&read, step) && is_new(&read, step, since)) {
                    missing.retain(|consumer| !read.aliases.contains(consumer));
                }
            }
        }
        Ok(missing)
    }
}

/// Whether it is a read of the entry that a step promoted.
fn is_of(read: &StoreRead, step: &Step) -> bool {
    let entry = step.target.locator.rsplit_once('#').map_or(step.target.locator.as_str(), |(entry, _)| entry);
    read.at.system == step.target.system && (read.at == step.target || read.at.locator == entry)
}

/// Whether a read was served the new value. A record's time may have fewer digits than ours, and clocks differ a little: the
/// whole second counts where the store numbers its versions, and the read was not of the replaced one. Where it does not, a record
/// without parts of a second, of the second of the promotion, may be of either, and is not taken for the new value.
fn is_new(read: &StoreRead, step: &Step, since: Timestamp) -> bool {
    let Ok(time) = read.time.parse::<Timestamp>() else { return false };
    let replaced = match &step.does {
        Does::Store(StoreStep::Promote { expect: replaced } | StoreStep::Rotate { replaced, .. }) => replaced,
        _ => "",
    };
    let number = |version: &str| version.split('@').next().and_then(|number| number.parse::<u64>().ok());
    match (number(&read.version), number(replaced)) {
        (Some(version), Some(replaced)) => version > replaced && time.as_second() >= since.as_second(),
        _ => time > since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{ActionName, Effect, Target};

    #[test]
    fn a_read_is_of_the_new_value_by_its_version_or_by_its_time() {
        let at = |locator: &str| Target { system: "bao".to_owned(), locator: locator.to_owned() };
        let step = |expect: &str| Step {
            id: "c1.5".to_owned(),
            action: ActionName("store.promote".to_owned()),
            target: at("secret/shop/db#password"),
            does: Does::Store(StoreStep::Promote { expect: expect.to_owned() }),
            effect: Effect::Reversible,
        };
        let read = |version: &str, time: &str| StoreRead {
            at: at("secret/shop/db"),
            version: version.to_owned(),
            aliases: Vec::new(),
            time: time.to_owned(),
        };
        let since: Timestamp = "2026-11-22T10:00:00.5Z".parse().expect("a time");
        assert!(is_of(&read("3", ""), &step("3")));
        for (version, time, new) in [
            ("3", "2026-11-22T10:00:07Z", false),
            ("4", "2026-11-22T10:00:00Z", true),
            ("4", "2026-11-22T09:59:59.9Z", false),
        ] {
            assert_eq!(is_new(&read(version, time), &step("3@5f"), since), new, "{version} {time}");
        }
        for (time, new) in [
            ("2026-11-22T10:00:00.4Z", false),
            ("2026-11-22T10:00:00Z", false),
            ("2026-11-22T10:00:00.6Z", true),
            ("2026-11-22T10:00:01Z", true),
            ("", false),
        ] {
            assert_eq!(is_new(&read("", time), &step("sha256:ab"), since), new, "{time}");
        }
    }
}
