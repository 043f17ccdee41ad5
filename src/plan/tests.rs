//! A thousand made-up departures: the order is safe, nobody is forgotten, nothing is done that policy forbids.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::action::{Effect, Target};
use crate::attribution::{Exposure, Relation};
use crate::finding::Liveness;
use crate::provider::{Owned, ProviderStep};
use crate::secret::Fingerprint;
use crate::store::{Holding, OwnRotation, StoreStep};

/// Everything that planning looks at, owned.
#[derive(Clone, Debug, Default)]
struct World {
    credentials: Vec<Known>,
    exposures: Vec<Exposure>,
    holdings: Vec<Holding>,
    accounts: Vec<Account>,
    owned: Vec<Owned>,
    waivers: Vec<Waiver>,
    own: Vec<Fingerprint>,
    keeps: Vec<String>,
    policy: Policy,
}

impl World {
    fn plan(&self) -> Plan {
        draft(&Inputs {
            case: Uuid::from_u128(5),
            identity: "Alice Moreau",
            keeps: &self.keeps,
            today: "2026-11-22",
            credentials: &self.credentials,
            exposures: &self.exposures,
            holdings: &self.holdings,
            accounts: &self.accounts,
            owned: &self.owned,
            own: &self.own,
            waivers: &self.waivers,
            policy: &self.policy,
        })
    }
}

fn target(system: &str, locator: impl Into<String>) -> Target {
    Target { system: system.to_owned(), locator: locator.into() }
}

fn print(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 16])
}

fn liveness() -> impl Strategy<Value = Liveness> {
    prop_oneof![
        4 => Just(Liveness::Live),
        1 => Just(Liveness::Dead("401".to_owned())),
        1 => Just(Liveness::Unknown("503".to_owned())),
    ]
}

/// One credential with its ties, places, account, waiver.
#[derive(Clone, Debug)]
struct One {
    confidence: f32,
    leaver: Option<Relation>,
    others: bool,
    places: usize,
    /// Number of the account, so that two credentials may share one; whether it is settable; liveness.
    account: Option<(u8, bool, Liveness)>,
    /// Days that the waiver has left; none: no waiver.
    waiver: Option<bool>,
    own: bool,
}

fn one() -> impl Strategy<Value = One> {
    let relation = prop_oneof![
        Just(Relation::Theirs),
        Just(Relation::Wrote),
        Just(Relation::WasSent),
        Just(Relation::DidRead),
        Just(Relation::CouldRead)
    ];
    (
        0.3f32..1.0,
        prop::option::weighted(0.85, relation),
        any::<bool>(),
        0usize..4,
        prop::option::weighted(0.8, (0u8..5, any::<bool>(), liveness())),
        prop::option::weighted(0.15, any::<bool>()),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(confidence, leaver, others, places, account, waiver, own)| One {
            confidence,
            leaver,
            others,
            places,
            account,
            waiver,
            own,
        })
}

fn world(all: &[One], owned: &[(u8, bool, Liveness, bool)], protect: Option<u8>) -> World {
    let mut world = World::default();
    if let Some(number) = protect {
        world.policy.protected = vec![format!("issuer:account-{number}"), format!("store:place-{number}-*")];
    }
    for (number, one) in all.iter().enumerate() {
        let number = number as u8;
        let fingerprint = print(number);
        let label = format!("credential {number}");
        world.credentials.push(Known {
            fingerprint,
            label,
            kinds: ["password".to_owned(), "generic".to_owned()],
            confidence: one.confidence,
            places: 1,
            ends: None,
        });
        let mut tie = |person: &str, leaver: bool, relation: Relation| {
            let (person, reasons) = (person.to_owned(), vec!["a reason".to_owned()]);
            world.exposures.push(Exposure { fingerprint, person, leaver, relation, strength: 1.0, reasons });
        };
        if let Some(relation) = one.leaver {
            tie("Alice Moreau", true, relation);
        }
        if one.others {
            tie("Bob Tanaka", false, Relation::Wrote);
        }
        for place in 0..one.places {
            world.holdings.push(Holding {
                at: target("store", format!("place-{number}-{place}")),
                version: "3".to_owned(),
                current: place != 3,
                fingerprint,
                hints: Vec::new(),
                consumers: Vec::new(),
                // The third place is one that its store never shows.
                copy_of: (place == 2).then(|| target("store", format!("place-{number}-0"))),
            });
        }
        if let Some((account, settable, liveness)) = &one.account {
            let at = target("issuer", format!("account-{account}"));
            world.accounts.push(Account {
                fingerprint,
                at,
                liveness: liveness.clone(),
                settable: *settable,
                issuable: false,
                overlaps: false,
            });
        }
        if let Some(good) = one.waiver {
            let until = if good { "2026-11-22" } else { "2026-11-21" }.to_owned();
            let (id, owner, reason) = (format!("w{number}"), "bob".to_owned(), "a reason".to_owned());
            world.waivers.push(Waiver { id, fingerprint, owner, reason, until });
        }
        if one.own {
            world.own.push(fingerprint);
        }
    }
    for (number, freeze, liveness, own) in owned {
        let mut facts = std::collections::BTreeMap::new();
        if *freeze {
            facts.insert("freeze".to_owned(), "yes".to_owned());
        }
        if *own {
            facts.insert("self".to_owned(), "yes".to_owned());
        }
        let at = target("issuer", format!("account-{number}"));
        let (label, reason) = ("token".to_owned(), "hers".to_owned());
        world.owned.push(Owned { at, label, reason, facts, liveness: liveness.clone() });
    }
    world
}

