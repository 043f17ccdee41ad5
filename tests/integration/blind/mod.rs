//! Stores that take values and never show them, against small servers by the documented rules. No such store can be had here for
//! real, so what this proves is the contract and the walk, not the product.

mod forge;
mod jenkins;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use offkey::action::{Action, ActionError, Observed, Slot, Target, ValueRef, wait};
use offkey::rotation::Systems;
use offkey::secret::SecretValue;
use offkey::source::GapKind;
use offkey::store::{Blind, GithubPlace, Overwrite, Rest, Store, StoreStep, github_actions};

use crate::crash::{Office, told};
use crate::lab::unique;
use crate::steps::{context, drive, generate, refusal, values};
use forge::{Fault, Server};

const TOKEN: &str = "the-word-of-the-forge";
const REPOSITORY: &str = "/repos/harbour/shop/actions/secrets";

fn target(locator: &str) -> Target {
    Target { system: "ci".to_owned(), locator: locator.to_owned() }
}

fn store_of(address: &str, token: &str, place: GithubPlace) -> Blind {
    let rest = Rest::new(address, &SecretValue::new(token), Duration::from_secs(20), None).expect("an interface");
    let of = Target { system: "bao".to_owned(), locator: "secret/shop/db#password".to_owned() };
    let copies = ["DB_PASSWORD", "FORGOTTEN"].map(|name| (name.to_owned(), of.clone()));
    github_actions("ci", rest, place, BTreeMap::from(copies))
}

fn repository() -> GithubPlace {
    GithubPlace::Repository("harbour".to_owned(), "shop".to_owned())
}

/// A server with one secret, values to write, and how often time was asked.
struct Ground {
    server: Server,
    store: Blind,
    systems: Systems,
    refs: Vec<ValueRef>,
    new: String,
    old: String,
    at: Target,
}

impl Ground {
    fn open() -> Self {
        let (new, old) = (unique("new-value"), unique("old-value"));
        let server = Server::start(REPOSITORY, TOKEN, &[("DB_PASSWORD", &old), ("OTHER", "another-one")]);
        let store = store_of(&server.address, TOKEN, repository());
        let (systems, refs) = values(&[&new, &old]);
        Self { server, store, systems, refs, new, old, at: target("DB_PASSWORD") }
    }

    fn version(&self) -> String {
        let copies = wait(self.store.copies()).expect("listed");
        copies.into_iter().find(|copy| copy.at == self.at).expect("there").version
    }

    fn overwrite(&self, expect: &str) -> Box<dyn Action + '_> {
        let step = Overwrite { expect: expect.to_owned(), new: self.refs[0].clone(), old: self.refs[1].clone() };
        self.store.overwrite(&self.at, step).expect("offered")
    }

    fn retire(&self, replaced: &str) -> Box<dyn Action + '_> {
        self.store.action(&self.at, StoreStep::Retire { replaced: replaced.to_owned() })
    }

    fn value(&self) -> String {
        self.server.value("DB_PASSWORD")
    }
}

#[test]
fn a_value_that_cannot_be_read_is_written_over_and_the_marks_go() {
    let ground = Ground::open();
    let (cx, expect) = (context(&ground.systems, 1), ground.version());
    wait(ground.store.preflight(&ground.at)).expect("allowed");
    let overwrite = ground.overwrite(&expect);
    let receipt = drive(overwrite.as_ref(), &cx);
    assert!(receipt.facts["written"].contains("never shown"), "{receipt:?}");
    assert_eq!(ground.value(), ground.new);
    assert_eq!(ground.server.marks().len(), 2);
    // Marks are no entries.
    assert_eq!(wait(ground.store.copies()).expect("listed").len(), 1);
    wait(overwrite.undo(&cx)).expect("taken back");
    assert_eq!((ground.value(), ground.server.marks().len()), (ground.old.clone(), 0));
    wait(overwrite.undo(&cx)).expect("taken back twice");
    assert_eq!(ground.value(), ground.old);

    // Taken back is written again: the plan's version is not there any more.
    let expect = ground.version();
    drive(ground.overwrite(&expect).as_ref(), &cx);
    drive(ground.retire(&expect).as_ref(), &cx);
    assert_eq!((ground.value(), ground.server.marks().len()), (ground.new.clone(), 0));
    assert_eq!(ground.server.value("OTHER"), "another-one");
    assert!(ground.server.state().complaints.is_empty());
}

