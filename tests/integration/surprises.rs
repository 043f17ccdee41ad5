//! What people and systems do between two commands: change a secret by hand, go away, come back, edit the plan. Each gets one
//! clear answer, and nothing is lost or half-changed.

use std::fs;

use offkey::clock;
use offkey::secret::SecretValue;

use crate::crash::{Office, text, told};

fn edit(office: &Office, file: &str, from: &str, to: &str) {
    let path = office.path(file);
    let before = fs::read_to_string(&path).expect("readable");
    assert!(before.contains(from), "{file} has no {from}");
    fs::write(&path, before.replace(from, to)).expect("written");
}

fn new_value() -> SecretValue {
    clock::new_password(26, b"abcdefghijkmnopqrstuvwxyz23456789")
}

#[test]
fn a_secret_that_changed_between_plan_and_apply_is_left_as_it_is() {
    let office = Office::open();
    let digest = office.sweep();
    let by_hand = new_value();
    edit(&office, "stores/billing.json", text(&office.old["billing"]), text(&by_hand));
    office.server.enrol("billing", None, &by_hand).expect("enrolled");
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(11), "{}", told(&applied));
    assert!(told(&applied).contains("plan again"), "{}", told(&applied));
    let stores = office.stores();
    assert!(stores["billing.json"].contains(text(&by_hand)), "the value that somebody set by hand stays");
    assert!(office.accepts("billing", text(&by_hand)));
    assert_eq!(stores.len(), 3, "nothing is left beside the stores: {:?}", stores.keys());
    assert!(!stores["shop.env"].contains(text(&office.old["shop"])), "the other credential was rotated all the same");
    let confirmed = office.confirm();
    assert_eq!(confirmed.status.code(), Some(11), "{}", told(&confirmed));
}

#[test]
fn an_issuer_that_is_away_stops_before_the_first_change() {
    let office = Office::open();
    let digest = office.sweep();
    let before = office.stores();
    edit(&office, "offkey.toml", &office.server.address(), "127.0.0.1:9");
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(20), "{}", told(&applied));
    assert!(told(&applied).contains("Nothing was changed"), "{}", told(&applied));
    assert_eq!(office.stores(), before);
    edit(&office, "offkey.toml", "127.0.0.1:9", &office.server.address());
    assert_eq!(office.apply(&digest).status.code(), Some(0), "the same digest goes on once it is back");
}

#[test]
fn a_store_that_vanished_stops_before_the_first_change() {
    let office = Office::open();
    let digest = office.sweep();
    fs::remove_file(office.path("stores/billing.json")).expect("removed");
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(20), "{}", told(&applied));
    assert!(told(&applied).contains("billing.json"), "{}", told(&applied));
    assert!(office.accepts("shop", text(&office.old["shop"])), "nothing was changed");
}

#[test]
fn only_the_plan_that_was_approved_is_carried_out() {
    let office = Office::open();
    let digest = office.sweep();
    let other = if digest.starts_with('0') { "1" } else { "0" }.repeat(12);
    for wrong in [other.as_str(), &digest[..8], ""] {
        let applied = office.apply(wrong);
        assert_eq!(applied.status.code(), Some(2), "{wrong}: {}", told(&applied));
    }
    let capped = office.path("offkey.toml");
    let config = fs::read_to_string(&capped).expect("readable");
    edit(&office, "case/plan.json", "\"cap\": 50", "\"cap\": 500");
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(30), "{}", told(&applied));
    assert_eq!(fs::read_to_string(&capped).expect("readable"), config);
    assert!(office.accepts("shop", text(&office.old["shop"])), "nothing was changed");
}

#[test]
fn a_value_that_comes_back_to_life_opens_the_case_again() {
    let office = Office::open();
    let digest = office.sweep();
    assert_eq!(office.apply(&digest).status.code(), Some(0));
    let confirmed = office.confirm();
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
    // Somebody restores the issuer from a backup: the new value is gone, the old one lives.
    office.enrol();
    let confirmed = office.confirm();
    assert_eq!(confirmed.status.code(), Some(11), "{}", told(&confirmed));
    assert!(!told(&confirmed).contains("COMPLETE: every"), "{}", told(&confirmed));
}

#[test]
fn an_item_that_somebody_ended_by_hand_is_closed_by_looking() {
    let office = Office::open();
    // No store keeps the billing password any more, as far as offkey is told.
    edit(&office, "offkey.toml", ", \"stores/billing.json\"", "");
    edit(&office, "repo/config.ini", "[billing]\npassword", "[billing]\nbilling_password");
    let digest = office.sweep();
    let plan = told(&office.offkey(&["plan", "--case", "case"], None));
    assert!(plan.contains("role:billing"), "the issuer knows it: {plan}");
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(11), "{}", told(&applied));
    assert_eq!(office.confirm().status.code(), Some(11), "it still lives");
    office.server.enrol("billing", None, &new_value()).expect("enrolled");
    let confirmed = office.confirm();
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
}
