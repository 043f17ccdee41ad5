//! The failures that a rotation has to survive, part one: those that only a system which misbehaves on command can show. The
//! world is the model of `rotation_model`; the executor, the journal and the planner are the real ones. Part two, on real servers, is
//! `failures`. The numbers are those of the table in docs/design/failures.md.

use offkey::action::Effect;
use offkey::audit::Log;
use offkey::plan::{Converge, Does, Plan};
use offkey::provider::ProviderStep;
use offkey::rotation::{Execution, Journal, State, execute};
use offkey::store::StoreRead;

use crate::rotation_model::{FAULTS, Fault, Generated, Setting, setting};

fn one(overlap: bool) -> Setting {
    setting(&[Generated { places: 1, overlap }], 0, &[])
}

/// What a person is told about the only treatment.
fn told(setting: &Setting, execution: &Execution) -> String {
    match execution.blocked(&setting.plan.treatments[0]) {
        Some((step, Some(state))) => format!("{}: {state}", step.action),
        other => format!("{other:?}"),
    }
}

fn old(setting: &Setting) -> String {
    setting.found.values().next().expect("a value").expose_str().expect("text").to_owned()
}

fn accepts(setting: &Setting, value: &str) -> bool {
    setting.world.lock().expect("lock").accounts["account-0"].values.contains(value)
}

fn asked(setting: &Setting, what: &str) -> usize {
    setting.world.lock().expect("lock").asked.get(what).copied().unwrap_or(0)
}

/// Number of the call at which the calm run first asks for `what`.
fn call_of(what: &str, overlap: bool) -> usize {
    let calm = one(overlap);
    let kinds = FAULTS.iter().position(|fault| *fault == Fault::CrashBefore).expect("listed");
    calm.converge();
    let calls = calm.world.lock().expect("lock").calls;
    let first = (1..=calls).find(|at| {
        let setting = setting(&[Generated { places: 1, overlap }], 0, &[(*at, kinds)]);
        setting.apply();
        // The effect was not asked for when the process died at this call, and is when it dies one call later.
        let later = crate::rotation_model::setting(&[Generated { places: 1, overlap }], 0, &[(at + 1, kinds)]);
        later.apply();
        asked(&setting, what) == 0 && asked(&later, what) == 1
    });
    first.unwrap_or_else(|| panic!("{what} is never asked for"))
}

fn fault(wanted: Fault) -> usize {
    FAULTS.iter().position(|fault| *fault == wanted).expect("listed")
}

#[test]
fn row_02_every_intent_is_on_the_disk_before_its_effect() {
    let company = [Generated { places: 2, overlap: false }, Generated { places: 0, overlap: false }];
    let setting = setting(&company, 1, &[]);
    setting.world.lock().expect("lock").journal = Some(setting.dir.path().to_owned());
    let execution = setting.converge();
    setting.judge(&execution, false);
    assert!(asked(&setting, "model.promote place-0-1") == 1 && asked(&setting, "model.freeze person-0") == 1);
}

#[test]
fn row_03_a_lost_answer_is_looked_up_and_not_asked_for_again() {
    for what in ["model.stage place-0-0", "model.set account-0", "model.promote place-0-0", "model.retire place-0-0"] {
        let at = call_of(what, false);
        let setting = setting(&[Generated { places: 1, overlap: false }], 0, &[(at, fault(Fault::LostReply))]);
        let execution = setting.converge();
        setting.judge(&execution, false);
        assert_eq!(asked(&setting, what), 1, "{what} was asked for again although it was done");
    }
}

#[test]
fn row_04_what_must_not_be_asked_twice_is_not_asked_twice() {
    let at = call_of("model.set account-0", false);
    for kind in [Fault::LostReply, Fault::CrashAfter, Fault::NeverArrived] {
        let setting = setting(&[Generated { places: 1, overlap: false }], 0, &[(at, fault(kind))]);
        setting.world.lock().expect("lock").accounts.get_mut("account-0").expect("there").never_twice = true;
        let execution = setting.converge();
        assert!(setting.world.lock().expect("lock").broken.is_empty(), "{kind:?}");
        // The request that never arrived was not counted by the issuer: with it, none came.
        assert!(asked(&setting, "model.set account-0") <= 1, "{kind:?}");
        if kind == Fault::NeverArrived {
            let why = told(&setting, &execution);
            assert!(why.contains("cannot be repeated"), "{why}");
            assert!(accepts(&setting, &old(&setting)), "the old value still works");
        } else {
            setting.judge(&execution, false);
        }
    }
}