#[test]
fn what_needs_the_value_back_is_refused() {
    let ground = Ground::open();
    let cx = context(&ground.systems, 1);
    let stage = ground.store.action(&ground.at, generate());
    assert!(matches!(refusal(stage.as_ref(), &cx), ActionError::Refused(why) if why.contains("never shows")));
    let promote = ground.store.action(&ground.at, StoreStep::Promote { expect: String::new() });
    assert!(matches!(wait(promote.observe(&cx)), Err(ActionError::Refused(_))));
    assert!(matches!(wait(ground.store.read(&ground.at, &Slot::Current)), Err(ActionError::Refused(_))));
    assert_eq!(ground.server.state().changes, 0);
}

#[test]
fn an_empty_or_masked_value_is_not_written() {
    let ground = Ground::open();
    let (systems, refs) = values(&["********", "x"]);
    let cx = context(&systems, 1);
    let step = Overwrite { expect: ground.version(), new: refs[0].clone(), old: refs[1].clone() };
    let action = ground.store.overwrite(&ground.at, step).expect("offered");
    assert!(matches!(refusal(action.as_ref(), &cx), ActionError::Refused(_)));
    assert_eq!((ground.value(), ground.server.state().changes), (ground.old.clone(), 0));
}

#[test]
fn who_may_use_a_secret_of_an_organisation_stays() {
    let server = Server::start("/orgs/harbour/actions/secrets", TOKEN, &[("DB_PASSWORD", "an-old-value")]);
    {
        let mut state = server.state();
        let secret = state.secrets.get_mut("DB_PASSWORD").expect("there");
        (secret.visibility, secret.chosen) = (Some("selected".to_owned()), (1..=130).collect());
    }
    let store = store_of(&server.address, TOKEN, GithubPlace::Organisation("harbour".to_owned()));
    let (systems, refs) = values(&["a-new-value", "an-old-value"]);
    let (cx, at) = (context(&systems, 1), target("DB_PASSWORD"));
    let expect = wait(store.copies()).expect("listed")[0].version.clone();
    let step = Overwrite { expect: expect.clone(), new: refs[0].clone(), old: refs[1].clone() };
    drive(store.overwrite(&at, step).expect("offered").as_ref(), &cx);
    let marks = server.marks();
    for mark in &marks {
        let secret = server.state().secrets[mark].clone();
        assert_eq!((secret.visibility.as_deref(), secret.chosen.len()), (Some("selected"), 0), "nobody may use a mark");
    }
    drive(store.action(&at, StoreStep::Retire { replaced: expect }).as_ref(), &cx);
    let secret = server.state().secrets["DB_PASSWORD"].clone();
    assert_eq!((secret.value.as_str(), secret.visibility.as_deref()), ("a-new-value", Some("selected")));
    assert_eq!(secret.chosen, (1..=130).collect::<Vec<u64>>());
}

#[test]
fn secrets_of_an_environment_are_its_own() {
    let server =
        Server::start("/repos/harbour/shop/environments/live%2Feu/secrets", TOKEN, &[("DB_PASSWORD", "old-one")]);
    let place = GithubPlace::Environment("harbour".to_owned(), "shop".to_owned(), "live/eu".to_owned());
    let store = store_of(&server.address, TOKEN, place);
    let (systems, refs) = values(&["a-new-value", "old-one"]);
    let (cx, at) = (context(&systems, 1), target("DB_PASSWORD"));
    let expect = wait(store.copies()).expect("listed")[0].version.clone();
    let step = Overwrite { expect, new: refs[0].clone(), old: refs[1].clone() };
    drive(store.overwrite(&at, step).expect("offered").as_ref(), &cx);
    assert_eq!(server.value("DB_PASSWORD"), "a-new-value");
}

