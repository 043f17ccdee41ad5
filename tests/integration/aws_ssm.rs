//! SSM Parameter Store on emulators that check signatures and policies. boto3 is the witness.

use offkey::action::{ActionError, Observed, Slot, Target, wait};
use offkey::rotation::Systems;
use offkey::store::{Shelf, Store, StoreStep, aws_parameters};

use crate::aws::{admin, client, rand, user};
use crate::lab::{self, Lab, unique};
use crate::steps::{context, drive, fingerprinter, generate, inventory, refusal, text};

fn store(aws: std::sync::Arc<offkey::remote::Aws>, prefix: &str) -> Shelf {
    aws_parameters("ssm", aws, vec![prefix.to_owned()], "/offkey", fingerprinter())
}

fn at(locator: String) -> Target {
    Target { system: "ssm".to_owned(), locator }
}

/// What boto3 reads, with the kind of the parameter.
fn seen(lab: &lab::Aws, name: &str) -> (String, String) {
    let script = format!(
        "p = client('ssm').get_parameter(Name='{name}', WithDecryption=True)['Parameter']\nprint(p['Type'], p['Value'])"
    );
    let said = lab.must(&script);
    let (kind, value) = said.trim().split_once(' ').expect("kind and value");
    (kind.to_owned(), value.to_owned())
}

fn put(lab: &lab::Aws, name: &str, kind: &str, value: &str) {
    lab.must(&format!(
        "client('ssm').put_parameter(Name='{name}', Type='{kind}', Value='''{value}''', Overwrite=True)"
    ));
}

fn a_parameter_is_rotated_on(lab: &lab::Aws) {
    let (prefix, old) = (format!("/{}/", unique("shop")), unique("old"));
    let (plain, object) = (format!("{prefix}db/password"), format!("{prefix}db/all"));
    put(lab, &plain, "SecureString", &old);
    put(lab, &object, "SecureString", &format!("{{\"user\": \"shop\", \"password\": \"{old}-2\", \"port\": 5432}}"));
    let store = store(admin(lab), &prefix);
    let held = inventory(&store);
    let places: Vec<&str> = held.iter().map(|one| one.at.locator.as_str()).collect();
    assert!(
        places.contains(&&*format!("{plain}#value")) && places.contains(&&*format!("{object}#password")),
        "{places:?}"
    );
    for (name, field, before) in [(&plain, "value", old.clone()), (&object, "password", format!("{old}-2"))] {
        let at = at(format!("{name}#{field}"));
        let here = held.iter().find(|one| one.at == at).expect("listed");
        assert_eq!(text(&here.value), before);
        wait(store.preflight(&at)).expect("everything is allowed");
        let values = Systems::default();
        let cx = context(&values, rand());
        drive(store.action(&at, generate()).as_ref(), &cx);
        assert!(seen(lab, name).1.contains(&before), "staging changes nothing");
        let staged = text(&wait(store.read(&at, &Slot::Staged(cx.op))).expect("readable").expect("staged"));
        let promote = StoreStep::Promote { expect: here.version.clone() };
        drive(store.action(&at, promote.clone()).as_ref(), &cx);
        let (kind, now) = seen(lab, name);
        assert!(kind == "SecureString" && now.contains(&staged) && !now.contains(&before), "{kind} {now}");
        assert_eq!(field == "password", now.contains("5432"), "siblings stay");
        wait(store.action(&at, promote.clone()).undo(&cx)).expect("taken back");
        assert!(seen(lab, name).1.contains(&before));
        drive(store.action(&at, promote).as_ref(), &cx);
        drive(store.action(&at, StoreStep::Retire { replaced: here.version.clone() }).as_ref(), &cx);
        assert_eq!(wait(store.read(&at, &Slot::Staged(cx.op))), Ok(None), "nothing waits any more");
    }
}

#[test]
fn a_parameter_is_rotated() {
    a_parameter_is_rotated_on(&Lab::require().ministack());
}

#[test]
fn a_parameter_is_rotated_on_the_other_emulator_too() {
    a_parameter_is_rotated_on(&Lab::require().moto());
}

#[test]
fn foreign_writes_masked_values_and_missing_rights_are_refused() {
    let lab = Lab::require().ministack();
    let (prefix, old) = (format!("/{}/", unique("shop")), unique("old"));
    let name = format!("{prefix}token");
    put(&lab, &name, "String", &old);
    let place = at(format!("{name}#value"));
    let shelf = store(admin(&lab), &prefix);
    let version = inventory(&shelf)[0].version.clone();
    let values = Systems::default();
    let cx = context(&values, rand());
    drive(shelf.action(&place, generate()).as_ref(), &cx);
    let foreign = unique("foreign");
    put(&lab, &name, "String", &foreign);
    let promote = shelf.action(&place, StoreStep::Promote { expect: version });
    assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Conflict(_))));
    let why = refusal(promote.as_ref(), &cx);
    assert!(matches!(why, ActionError::Conflict(_)), "{why}");
    assert_eq!(seen(&lab, &name), ("String".to_owned(), foreign), "what somebody else wrote stays, and the kind does");

    put(&lab, &name, "String", "********");
    assert!(matches!(wait(shelf.preflight(&place)), Err(ActionError::Refused(_))), "a mask is no value");
    let missing = wait(shelf.preflight(&at(format!("{prefix}nothing#value")))).expect_err("not there");
    assert!(matches!(missing, ActionError::Conflict(_)), "{missing}");
    let nothing = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:List*","Resource":"*"}]}"#;
    let (_, id, key) = user(&lab, nothing);
    let blind = store(client(&lab, &id, &key), &prefix);
    let why = wait(blind.preflight(&place)).expect_err("no rights");
    assert!(matches!(&why, ActionError::Refused(why) if why.contains("AccessDenied")), "{why}");
}