#[test]
fn row_05_a_value_that_the_target_refuses_is_made_anew_once_and_no_more() {
    let refusing = |times: usize| {
        let setting = one(false);
        setting.world.lock().expect("lock").accounts.get_mut("account-0").expect("there").refuses = times;
        setting
    };
    let once = refusing(1);
    let execution = once.apply().expect("nobody dies");
    assert!(execution.is_done(&once.plan.treatments[0]), "{}", told(&once, &execution));
    assert_eq!(asked(&once, "model.set account-0"), 2, "the second value was another one");
    let always = refusing(usize::MAX);
    let execution = always.apply().expect("nobody dies");
    let why = told(&always, &execution);
    assert!(why.contains("taken back") && why.contains("too simple"), "{why}");
    assert_eq!(asked(&always, "model.set account-0"), 2, "two values in one run, no endless loop");
    assert!(accepts(&always, &old(&always)) && always.world.lock().expect("lock").places["place-0-0"].staged.is_none());
}

#[test]
fn row_06_an_old_value_whose_end_fails_is_remembered_until_it_is_dead() {
    let setting = one(true);
    let at = call_of("model.evict account-0", true);
    setting.world.lock().expect("lock").faults = (at..at + 40).map(|call| (call, Fault::ServerError)).collect();
    let first = setting.apply().expect("nobody dies");
    let why = told(&setting, &first);
    assert!(why.starts_with("provider.evict: not available"), "{why}");
    assert!(accepts(&setting, &old(&setting)), "the old value lives, and the case says so");
    let execution = setting.converge();
    setting.judge(&execution, false);
    assert!(!accepts(&setting, &old(&setting)), "a later run ends it");
}

#[test]
fn row_07_nothing_ends_before_its_replacement_was_tested() {
    let setting = one(false);
    let reordered = |wanted: fn(&ProviderStep) -> bool| -> Plan {
        let mut plan = setting.plan.clone();
        let steps = &mut plan.treatments[0].steps;
        let at = steps.iter().position(|step| matches!(&step.does, Does::Provider(does) if wanted(does)));
        let step = steps.remove(at.expect("there"));
        steps.insert(0, step);
        plan
    };
    let early = reordered(|does| matches!(does, ProviderStep::Evict { .. }));
    let untested = {
        let mut plan = setting.plan.clone();
        plan.treatments[0].steps.retain(|step| !matches!(step.does, Does::Provider(ProviderStep::Test { .. })));
        plan
    };
    for plan in [early, untested] {
        let dir = tempfile::tempdir().expect("a folder");
        let log = Log::open(dir.path()).expect("a log");
        let (journal, systems) = (Journal::new(&log, "unsafe"), setting.systems());
        let done = offkey::action::wait(execute(&plan, &journal, &systems, &mut |_, _, _| {}));
        let error = done.expect_err("refused").to_string();
        assert!(error.contains("not safe to carry out"), "{error}");
    }
    assert_eq!(setting.world.lock().expect("lock").calls, 0, "nobody was asked for anything");
}

/// The plan of [`one`] with a step that waits for a consumer.
fn waiting_for_shop(overlap: bool, within: &str) -> Setting {
    let mut setting = one(overlap);
    let steps = &mut setting.plan.treatments[0].steps;
    let after = steps.iter().rposition(|step| step.action.0 == "store.promote").expect("there") + 1;
    let consumers = vec!["approle/shop".to_owned()];
    let converge = Converge { consumers, within: within.parse().expect("a period"), holds: overlap };
    let mut step = steps[0].clone();
    (step.id, step.action.0, step.effect) = ("c1.99".to_owned(), "consumers.converge".to_owned(), Effect::ReadOnly);
    step.does = Does::Converge(converge);
    steps.insert(after, step);
    setting
}

fn reads_now(setting: &Setting, who: &str) {
    let at = setting.plan.treatments[0].steps[0].target.clone();
    let read = StoreRead {
        at,
        version: "2".to_owned(),
        aliases: vec![who.to_owned()],
        time: offkey::clock::now().to_string(),
    };
    setting.world.lock().expect("lock").reads.push(read);
}

#[test]
fn row_09_the_old_value_ends_only_after_its_consumers_have_read_the_new_one() {
    let setting = waiting_for_shop(true, "1h");
    reads_now(&setting, "approle/shop");
    let early = offkey::clock::now();
    while offkey::clock::now().as_second() <= early.as_second() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let first = setting.apply().expect("nobody dies");
    let why = told(&setting, &first);
    assert!(why.contains("not yet") && why.contains("approle/shop did not read"), "an old read counts not: {why}");
    assert!(accepts(&setting, &old(&setting)), "both values work meanwhile");
    reads_now(&setting, "approle/other");
    assert!(!setting.apply().expect("nobody dies").is_done(&setting.plan.treatments[0]), "somebody else read it");
    reads_now(&setting, "approle/shop");
    let execution = setting.converge();
    setting.judge(&execution, false);
}

