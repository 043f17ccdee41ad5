//! The executor against a model of the world that fails in every way it can: crash before and after an effect, lost reply,
//! request that never arrived, duplicate delivery, foreign write, 429, 5xx, refusal. Whatever happens, somebody can always log
//! in, nothing ends before its replacement was seen working, and "done" is only said when the old value is dead.

mod setting;
mod systems;
mod world;

use setting::setting_where;
pub(crate) use setting::{Generated, Setting, setting};
pub(crate) use world::{FAULTS, Fault};

use std::time::Duration;

use offkey::plan::Disposition;
use offkey::rotation::State;
use offkey::store::OwnRotation;
use proptest::prelude::*;

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

/// Every fault at every call where the store rotates by itself, for one user and for two that take turns.
#[test]
fn every_fault_at_every_call_of_a_stores_own_rotation_ends_in_a_legal_state() {
    for (how, overlap) in [(OwnRotation::Asked, false), (OwnRotation::TwoUsers, true)] {
        let (company, hints) = ([Generated { places: 1, overlap }], how.hints("rotate it"));
        let calm = setting_where(&company, 0, &[], &hints);
        let execution = calm.converge();
        calm.judge(&execution, false);
        let (calls, asked) = {
            let world = calm.world.lock().expect("lock");
            (world.calls, world.asked.clone())
        };
        assert_eq!(asked.contains_key("model.rotate-again place-0-0"), overlap, "{asked:?}");
        assert!(calls >= 8 && !asked.contains_key("model.stage place-0-0"), "{calls} {asked:?}");
        for at in 1..=calls {
            for (fault, kind) in FAULTS.iter().enumerate() {
                let setting = setting_where(&company, 0, &[(at, fault)], &hints);
                let execution = setting.converge();
                let hostile = matches!(kind, Fault::ForeignWrite | Fault::Refused);
                setting.judge(&execution, hostile);
            }
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