fn worlds() -> impl Strategy<Value = World> {
    let owned = (0u8..8, any::<bool>(), liveness(), prop::bool::weighted(0.1));
    (prop::collection::vec(one(), 0..12), prop::collection::vec(owned, 0..5), prop::option::weighted(0.3, 0u8..6))
        .prop_map(|(all, owned, protect)| world(&all, &owned, protect))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_is_always_safe(world in worlds()) {
        let plan = world.plan();
        prop_assert_eq!(plan.check(), Ok(()));
        let phase = |t: &Treatment| match t.disposition {
            Disposition::Freeze => 0,
            Disposition::Revoke => 1,
            Disposition::Rotate => 2,
            _ => 3,
        };
        prop_assert!(plan.treatments.windows(2).all(|pair| phase(&pair[0]) <= phase(&pair[1])));
        let mut set = BTreeSet::new();
        for step in plan.treatments.iter().flat_map(|t| &t.steps) {
            if matches!(step.does, Does::Provider(ProviderStep::Set { .. })) {
                prop_assert!(set.insert(&step.target), "{} is set twice", step.target);
            }
            prop_assert!(!world.policy.protects(&step.target.to_string()), "{} is protected", step.target);
        }
    }

    #[test]
    fn nobody_is_forgotten_and_nobody_else_is_touched(world in worlds()) {
        let plan = world.plan();
        let mut treated: HashMap<Fingerprint, usize> = HashMap::new();
        plan.treatments.iter().filter_map(|t| t.credential).for_each(|print| *treated.entry(print).or_default() += 1);
        for credential in &world.credentials {
            let tied = world.exposures.iter().any(|e| e.leaver && e.fingerprint == credential.fingerprint);
            let wanted = usize::from(tied && credential.confidence >= world.policy.min_confidence);
            prop_assert_eq!(treated.get(&credential.fingerprint).copied().unwrap_or(0), wanted);
        }
        for owned in &world.owned {
            let count = plan.treatments.iter().filter(|t| t.label.ends_with(&format!(" {}", owned.at.locator))).count();
            let by_value = world.accounts.iter().any(|account| account.at == owned.at);
            prop_assert_eq!(count, usize::from(!by_value), "{}", owned.at);
        }
    }

    #[test]
    fn every_item_acts_or_says_why_not(world in worlds()) {
        for treatment in &world.plan().treatments {
            match &treatment.disposition {
                Disposition::Freeze | Disposition::Revoke | Disposition::Rotate => {
                    prop_assert!(treatment.acts());
                    // What was found by its value is proven dead by its value.
                    let verified = treatment.steps.iter().any(|s| matches!(s.does, Does::Provider(ProviderStep::Verify { .. })));
                    prop_assert_eq!(verified, treatment.credential.is_some());
                }
                Disposition::LetExpire { .. }
                | Disposition::HandOver { .. }
                | Disposition::Kept { .. }
                | Disposition::Expired { .. } => {
                    prop_assert!(false, "nobody says so");
                }
                Disposition::Open { todo } => prop_assert!(!treatment.acts() && todo.len() > 20, "{todo}"),
                Disposition::AlreadyDead { proof } => prop_assert!(!treatment.acts() && !proof.is_empty()),
                Disposition::Waived { until, .. } => prop_assert!(!treatment.acts() && until.as_str() >= "2026-11-22"),
            }
            if let Some(print) = treatment.credential {
                let account = world.accounts.iter().find(|account| account.fingerprint == print);
                let live = account.is_none_or(|account| account.liveness == Liveness::Live);
                prop_assert!(live || treatment.disposition != Disposition::Rotate, "rotated without knowing that it lives");
                prop_assert!(!(world.own.contains(&print) && treatment.acts()), "offkey would lock itself out");
            }
        }
    }

    #[test]
    fn rotation_replaces_every_current_place_and_destroys_last(world in worlds()) {
        for treatment in world.plan().treatments.iter().filter(|t| t.disposition == Disposition::Rotate) {
            let print = treatment.credential.expect("rotations have a value");
            let current: BTreeSet<_> =
                world.holdings.iter().filter(|h| h.current && h.fingerprint == print).map(|h| &h.at).collect();
            let at = |wanted: fn(&StoreStep) -> bool| -> BTreeSet<&Target> {
                let of = |step: &&Step| matches!(&step.does, Does::Store(does) if wanted(does));
                treatment.steps.iter().filter(of).map(|step| &step.target).collect()
            };
            let (copies, readable): (BTreeSet<&Target>, BTreeSet<&Target>) =
                current.iter().partition(|at| world.holdings.iter().any(|h| h.at == ***at && h.copy_of.is_some()));
            prop_assert_eq!(&at(|s| matches!(s, StoreStep::Stage(_))), &readable);
            prop_assert_eq!(&at(|s| matches!(s, StoreStep::Promote { .. })), &readable);
            let written = treatment.steps.iter().filter(|step| matches!(step.does, Does::Overwrite(_)));
            prop_assert_eq!(&written.map(|step| &step.target).collect::<BTreeSet<_>>(), &copies);
            prop_assert_eq!(&at(|s| matches!(s, StoreStep::Retire { .. })), &current);
            prop_assert_eq!(treatment.steps.last().map(|step| step.effect), Some(Effect::Final));
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_digest_and_the_digest_survives_the_file(world in worlds()) {
        let plan = world.plan();
        prop_assert_eq!(plan.digest(), world.plan().digest());
        let text = serde_json::to_string_pretty(&plan).expect("serialises");
        let again: Plan = serde_json::from_str(&text).expect("parses");
        prop_assert_eq!(again.digest(), plan.digest());
        if let Some(treatment) = plan.treatments.iter().position(|t| t.acts()) {
            let mut changed = plan.clone();
            changed.treatments[treatment].steps[0].target.locator.push('x');
            prop_assert_ne!(changed.digest(), plan.digest());
        }
    }
}

fn alone(places: usize, account: Option<(u8, bool, Liveness)>) -> One {
    let leaver = Some(Relation::Wrote);
    One { confidence: 0.9, leaver, others: false, places, account, waiver: None, own: false }
}

/// A secret that its store rotates, and what becomes of it.
fn rotated_there(how: OwnRotation, places: &[&str], change: fn(&mut World)) -> Treatment {
    let mut world = world(&[alone(places.len(), Some((1, true, Liveness::Live)))], &[], None);
    for (held, place) in world.holdings.iter_mut().zip(places) {
        (held.at, held.hints) = (target("store", *place), how.hints("rotate it"));
    }
    change(&mut world);
    let plan = world.plan();
    plan.check().expect("a safe order");
    plan.treatments.into_iter().next().expect("one treatment")
}

#[test]
fn what_its_store_rotates_is_left_to_it() {
    for how in [OwnRotation::Asked, OwnRotation::TwoUsers] {
        let treatment = rotated_there(how, &["db#password", "db#dsn"], |_| {});
        let steps: Vec<_> = treatment.steps.iter().map(|step| step.action.0.as_str()).collect();
        let expected = ["store.rotate", "store.rotate-again", "provider.verify", "store.retire", "store.retire"];
        assert_eq!((treatment.disposition, steps.as_slice()), (Disposition::Rotate, &expected[..]));
    }
    let open = |treatment: Treatment, words: &[&str]| {
        let Disposition::Open { todo } = treatment.disposition else { panic!("{:?}", treatment.disposition) };
        assert!(words.iter().all(|word| todo.contains(word)), "{todo}");
    };
    open(rotated_there(OwnRotation::ByHand, &["db#password"], |_| {}), &["`rotate it`", "managed"]);
    open(
        rotated_there(OwnRotation::Asked, &["db#password", "other#password"], |_| {}),
        &["copy at store:other#password"],
    );
    open(
        rotated_there(OwnRotation::Asked, &["db#password", ".env"], |world| world.holdings[1].hints.clear()),
        &[".env"],
    );
    let previous = |world: &mut World| world.holdings[0].current = false;
    open(rotated_there(OwnRotation::TwoUsers, &["db#password"], previous), &["take turns", "`rotate it`"]);
    let unsure = |world: &mut World| world.accounts[0].liveness = Liveness::Unknown("503".to_owned());
    open(rotated_there(OwnRotation::Asked, &["db#password"], unsure), &["503"]);
}

#[test]
fn a_value_written_beside_a_stores_own_rotation_is_no_plan() {
    let mut plan = world(&[alone(1, Some((1, true, Liveness::Live)))], &[], None).plan();
    let rotated = rotated_there(OwnRotation::Asked, &["db#password"], |_| {});
    plan.treatments[0].steps.extend(rotated.steps);
    for (number, step) in plan.treatments[0].steps.iter_mut().enumerate() {
        step.id = format!("c1.{number}");
    }
    assert!(plan.check().is_err_and(|why| why.contains("beside the store's own rotation")));
}

#[test]
fn a_stale_copy_of_a_password_does_not_reset_the_account() {
    let dead = Some((1, true, Liveness::Dead("28P01".to_owned())));
    let plan = world(&[alone(1, dead)], &[], None).plan();
    assert!(matches!(plan.treatments[0].disposition, Disposition::AlreadyDead { .. }));
}

#[test]
fn what_is_never_shown_is_written_after_what_can_be_read_and_the_plan_says_what_that_proves() {
    let plan = world(&[alone(3, Some((1, true, Liveness::Live)))], &[], None).plan();
    let steps = &plan.treatments[0].steps;
    let at = |name: &str| steps.iter().rposition(|step| step.action.0 == name).expect("planned");
    assert!(at("store.promote") < at("store.overwrite") && at("store.overwrite") < at("provider.evict"));
    let Does::Overwrite(does) = &steps[at("store.overwrite")].does else { panic!("an overwriting") };
    // Both values come from a place that can be read.
    assert_ne!(does.old.at, steps[at("store.overwrite")].target);
    assert_eq!(does.old.at, does.new.at);
    assert!(
        plan.notes.iter().any(|note| note.contains("nothing proves that it holds the old value")),
        "{:?}",
        plan.notes
    );
}

#[test]
fn two_live_values_of_one_account_are_not_rotated_at_once() {
    let live = || Some((1, true, Liveness::Live));
    let plan = world(&[alone(1, live()), alone(1, live())], &[], None).plan();
    let rotated = plan.treatments.iter().filter(|t| t.disposition == Disposition::Rotate).count();
    assert_eq!((rotated, plan.treatments.len()), (1, 2));
    assert!(matches!(&plan.treatments[1].disposition, Disposition::Open { todo } if todo.contains("sweep again")));
}

#[test]
fn a_waiver_that_fits_nothing_is_said() {
    let mut world = world(&[alone(0, None)], &[], None);
    let (id, owner, reason) = ("w9".to_owned(), "bob".to_owned(), "a reason".to_owned());
    world.waivers.push(Waiver { id, fingerprint: print(99), owner, reason, until: "2027-01-01".to_owned() });
    assert!(world.plan().notes[0].contains("w9"));
}

#[test]
fn an_unsafe_order_is_refused() {
    let plan = world(&[alone(2, Some((1, true, Liveness::Live)))], &[], None).plan();
    let position = |wanted: fn(&Step) -> bool| plan.treatments[0].steps.iter().position(wanted).expect("there");
    let evict = position(|step| matches!(step.does, Does::Provider(ProviderStep::Evict { .. })));
    let test = position(|step| matches!(step.does, Does::Provider(ProviderStep::Test { .. })));
    let last = plan.treatments[0].steps.len() - 1;
    let moved = |from: usize, to: usize| {
        let mut plan = plan.clone();
        let step = plan.treatments[0].steps.remove(from);
        plan.treatments[0].steps.insert(to, step);
        plan.check()
    };
    assert!(moved(evict, 0).is_err(), "eviction before everything");
    assert!(moved(test, last).is_err(), "test after everything");
    assert!(moved(0, last).is_err(), "staging after everything");
    assert!(moved(last, 0).is_err(), "retiring before everything");
    let mut untested = plan.clone();
    untested.treatments[0].steps.remove(test);
    assert!(untested.check().is_err(), "no test at all");
}

fn decided(decision: &str, one: One) -> Treatment {
    let mut world = world(&[one], &[], None);
    world.policy = toml::from_str(decision).expect("a policy");
    let plan = world.plan();
    assert_eq!(plan.check(), Ok(()));
    plan.treatments[0].clone()
}

#[test]
fn what_says_itself_when_it_ends_is_left_alone_unless_somebody_here_can_end_it() {
    let ending = |day: &str, one: One| {
        let mut world = world(&[one], &[], None);
        world.credentials[0].ends = Some(day.to_owned());
        let plan = world.plan();
        assert_eq!(plan.check(), Ok(()));
        plan.treatments[0].clone()
    };
    let past = ending("2026-11-21", alone(0, None));
    assert_eq!(past.disposition, Disposition::Expired { on: "2026-11-21".to_owned() });
    assert!(!past.is_open() && !past.acts());
    let today = ending("2026-11-22", alone(0, None));
    assert_eq!(today.disposition, Disposition::LetExpire { by: "2026-11-22".to_owned(), signed: true });
    assert!(today.is_open(), "the day is not over");
    let far = ending("2027-11-22", alone(0, None));
    assert!(matches!(&far.disposition, Disposition::Open { todo } if todo.ends_with("on 2027-11-22 only")), "{far:?}");
    let known = ending("2026-11-21", alone(0, Some((1, false, Liveness::Live))));
    assert_eq!(known.disposition, Disposition::Revoke, "its issuer says otherwise, and it is asked");
}

#[test]
fn policy_decides_how_a_credential_ends() {
    let kept = || alone(1, Some((1, true, Liveness::Live)));
    let urgent = decided("[[treat]]\nas = \"emergency-rotate\"", kept());
    assert!(urgent.urgent && urgent.disposition == Disposition::Rotate && urgent.grace.is_zero());
    let calm = decided("[[treat]]\nas = \"rotate\"\ngrace = \"24h\"", kept());
    assert_eq!((calm.urgent, calm.grace.0), (false, 86_400));
    let killed = decided("[[treat]]\ntargets = [\"store:place-*\"]\nas = \"revoke\"", kept());
    assert_eq!(killed.disposition, Disposition::Revoke);
    let expires = decided("[[treat]]\nkinds = [\"pass*\"]\nas = \"let-expire\"\nwithin = \"10d\"", kept());
    assert_eq!(expires.disposition, Disposition::LetExpire { by: "2026-12-02".to_owned(), signed: false });
    assert!(expires.is_open() && !expires.acts());
    let handed = decided("[[treat]]\nas = \"hand-over\"\nto = \"bob\"", kept());
    assert!(matches!(handed.disposition, Disposition::HandOver { to, .. } if to == "bob"));
    let tier = "[[tier]]\nname = \"critical\"\ntargets = [\"issuer:*\"]\n[[treat]]\ntiers = [\"critical\"]\nas = \"emergency-rotate\"";
    let critical = decided(tier, kept());
    assert_eq!((critical.tier.as_deref(), critical.urgent), (Some("critical"), true));
    let other = decided(tier, alone(1, None));
    assert_eq!((other.tier, other.urgent), (None, false));
}

#[test]
fn the_order_of_policy_is_kept_and_canaries_come_first() {
    let all: Vec<One> = (0..4).map(|n| alone(1, Some((n, true, Liveness::Live)))).collect();
    let mut world = world(&all, &[], None);
    world.policy = toml::from_str(
        "order = [\"store:place-2-*\", \"issuer:account-1\"]\ncanary = 1\n[[treat]]\ntargets = [\"store:place-3-0\"]\nas = \"emergency-rotate\"",
    )
    .expect("a policy");
    let plan = world.plan();
    let labels: Vec<&str> = plan.treatments.iter().map(|treatment| treatment.label.as_str()).collect();
    assert_eq!(labels, ["credential 3", "credential 2", "credential 1", "credential 0"]);
    assert_eq!(plan.canaries, ["c2"], "the urgent one does not wait for anybody and is no canary");
}

#[test]
fn an_issuer_that_makes_values_itself_stages_them_before_consumers_see_them() {
    let mut world = world(&[alone(2, Some((1, false, Liveness::Live)))], &[], None);
    world.accounts[0].issuable = true;
    world.accounts[0].overlaps = true;
    let plan = world.plan();
    assert_eq!(plan.check(), Ok(()));
    let steps: Vec<&str> = plan.treatments[0].steps.iter().map(|step| step.action.0.as_str()).collect();
    assert_eq!(
        steps,
        [
            "provider.issue",
            "store.stage",
            "provider.test",
            "store.promote",
            "store.promote",
            "provider.evict",
            "provider.verify",
            "store.retire",
            "store.retire"
        ]
    );
}

#[test]
fn a_grace_period_that_the_target_cannot_give_is_said() {
    let mut world = world(&[alone(1, Some((1, true, Liveness::Live)))], &[], None);
    world.policy = toml::from_str("[[treat]]\nas = \"rotate\"\ngrace = \"24h\"").expect("a policy");
    assert!(world.plan().notes[0].contains("one value at a time"), "{:?}", world.plan().notes);
    world.accounts[0].overlaps = true;
    assert!(world.plan().notes.is_empty());
}
