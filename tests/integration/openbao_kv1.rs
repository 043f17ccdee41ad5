//! KV version 1 on the real OpenBao: whole entries, no versions, no check-and-set.

use std::ops::ControlFlow;
use std::sync::Arc;

use offkey::action::{ActionError, Observed, Slot, Target, wait};
use offkey::remote::Vault;
use offkey::rotation::Systems;
use offkey::store::{Shelf, Store, StoreStep, VaultKv, vault_kv1};
use serde_json::{Value, json};

use crate::lab::{self, Lab, unique};
use crate::openbao_access::client;
use crate::steps::{context, drive, fingerprinter, generate, inventory, refusal, text, version_of};

/// A mount of its own, with one entry.
fn mount(bao: &lab::Vault, entry: &Value) -> String {
    let mount = unique("kv1");
    bao.must("POST", &format!("sys/mounts/{mount}"), Some(&json!({ "type": "kv", "options": { "version": "1" } })));
    bao.must("POST", &format!("{mount}/shop/db"), Some(entry));
    mount
}

fn store(vault: Arc<Vault>, mount: &str) -> Shelf {
    vault_kv1("old-bao", vault, mount, Vec::new(), "offkey/pending", fingerprinter())
}

fn target(mount: &str) -> Target {
    Target { system: "old-bao".to_owned(), locator: format!("{mount}/shop/db#password") }
}

fn entry(old: &str) -> Value {
    json!({ "username": "shop", "password": old, "host": "db.example", "port": 5432, "big": 9007199254740992u64,
        "nested": { "pin": "1234-5678" } })
}

#[test]
fn a_field_is_replaced_its_siblings_stay_and_nothing_of_the_old_value_is_left() {
    let bao = Lab::require().bao();
    let old = unique("old");
    let mount = mount(&bao, &entry(&old));
    bao.must("POST", &format!("{mount}/shop/deep/er/api"), Some(&json!({ "key": unique("key") })));
    let store = store(client(&bao.addr, &bao.token), &mount);
    let at = target(&mount);
    let held = inventory(&store);
    assert!(held.iter().any(|one| one.at.locator.ends_with("shop/deep/er/api#key")), "folders are walked");
    let password = held.iter().find(|one| one.at == at).expect("the password");
    assert!(password.hints.contains(&("user".to_owned(), "shop".to_owned())), "{:?}", password.hints);
    wait(store.preflight(&at)).expect("everything is allowed");
    let values = Systems::default();
    let cx = context(&values, 1);
    let version = password.version.clone();
    drive(store.action(&at, generate()).as_ref(), &cx);
    let staged = text(&wait(store.read(&at, &Slot::Staged(cx.op))).expect("reads").expect("waits"));
    assert_eq!(inventory(&store).iter().filter(|one| text(&one.value).contains(&staged)).count(), 0);
    let promote = store.action(&at, StoreStep::Promote { expect: version.clone() });
    drive(promote.as_ref(), &cx);
    let now = bao.must("GET", &format!("{mount}/shop/db"), None)["data"].clone();
    let mut expected = entry(&staged);
    assert_eq!(now, expected, "only the password changed");
    wait(promote.undo(&cx)).expect("taken back");
    expected["password"] = json!(old);
    assert_eq!(bao.must("GET", &format!("{mount}/shop/db"), None)["data"], expected);
    drive(promote.as_ref(), &cx);
    drive(store.action(&at, StoreStep::Retire { replaced: version }).as_ref(), &cx);
    assert_eq!(bao.call("LIST", &format!("{mount}/offkey/pending"), None).0, 404, "nothing waits any more");
}

#[test]
fn what_somebody_else_wrote_is_respected() {
    let bao = Lab::require().bao();
    let mount = mount(&bao, &entry(&unique("old")));
    let store = store(client(&bao.addr, &bao.token), &mount);
    let at = target(&mount);
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, 1);
    drive(store.action(&at, generate()).as_ref(), &cx);
    let other = context(&values, 2);
    assert!(matches!(wait(store.action(&at, generate()).observe(&other)), Ok(Observed::Conflict(_))));
    bao.must("POST", &format!("{mount}/shop/db"), Some(&entry("set-by-hand")));
    let promote = store.action(&at, StoreStep::Promote { expect });
    assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(promote.as_ref(), &cx), ActionError::Conflict(_)));
    assert_eq!(bao.must("GET", &format!("{mount}/shop/db"), None)["data"]["password"], json!("set-by-hand"));
}

