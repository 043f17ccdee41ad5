//! What a case teaches the ledger: every credential that was found, and what became of those that were treated.
//!
//! The case's own folder is the evidence; the ledger only repeats it for the gate. A ledger that cannot be written is
//! therefore a warning in the log, not the end of a sweep.

use std::collections::{HashMap, HashSet};

use crate::attribution::Exposure;
use crate::case::{Findings, Request};
use crate::clock;
use crate::config::Home;
use crate::confirm::Verdict;
use crate::error::Result;
use crate::finding::Liveness;
use crate::ledger::{self, Entry, Ledger, State};
use crate::plan::{Disposition, Plan, Treatment};
use crate::rotation::Execution;
use crate::secret::Fingerprint;

/// After a sweep: everything that was found. `guessable` holds the values that could be found by trying.
pub(super) fn swept(
    home: &Home,
    request: &Request,
    findings: &Findings,
    plan: &Plan,
    guessable: &HashSet<Fingerprint>,
) {
    let now = clock::now().to_string();
    let mut ties: HashMap<Fingerprint, Vec<&Exposure>> = HashMap::new();
    for exposure in &findings.exposures {
        ties.entry(exposure.fingerprint).or_default().push(exposure);
    }
    let treatments = by_value(plan);
    let entry = |record: &crate::case::Record| {
        let ties = ties.get(&record.fingerprint).map_or(&[][..], Vec::as_slice);
        let strongest = |leaver: bool| {
            let some = ties.iter().filter(|tie| tie.leaver == leaver);
            some.max_by(|a, b| a.strength.total_cmp(&b.strength)).map(|tie| tie.person.clone())
        };
        let leaver = strongest(true);
        let disposition = treatments.get(&record.fingerprint).map(|treatment| &treatment.disposition);
        let kept = matches!(disposition, Some(Disposition::Kept { .. }));
        let (state, until) = match (disposition, &record.liveness) {
            (Some(Disposition::Waived { until, .. }), _) => (State::Waived, Some(until.clone())),
            (Some(Disposition::AlreadyDead { .. } | Disposition::Expired { .. }), _) | (_, Some(Liveness::Dead(_))) => {
                (State::Revoked, None)
            }
            (_, Some(Liveness::Live)) => (State::Live, None),
            _ => (State::Unknown, None),
        };
        Entry {
            fingerprint: record.fingerprint,
            kind: record.kind.clone(),
            label: record.label.clone(),
            departed: leaver.as_ref().filter(|_| !kept).map(|_| request.opened.clone()),
            owner: leaver.or_else(|| strongest(false)).unwrap_or_default(),
            state,
            since: now.clone(),
            until,
            first_seen: now.clone(),
            case: request.id.to_string(),
            guessable: guessable.contains(&record.fingerprint),
        }
    };
    let entries: Vec<Entry> = findings.credentials.iter().map(entry).collect();
    write(home, |ledger| ledger.record(&entries));
}

/// After an apply: what was carried out.
pub(super) fn applied(home: &Home, plan: &Plan, execution: &Execution) {
    become_dead(home, plan, |treatment| treatment.acts() && execution.is_done(treatment));
}

/// After a second look: what is proven dead.
pub(super) fn confirmed(home: &Home, plan: &Plan, verdict: &Verdict) {
    let closed: HashSet<&str> =
        verdict.items.iter().filter(|item| item.closed).map(|item| item.treatment.as_str()).collect();
    become_dead(home, plan, |treatment| closed.contains(treatment.id.as_str()));
}

fn become_dead(home: &Home, plan: &Plan, is_done: impl Fn(&Treatment) -> bool) {
    let now = clock::now().to_string();
    write(home, |ledger| {
        let mut entries = Vec::new();
        for treatment in plan.treatments.iter().filter(|treatment| is_done(treatment)) {
            let state = match treatment.disposition {
                Disposition::Rotate => State::Rotated,
                // What was open was ended by somebody, and seen dead.
                Disposition::Revoke
                | Disposition::AlreadyDead { .. }
                | Disposition::Expired { .. }
                | Disposition::Open { .. }
                | Disposition::HandOver { .. }
                | Disposition::LetExpire { .. } => State::Revoked,
                Disposition::Freeze | Disposition::Waived { .. } | Disposition::Kept { .. } => continue,
            };
            let Some(fingerprint) = treatment.credential else { continue };
            if let Some(known) = ledger.get(&fingerprint)? {
                entries.push(Entry { state, since: now.clone(), until: None, ..known });
            }
        }
        ledger.record(&entries)
    });
}

fn by_value(plan: &Plan) -> HashMap<Fingerprint, &Treatment> {
    plan.treatments.iter().filter_map(|treatment| Some((treatment.credential?, treatment))).collect()
}

fn write(home: &Home, change: impl FnOnce(&mut Ledger) -> Result<()>) {
    let written = Ledger::open(&home.file(ledger::FILE)).and_then(|mut ledger| change(&mut ledger));
    if let Err(error) = written {
        tracing::warn!("the ledger was not brought up to date, the gate knows less than this case: {error}");
    }
}
