//! KV version 2 on the real OpenBao: siblings kept, versions destroyed, foreign writers respected, failures named.

use std::ops::ControlFlow;
use std::sync::Arc;

use offkey::action::{ActionError, Observed, Slot, Target, wait};
use offkey::remote::Vault;
use offkey::rotation::Systems;
use offkey::store::{Store, StoreStep, VaultKv};
use serde_json::json;

use crate::lab::{self, Lab, PrivateVault, unique};
use crate::openbao_access::client;
use crate::steps::{context, drive, fingerprinter, generate, inventory, refusal, text, version_of};

fn store(vault: &Arc<Vault>, folder: &str) -> VaultKv {
    VaultKv::new("bao", Arc::clone(vault), "secret", vec![folder.to_owned()], "offkey/pending", fingerprinter())
}

fn target(path: &str, field: &str) -> Target {
    Target { system: "bao".to_owned(), locator: format!("secret/{path}#{field}") }
}

fn current(bao: &lab::Vault, path: &str) -> serde_json::Value {
    bao.must("GET", &format!("secret/data/{path}"), None)["data"].clone()
}

/// An entry with siblings of every kind.
fn entry(bao: &lab::Vault, old: &str) -> String {
    let folder = unique("kv");
    let data = json!({
        "username": "shop", "password": old, "api_key": format!("{old}-key"), "host": "db.example", "port": 5432,
        "ratio": 0.1, "big": 9007199254740992u64, "nested": { "pin": "1234-5678" },
    });
    bao.must("POST", &format!("secret/data/{folder}/db"), Some(&json!({ "options": { "cas": 0 }, "data": data })));
    folder
}

#[test]
fn a_field_is_rotated_and_its_siblings_stay() {
    let bao = Lab::require().bao();
    let old = unique("old");
    let folder = entry(&bao, &old);
    let store = store(&client(&bao.addr, &bao.token), &folder);
    let at = target(&format!("{folder}/db"), "password");
    let held = inventory(&store);
    let password = held.iter().find(|one| one.at == at).expect("the password");
    assert_eq!(text(&password.value), old);
    let hint = |name: &str| password.hints.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((hint("user"), hint("host"), hint("port")), (Some("shop"), Some("db.example"), Some("5432")));
    assert!(held.iter().any(|one| one.at.locator.ends_with("db#/nested/pin")), "nested values are seen");
    wait(store.preflight(&at)).expect("everything is allowed");

    let values = Systems::default();
    let cx = context(&values, rand());
    let version = password.version.clone();
    drive(store.action(&at, generate()).as_ref(), &cx);
    let staged = wait(store.read(&at, &Slot::Staged(cx.op))).expect("readable").expect("staged");
    assert_eq!(current(&bao, &format!("{folder}/db"))["data"]["password"], json!(old), "staging changes nothing");
    drive(store.action(&at, StoreStep::Promote { expect: version.clone() }).as_ref(), &cx);
    let now = current(&bao, &format!("{folder}/db"));
    assert_eq!(now["data"]["password"], json!(text(&staged)));
    assert_eq!(now["metadata"]["version"], 2);
    for (field, value) in [("big", json!(9007199254740992u64)), ("ratio", json!(0.1)), ("username", json!("shop"))] {
        assert_eq!(now["data"][field], value, "{field} is a sibling");
    }
    let before = wait(store.read(&at, &Slot::Version(version.clone()))).expect("readable").expect("kept until retired");
    assert_eq!(text(&before), old);
    drive(store.action(&at, StoreStep::Retire { replaced: version.clone() }).as_ref(), &cx);
    assert_eq!(bao.call("GET", &format!("secret/data/{folder}/db?version=1"), None).0, 404, "destroyed");
    assert_eq!(wait(store.read(&at, &Slot::Version(version))), Ok(None));
    assert_eq!(wait(store.read(&at, &Slot::Staged(cx.op))), Ok(None));
}

#[test]
fn two_fields_of_one_entry_are_rotated_one_after_the_other() {
    let bao = Lab::require().bao();
    let old = unique("old");
    let folder = entry(&bao, &old);
    let store = store(&client(&bao.addr, &bao.token), &folder);
    let path = format!("{folder}/db");
    let values = Systems::default();
    // Both versions are those of the plan, made before anything changed.
    let fields = ["password", "api_key"].map(|field| target(&path, field));
    let versions = fields.clone().map(|at| version_of(&store, &at));
    for (number, (at, version)) in fields.iter().zip(&versions).enumerate() {
        let cx = context(&values, rand() + number as u128);
        drive(store.action(at, generate()).as_ref(), &cx);
        drive(store.action(at, StoreStep::Promote { expect: version.clone() }).as_ref(), &cx);
        let probe = wait(store.read(at, &Slot::Version(version.clone()))).expect("readable");
        assert!(text(&probe.expect("the old value is there for the last probe")).starts_with(&old), "{at}");
        drive(store.action(at, StoreStep::Retire { replaced: version.clone() }).as_ref(), &cx);
    }
    let now = current(&bao, &path);
    assert_eq!(now["metadata"]["version"], 3);
    assert!(!now["data"].to_string().contains(&old));
    for version in [1, 2] {
        assert_eq!(bao.call("GET", &format!("secret/data/{path}?version={version}"), None).0, 404);
    }
}