#[test]
fn what_somebody_else_wrote_is_respected() {
    let ground = Ground::open();
    let (cx, expect) = (context(&ground.systems, 1), ground.version());
    ground.server.state().write("DB_PASSWORD", "foreign-before");
    let overwrite = ground.overwrite(&expect);
    assert!(matches!(wait(overwrite.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(overwrite.as_ref(), &cx), ActionError::Conflict(_)));
    assert_eq!((ground.value().as_str(), ground.server.state().changes), ("foreign-before", 0));

    let expect = ground.version();
    let overwrite = ground.overwrite(&expect);
    drive(overwrite.as_ref(), &cx);
    ground.server.state().write("DB_PASSWORD", "foreign-after");
    assert!(matches!(wait(overwrite.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(wait(overwrite.undo(&cx)), Err(ActionError::Conflict(_))));
    assert_eq!(ground.value(), "foreign-after");
    // Marks that are left keep other operations out until they are looked at.
    let other = context(&ground.systems, 2);
    let expect = ground.version();
    assert!(
        matches!(refusal(ground.overwrite(&expect).as_ref(), &other), ActionError::Conflict(why) if why.contains("operation"))
    );
    // The old value is not there any more, whoever replaced it: the marks can go.
    wait(ground.retire("an earlier version").apply(&cx)).expect("retired");
    assert_eq!(ground.server.marks().len(), 0);
}

#[test]
fn every_fault_at_every_write_ends_in_the_new_value_and_no_other() {
    let faults = [
        Fault::AnswerLost,
        Fault::RequestLost,
        Fault::Page,
        Fault::Status(403),
        Fault::Status(422),
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(503),
    ];
    for fault in faults {
        for at in 1..=3 {
            let ground = Ground::open();
            let (cx, expect) = (context(&ground.systems, 1), ground.version());
            ground.server.state().fault = Some((at, fault));
            let overwrite = ground.overwrite(&expect);
            let when = format!("{fault:?} at write {at}");
            let error = refusal(overwrite.as_ref(), &cx);
            assert!(!error.to_string().contains(&ground.new), "{when}: {error}");
            match fault {
                Fault::Status(429 | 503) => {
                    assert!(matches!(error, ActionError::Unavailable { .. }), "{when}: {error}")
                }
                Fault::Status(403 | 422) => assert!(matches!(error, ActionError::Refused(_)), "{when}: {error}"),
                _ => assert!(matches!(error, ActionError::Unknown(_)), "{when}: {error}"),
            }
            let written = if at == 3 || (at == 2 && fault == Fault::AnswerLost) { &ground.new } else { &ground.old };
            assert_eq!(&ground.value(), written, "{when}");
            let seen = wait(overwrite.observe(&cx)).expect("seen");
            let done = at == 3 && fault == Fault::AnswerLost;
            assert!(matches!((seen, done), (Observed::NotDone, false) | (Observed::Done(_), true)), "{when}");
            wait(overwrite.apply(&cx)).unwrap_or_else(|error| panic!("{when}, again: {error}"));
            assert!(matches!(wait(overwrite.observe(&cx)), Ok(Observed::Done(_))), "{when}");
            drive(ground.retire(&expect).as_ref(), &cx);
            assert_eq!((ground.value(), ground.server.marks().len()), (ground.new.clone(), 0), "{when}");
        }
    }
}

#[test]
fn every_fault_while_taking_back_can_be_repeated() {
    for fault in [Fault::AnswerLost, Fault::RequestLost, Fault::Status(503)] {
        for at in 1..=4 {
            let ground = Ground::open();
            let (cx, expect) = (context(&ground.systems, 1), ground.version());
            let overwrite = ground.overwrite(&expect);
            wait(overwrite.apply(&cx)).expect("written");
            let changes = ground.server.state().changes;
            ground.server.state().fault = Some((changes + at, fault));
            let when = format!("{fault:?} at change {at}");
            assert!(wait(overwrite.undo(&cx)).is_err(), "{when}");
            wait(overwrite.undo(&cx)).unwrap_or_else(|error| panic!("{when}, again: {error}"));
            assert_eq!((ground.value(), ground.server.marks().len()), (ground.old.clone(), 0), "{when}");
        }
    }
}

#[test]
fn a_write_that_may_be_anybodys_is_for_a_person() {
    let ground = Ground::open();
    let (cx, expect) = (context(&ground.systems, 1), ground.version());
    ground.server.state().fault = Some((2, Fault::RequestLost));
    let overwrite = ground.overwrite(&expect);
    assert!(matches!(refusal(overwrite.as_ref(), &cx), ActionError::Unknown(_)));
    ground.server.state().wait(600);
    ground.server.state().write("DB_PASSWORD", "somebody-elses");
    assert!(matches!(wait(overwrite.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(overwrite.as_ref(), &cx), ActionError::Conflict(_)));
    assert_eq!(ground.value(), "somebody-elses");
}

#[test]
fn what_the_inventory_tells_and_who_is_turned_away() {
    let ground = Ground::open();
    let coverage = wait(ground.store.inventory(&mut |held| panic!("{held:?}"))).expect("listed");
    let why =
        |name: &str| coverage.gaps.iter().find(|gap| gap.place == name).map(|gap| gap.why.clone()).unwrap_or_default();
    assert!(why("DB_PASSWORD").contains("a copy of bao:secret/shop/db#password"), "{coverage:?}");
    assert!(why("OTHER").contains("does not say what it holds"), "{coverage:?}");
    assert!(why("FORGOTTEN").contains("it is not there") && coverage.is_partial(), "{coverage:?}");

    let wrong = store_of(&ground.server.address, "another-word", repository());
    let error = wait(wrong.preflight(&ground.at)).expect_err("not allowed");
    assert!(
        matches!(&error, ActionError::Refused(why) if why.contains("offkey.toml") && !why.contains("another-word")),
        "{error}"
    );
    let nobody = store_of("http://127.0.0.1:1", TOKEN, repository());
    assert!(matches!(wait(nobody.preflight(&ground.at)), Err(ActionError::Unavailable { .. })));
    assert!(matches!(wait(ground.store.preflight(&target("NOTHING"))), Err(ActionError::Conflict(_))));
}

#[test]
fn a_hundred_secrets_and_more_are_listed_in_pages() {
    let names: Vec<String> = (0..230).map(|n| format!("S_{n:03}")).collect();
    let secrets: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let server = Server::start(REPOSITORY, TOKEN, &secrets);
    let store = store_of(&server.address, TOKEN, repository());
    let coverage = wait(store.inventory(&mut |held| panic!("{held:?}"))).expect("listed");
    assert_eq!(coverage.count(GapKind::Skipped), 230, "{coverage:?}");
}

/// An office whose shop password is a secret of its pipelines, too.
fn office(server: &Server) -> Office {
    let office = Office::open();
    let table = format!(
        "\n[[store]]\nname = \"ci\"\ntype = \"github-actions\"\naddress = \"{}\"\nrepository = \"harbour/shop\"\n\
         token = {{ file = \"ci.token\" }}\ncopies = {{ db_password = \"files:{}#DB_PASSWORD\" }}\n",
        server.address,
        office.path("stores/shop.env").display()
    );
    let file = office.path("offkey.toml");
    let text = fs::read_to_string(&file).expect("there") + &table;
    fs::write(file, text).expect("written");
    fs::write(office.path("ci.token"), TOKEN).expect("written");
    office
}

#[test]
fn a_departure_writes_the_copy_too_however_often_it_is_killed() {
    let mut killed = 0;
    for writes in (3..60).step_by(4) {
        let server = Server::start(REPOSITORY, TOKEN, &[("DB_PASSWORD", "what-really-was-there")]);
        let office = office(&server);
        let digest = office.sweep();
        let plan = fs::read_to_string(office.path("case/plan.json")).expect("a plan");
        assert!(plan.contains("ci:DB_PASSWORD is never shown"), "the plan says what cannot be proven: {plan}");
        let apply = ["apply", "--case", "case", "--digest", digest.as_str()];
        let first = office.offkey(&apply, Some(writes));
        let when = format!("killed after write {writes}: {}", told(&first));
        let over = first.status.code().is_some();
        if !over {
            killed += 1;
            let second = office.apply(&digest);
            assert_eq!(second.status.code(), Some(0), "{when}{}", told(&second));
        }
        let new = server.value("DB_PASSWORD");
        assert!(office.stores()["shop.env"].contains(&format!("DB_PASSWORD={new} # keep")), "{when}");
        assert!(office.accepts("shop", &new), "{when}");
        assert_eq!(server.marks(), Vec::<String>::new(), "{when}");
        for file in fs::read_dir(office.path("case")).expect("a folder") {
            let bytes = fs::read(file.expect("a file").path()).expect("read");
            assert!(memchr::memmem::find(&bytes, new.as_bytes()).is_none(), "{when}: the new value is in the case");
        }
        if over {
            let confirmed = office.confirm();
            assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
            break;
        }
    }
    assert!(killed > 5, "killed only {killed} times");
}

#[test]
fn a_copy_of_what_no_store_shows_is_a_gap() {
    let server = Server::start(REPOSITORY, TOKEN, &[("DB_PASSWORD", "x")]);
    let office = office(&server);
    let file = office.path("offkey.toml");
    let text = fs::read_to_string(&file).expect("there").replace("shop.env#DB_PASSWORD", "shop.env#DB_PASWORD");
    fs::write(file, text).expect("written");
    let swept = office.offkey(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"], None);
    assert!(told(&swept).contains("no store showed that place"), "{}", told(&swept));
}