#[test]
fn row_09_a_consumer_that_never_reads_is_named_and_keeps_the_old_value_alive_only_where_that_helps() {
    let two = waiting_for_shop(true, "0s");
    let execution = two.apply().expect("nobody dies");
    let why = told(&two, &execution);
    assert!(why.contains("needs a person") && why.contains("--let-go c1"), "{why}");
    assert!(accepts(&two, &old(&two)), "ending it would stop the consumer");
    let one_slot = waiting_for_shop(false, "0s");
    let execution = one_slot.converge();
    assert!(execution.is_done(&one_slot.plan.treatments[0]), "{}", told(&one_slot, &execution));
    let (_, receipt) = &execution.steps["c1.99"];
    assert_eq!(receipt.facts["did not read the new value in time"], "approle/shop");
}

#[test]
fn row_11_one_place_that_refuses_the_new_value_does_not_keep_it_from_the_others() {
    let company = [Generated { places: 3, overlap: false }];
    let calm = setting(&company, 0, &[]);
    calm.converge();
    let calls = calm.world.lock().expect("lock").calls;
    let mut seen = 0;
    for at in 1..=calls {
        let setting = setting(&company, 0, &[(at, fault(Fault::Refused))]);
        let Some(execution) = setting.apply() else { continue };
        let states: Vec<_> = setting.plan.treatments[0]
            .steps
            .iter()
            .filter(|step| step.action.0 == "store.promote")
            .map(|step| execution.steps.get(&step.id).map(|(state, _)| state.clone()))
            .collect();
        let stragglers = states.iter().filter(|state| matches!(state, Some(State::Stuck(_)))).count();
        if stragglers == 0 {
            continue;
        }
        seen += 1;
        let promoted = states.iter().filter(|state| **state == Some(State::Confirmed)).count();
        assert_eq!((stragglers, promoted), (1, 2), "{states:?}");
        let end = setting.plan.treatments[0].steps.iter().find(|step| step.action.0 == "store.retire").expect("there");
        assert!(!execution.steps.contains_key(&end.id), "nothing is destroyed while a place straggles");
        assert!(told(&setting, &execution).contains("needs a person"), "the straggler is named");
    }
    // A refusal at the first place is taken back: no consumer has seen the new value.
    assert_eq!(seen, 2, "the second and the third place straggled once");
}

#[test]
fn row_14_not_found_right_after_a_write_does_not_mean_that_it_was_not_done() {
    for what in ["model.stage place-0-0", "model.promote place-0-0"] {
        let at = call_of(what, false);
        let setting = setting(&[Generated { places: 1, overlap: false }], 0, &[(at, fault(Fault::CrashAfter))]);
        assert!(setting.apply().is_none(), "it dies right after {what}");
        setting.world.lock().expect("lock").stale_looks = 2;
        let execution = setting.converge();
        setting.judge(&execution, false);
        assert_eq!(asked(&setting, what), 1, "{what}: a stale answer made it ask again");
    }
}

#[test]
fn row_15_a_new_value_that_takes_its_time_is_waited_for() {
    let setting = one(true);
    setting.world.lock().expect("lock").accounts.get_mut("account-0").expect("there").slow = 3;
    let execution = setting.apply().expect("nobody dies");
    assert!(execution.is_done(&setting.plan.treatments[0]), "{}", told(&setting, &execution));
    let never = one(true);
    never.world.lock().expect("lock").accounts.get_mut("account-0").expect("there").slow = usize::MAX;
    let execution = never.apply().expect("nobody dies");
    assert!(!execution.is_done(&never.plan.treatments[0]));
    assert!(accepts(&never, &old(&never)), "the old value still works: {}", told(&never, &execution));
}

#[test]
fn row_16_accepted_is_not_done() {
    let setting = setting(&[Generated { places: 0, overlap: false }], 0, &[]);
    setting.world.lock().expect("lock").accounts.get_mut("account-0").expect("there").queues = true;
    let execution = setting.apply().expect("nobody dies");
    let why = told(&setting, &execution);
    assert!(why.contains("accepted, but its effect is not to be seen"), "{why}");
    setting.world.lock().expect("lock").accounts.get_mut("account-0").expect("there").queues = false;
    let execution = setting.converge();
    setting.judge(&execution, false);
}

#[test]
fn row_22_an_old_value_is_probed_a_few_times_and_a_full_system_is_left_in_peace() {
    let setting = one(false);
    let execution = setting.apply().expect("nobody dies");
    assert!(execution.is_done(&setting.plan.treatments[0]));
    let rejected = setting.world.lock().expect("lock").rejected.get("account-0").copied().unwrap_or(0);
    assert!((1..=3).contains(&rejected), "{rejected} rejected log-ins would lock an account out");
    let busy = one(false);
    busy.world.lock().expect("lock").faults = (1..1_000).map(|call| (call, Fault::TooMany)).collect();
    let execution = busy.apply().expect("nobody dies");
    let calls = busy.world.lock().expect("lock").calls;
    assert!(calls <= 4, "{calls} calls to a system that says 429");
    assert!(told(&busy, &execution).contains("not available: 429"));
}
