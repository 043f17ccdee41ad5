//! A finding and everything known about its value → a verdict, with its reason.

use super::baseline::Baseline;
use crate::clock;
use crate::config::{Config, GatePolicy};
use crate::detect::Allowance;
use crate::finding::{Finding, Verdict};
use crate::ledger::{Entry, State};
use crate::plan::Waiver;

/// What may excuse a finding, all of it from the base of the change.
#[derive(Debug)]
pub struct Excuses {
    pub(super) policy: GatePolicy,
    waivers: Vec<Waiver>,
    baseline: Option<Baseline>,
    today: String,
    now: jiff::Timestamp,
}

/// What is known about one finding.
pub(super) struct Known<'a> {
    pub(super) path: &'a str,
    pub(super) entry: Option<&'a Entry>,
}

/// A verdict and its reason.
pub(super) struct Said {
    pub(super) verdict: Verdict,
    pub(super) why: String,
    /// What excuses it: the id of a waiver, `inline`, or `ledger`.
    pub(super) waived: Option<String>,
}

impl Excuses {
    /// The excuses of a configuration and a baseline. A waiver that has ended is said and counts for nothing.
    pub fn new(config: &Config, baseline: Option<Baseline>, notes: &mut Vec<String>) -> Self {
        let now = clock::now();
        let today = now.to_string()[..10].to_owned();
        for ended in config.waivers.iter().filter(|waiver| waiver.until < today) {
            notes.push(format!("waiver {} of {} ended on {}", ended.id, ended.owner, ended.until));
        }
        let waivers = config.waivers.iter().filter(|waiver| waiver.until >= today).cloned().collect();
        Self { policy: config.gate.clone(), waivers, baseline, today, now }
    }

    /// Whether the policy leaves a path out.
    pub(super) fn excludes(&self, path: &str) -> bool {
        self.policy.excludes(path)
    }

    /// Whether a verdict blocks.
    pub(super) fn blocks(&self, verdict: Verdict) -> bool {
        self.policy.block.contains(&verdict)
    }

    /// The verdict. A dated, owned waiver excuses anything; staleness comes before every other excuse.
    pub(super) fn judge(&self, finding: &Finding, known: &Known<'_>) -> Said {
        let said = |verdict, why: String| Said { verdict, why, waived: None };
        let waived = |by: &str, why: String| Said { verdict: Verdict::Waived, why, waived: Some(by.to_owned()) };
        if let Some(waiver) = self.waivers.iter().find(|waiver| waiver.fingerprint == finding.fingerprint) {
            let Waiver { id, owner, reason, until, .. } = waiver;
            return waived(id, format!("waiver {id} of {owner} until {until}: {reason}"));
        }
        if let Some(why) = known.entry.and_then(|entry| self.stale(entry)) {
            return said(Verdict::Stale, why);
        }
        match &finding.allowance {
            Some(Allowance { rule: Some(rule), .. }) if *rule != finding.rule => {}
            Some(Allowance { reason: Some(reason), .. }) if self.policy.inline_allow => {
                return waived("inline", format!("allowed where it stands: {reason}"));
            }
            Some(Allowance { reason: None, .. }) if self.policy.inline_allow => {
                return said(Verdict::New, "offkey:allow without a reason counts for nothing".to_owned());
            }
            Some(_) => return said(Verdict::New, "the policy does not accept offkey:allow".to_owned()),
            None => {}
        }
        match known.entry {
            Some(Entry { state: State::Waived, until: Some(until), .. }) if *until >= self.today => {
                waived("ledger", format!("waived in the ledger until {until}"))
            }
            Some(entry) => {
                said(Verdict::Known, format!("in the ledger as {} since {}", entry.state.word(), day(&entry.since)))
            }
            None => {
                let accepted = self.baseline.as_ref().and_then(|all| all.get(&finding.fingerprint, known.path));
                match accepted {
                    Some(one) if one.reason.is_empty() => {
                        said(Verdict::Known, format!("in the baseline since {}", one.added))
                    }
                    Some(one) => said(Verdict::Known, format!("in the baseline since {}: {}", one.added, one.reason)),
                    None => said(Verdict::New, "not known yet".to_owned()),
                }
            }
        }
    }

    /// Why a known credential is stale, if it is.
    fn stale(&self, entry: &Entry) -> Option<String> {
        let whose = if entry.owner.is_empty() { "its owner" } else { &entry.owner };
        if entry.state.is_dead() {
            let gone = entry.departed.as_ref().map_or_else(String::new, |_| format!("; it was {whose}'s, who left"));
            return Some(format!("{} since {}{gone}", entry.state.word(), day(&entry.since)));
        }
        if let Some(departed) = &entry.departed {
            return Some(format!("{whose}, who could use it, left on {}", day(departed)));
        }
        let most = self.policy.max_age_days?;
        let seen: jiff::Timestamp = entry.first_seen.parse().ok()?;
        let days = (self.now.as_second() - seen.as_second()) / 86_400;
        (days > i64::from(most)).then(|| format!("known for {days} days, the policy allows {most}"))
    }
}

/// The day of a time stamp.
fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}