#[test]
fn masked_values_and_masked_siblings_are_refused_before_the_first_change() {
    let bao = Lab::require().bao();
    let refused = |entry: Value| {
        let mount = mount(&bao, &entry);
        let store = store(client(&bao.addr, &bao.token), &mount);
        match wait(store.preflight(&target(&mount))) {
            Err(ActionError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(json!({ "password": "<redacted>" })).contains("masked"));
    let why = refused(json!({ "password": unique("old"), "pin": "********" }));
    assert!(why.contains("pin") && why.contains("wipe"), "{why}");

    // Masked after the preflight: the write itself refuses too.
    let mount = mount(&bao, &entry(&unique("old")));
    let store = store(client(&bao.addr, &bao.token), &mount);
    let at = target(&mount);
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, 1);
    drive(store.action(&at, generate()).as_ref(), &cx);
    let mut masked = bao.must("GET", &format!("{mount}/shop/db"), None)["data"].clone();
    masked["username"] = json!("***");
    bao.must("POST", &format!("{mount}/shop/db"), Some(&masked));
    let promote = store.action(&at, StoreStep::Promote { expect });
    assert!(matches!(refusal(promote.as_ref(), &cx), ActionError::Refused(_)));
    assert_eq!(bao.must("GET", &format!("{mount}/shop/db"), None)["data"], masked);
}

#[test]
fn a_missing_right_and_the_wrong_version_are_named() {
    let bao = Lab::require().bao();
    let mount = mount(&bao, &entry(&unique("old")));
    let policy = unique("readonly");
    let rules = format!("path \"{mount}/*\" {{ capabilities = [\"read\", \"list\"] }}");
    bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rules })));
    let made = bao.must("POST", "auth/token/create", Some(&json!({ "policies": [policy] })));
    let weak = client(&bao.addr, made["auth"]["client_token"].as_str().expect("a token"));
    let Err(ActionError::Refused(why)) = wait(store(weak, &mount).preflight(&target(&mount))) else {
        panic!("refused")
    };
    assert!(why.contains(&format!("lacks update on {mount}/shop/db")), "{why}");

    let all = client(&bao.addr, &bao.token);
    let says = |store: &dyn Store| {
        let error = wait(store.inventory(&mut |_| ControlFlow::Continue(()))).expect_err("another version");
        format!("{error:?} {:?}", error.next_step())
    };
    let two = vault_kv1("bao", Arc::clone(&all), "secret", Vec::new(), "p", fingerprinter());
    assert!(says(&two).contains("KV version 2"), "{}", says(&two));
    let one = VaultKv::new("bao", all, mount, Vec::new(), "p", fingerprinter());
    assert!(says(&one).contains("vault-kv1"), "{}", says(&one));
}

#[cfg(feature = "postgres")]
#[test]
fn a_case_with_a_store_of_version_1_is_walked_by_the_program() {
    let shop = crate::walk::Shop::open();
    let mount = unique("kv1");
    let made = json!({ "type": "kv", "options": { "version": "1" } });
    shop.bao.must("POST", &format!("sys/mounts/{mount}"), Some(&made));
    shop.bao.must("POST", &format!("{mount}/{}/db", shop.folder), Some(&shop.in_bao()));
    let config = std::fs::read_to_string(shop.path("offkey.toml")).expect("readable");
    let version_1 = format!("type = \"vault-kv1\"\nmount = \"{mount}\"\n");
    std::fs::write(shop.path("offkey.toml"), config.replace("type = \"vault-kv\"\n", &version_1)).expect("written");
    let run = |arguments: &[&str], code: i32| {
        let done = shop.offkey(arguments, None);
        assert_eq!(done.status.code(), Some(code), "{}", crate::walk::told(&done));
    };
    run(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"], 11);
    let plan = std::fs::read(shop.path("case/plan.json")).expect("a plan");
    let plan: offkey::plan::Plan = serde_json::from_slice(&plan).expect("a plan");
    run(&["apply", "--case", "case", "--digest", &plan.digest()], 0);
    run(&["confirm", "--case", "case"], 0);
    let now = shop.bao.must("GET", &format!("{mount}/{}/db", shop.folder), None)["data"].clone();
    let new = now["password"].as_str().expect("text");
    assert_eq!(shop.postgres.login(&shop.role, new), Ok(()), "what consumers read works");
    assert!(shop.postgres.login(&shop.role, shop.old()).is_err(), "the old one is dead");
    assert_eq!((now["motto"].as_str(), shop.in_file().as_str()), (Some("siblings stay as they are"), new));
}