#[test]
fn a_foreign_value_is_never_overwritten_and_a_foreign_sibling_is_kept() {
    let bao = Lab::require().bao();
    let folder = entry(&bao, &unique("old"));
    let store = store(&client(&bao.addr, &bao.token), &folder);
    let path = format!("{folder}/db");
    let at = target(&path, "password");
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());
    drive(store.action(&at, generate()).as_ref(), &cx);
    let write = |field: &str, value: &str| {
        let mut data = current(&bao, &path)["data"].clone();
        data[field] = json!(value);
        bao.must("POST", &format!("secret/data/{path}"), Some(&json!({ "data": data })));
    };
    write("username", "somebody");
    let promote = store.action(&at, StoreStep::Promote { expect: expect.clone() });
    assert_eq!(wait(promote.observe(&cx)), Ok(Observed::NotDone), "another field is no business of ours");
    write("password", "set-by-hand");
    assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(promote.as_ref(), &cx), ActionError::Conflict(_)));
    let retire = store.action(&at, StoreStep::Retire { replaced: expect });
    let _ = wait(retire.observe(&cx));
    let now = current(&bao, &path);
    assert_eq!((&now["data"]["password"], &now["data"]["username"]), (&json!("set-by-hand"), &json!("somebody")));
}

#[test]
fn staging_and_promotion_can_be_taken_back() {
    let bao = Lab::require().bao();
    let old = unique("old");
    let folder = entry(&bao, &old);
    let store = store(&client(&bao.addr, &bao.token), &folder);
    let at = target(&format!("{folder}/db"), "password");
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());
    let (stage, promote) = (store.action(&at, generate()), store.action(&at, StoreStep::Promote { expect }));
    drive(stage.as_ref(), &cx);
    drive(promote.as_ref(), &cx);
    wait(promote.undo(&cx)).expect("taken back");
    assert_eq!(current(&bao, &format!("{folder}/db"))["data"]["password"], json!(old));
    wait(stage.undo(&cx)).expect("taken back");
    assert_eq!(wait(stage.observe(&cx)), Ok(Observed::NotDone));
}

#[test]
fn an_old_value_that_consumers_still_read_is_not_destroyed() {
    let bao = Lab::require().bao();
    let folder = entry(&bao, &unique("old"));
    let store = store(&client(&bao.addr, &bao.token), &folder);
    let at = target(&format!("{folder}/db"), "password");
    let values = Systems::default();
    let cx = context(&values, rand());
    let retire = store.action(&at, StoreStep::Retire { replaced: version_of(&store, &at) });
    assert!(matches!(refusal(retire.as_ref(), &cx), ActionError::Conflict(_)));
}

#[test]
fn a_masked_value_is_refused_before_anything_changes() {
    let bao = Lab::require().bao();
    let folder = unique("kv");
    bao.must("POST", &format!("secret/data/{folder}/db"), Some(&json!({ "data": { "password": "********" } })));
    let store = store(&client(&bao.addr, &bao.token), &folder);
    let refused = wait(store.preflight(&target(&format!("{folder}/db"), "password")));
    let Err(ActionError::Refused(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("masked"), "{why}");
}

#[test]
fn a_token_without_the_right_to_patch_writes_the_whole_entry() {
    let bao = Lab::require().bao();
    let folder = entry(&bao, &unique("old"));
    let policy = unique("nopatch");
    let rules = format!(
        "path \"secret/+/{folder}/*\" {{ capabilities = [\"create\",\"read\",\"update\",\"list\",\"delete\"] }}\n\
         path \"secret/metadata/{folder}\" {{ capabilities = [\"list\"] }}\n\
         path \"secret/+/offkey/pending/*\" {{ capabilities = [\"create\",\"read\",\"update\",\"list\",\"delete\"] }}"
    );
    bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rules })));
    let made = bao.must("POST", "auth/token/create", Some(&json!({ "policies": [policy] })));
    let token = made["auth"]["client_token"].as_str().expect("a token").to_owned();
    let store = store(&client(&bao.addr, &token), &folder);
    let at = target(&format!("{folder}/db"), "password");
    wait(store.preflight(&at)).expect("update is enough");
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());
    drive(store.action(&at, generate()).as_ref(), &cx);
    drive(store.action(&at, StoreStep::Promote { expect }).as_ref(), &cx);
    assert_eq!(current(&bao, &format!("{folder}/db"))["data"]["big"], json!(9007199254740992u64));
}

#[test]
fn wrong_token_sealed_and_absent_servers_are_told_apart() {
    let private = PrivateVault::start();
    let at = target("a/b", "c");
    let values = Systems::default();
    let cx = context(&values, 1);
    let wrong = unique("hvs.wrong");
    let store_of = |token: &str| store(&client(&private.vault.addr, token), "");
    let step = generate;

    let wrong_token = store_of(&wrong);
    let ActionError::Refused(why) = refusal(wrong_token.action(&at, step()).as_ref(), &cx) else { panic!("refused") };
    assert!(why.contains("permission denied") && why.contains("offkey.toml"), "{why}");
    assert!(!why.contains(&wrong));
    let error = wait(wrong_token.inventory(&mut |_| ControlFlow::Continue(()))).expect_err("no right");
    assert!(error.next_step().is_some() && !format!("{error:?}").contains(&wrong), "{error:?}");

    private.seal();
    let sealed = refusal(store_of(&private.vault.token).action(&at, step()).as_ref(), &cx);
    let ActionError::Unavailable { why, .. } = sealed else { panic!("{sealed}") };
    assert!(why.contains("sealed") && why.contains("unseal it"), "{why}");
    private.stop();
    let gone = refusal(store_of(&private.vault.token).action(&at, step()).as_ref(), &cx);
    let ActionError::Unavailable { why, .. } = gone else { panic!("{gone}") };
    assert!(why.contains("cannot be reached"), "{why}");
}

/// A number that no other test has.
fn rand() -> u128 {
    u128::from_str_radix(&unique(""), 16).expect("hexadecimal")
}
