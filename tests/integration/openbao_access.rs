//! Entities, tokens, leases and the audit log of the real OpenBao.

use std::sync::Arc;
use std::time::Duration;

use offkey::action::{ActionError, Observed, Slot, Target, wait};
use offkey::finding::Liveness;
use offkey::identity::{AliasKind, Identity};
use offkey::provider::{Owned, Provider, ProviderStep, Subject, VaultAccess};
use offkey::remote::{Vault, VaultSettings};
use offkey::rotation::Systems;
use offkey::secret::SecretValue;
use offkey::store::{Store, StoreRead, VaultKv};
use serde_json::{Value, json};

use crate::lab::{self, Lab, PrivateVault, unique};
use crate::steps::{context, drive, fingerprinter, refusal};

/// A client of an OpenBao.
pub(crate) fn client(addr: &str, token: &str) -> Arc<Vault> {
    let settings = VaultSettings {
        address: addr.to_owned(),
        token: SecretValue::new(token),
        namespace: None,
        authority: None,
        deadline: Duration::from_secs(5),
    };
    Arc::new(Vault::new(settings).expect("an address"))
}

pub(crate) fn access(bao: &lab::Vault) -> VaultAccess {
    VaultAccess::new("bao-access", client(&bao.addr, &bao.token), vec![bao.audit_log.clone()], "file")
}

/// A person with a userpass account that may read secrets and make tokens, orphans included.
pub(crate) struct Person {
    pub(crate) login: String,
    pub(crate) token: String,
}

pub(crate) fn text(answer: &Value, pointer: &str) -> String {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {answer}")).to_owned()
}

pub(crate) fn person(bao: &lab::Vault, name: &str) -> Person {
    let login = unique(name);
    let rules = "path \"secret/*\" { capabilities = [\"read\", \"list\"] }\n\
        path \"database/creds/*\" { capabilities = [\"read\"] }\n\
        path \"auth/token/create\" { capabilities = [\"update\"] }\n\
        path \"auth/token/create-orphan\" { capabilities = [\"update\", \"sudo\"] }";
    bao.must("PUT", "sys/policies/acl/person", Some(&json!({ "policy": rules })));
    if bao.call("GET", "sys/auth/userpass/tune", None).0 != 200 {
        bao.must("POST", "sys/auth/userpass", Some(&json!({ "type": "userpass" })));
    }
    let password = unique("pw");
    let user = json!({ "password": password, "token_policies": ["person"] });
    bao.must("POST", &format!("auth/userpass/users/{login}"), Some(&user));
    let (status, answer) =
        bao.call_as("", "POST", &format!("auth/userpass/login/{login}"), Some(&json!({ "password": password })));
    assert_eq!(status, 200, "{answer}");
    Person { token: text(&answer, "/auth/client_token"), login }
}

fn make_token(bao: &lab::Vault, by: &str, path: &str) -> (String, String) {
    let (status, answer) = bao.call_as(by, "POST", path, Some(&json!({ "policies": ["person"] })));
    assert_eq!(status, 200, "{answer}");
    (text(&answer, "/auth/client_token"), text(&answer, "/auth/accessor"))
}

pub(crate) fn works(bao: &lab::Vault, token: &str) -> bool {
    bao.call_as(token, "GET", "auth/token/lookup-self", None).0 == 200
}

fn identity(login: &str) -> Identity {
    let mut identity = Identity { name: "Alice Moreau".to_owned(), ..Identity::default() };
    identity.learn(AliasKind::VaultAlias, &format!("userpass/{login}"), "stated in alice.toml");
    identity
}

pub(crate) fn owned(provider: &VaultAccess, login: &str) -> Vec<Owned> {
    let (owned, coverage) = wait(provider.owned(&identity(login))).expect("answers");
    assert!(!coverage.is_partial(), "{:?}", coverage.counts);
    owned
}

pub(crate) fn of<'o>(owned: &'o [Owned], kind: &str) -> Vec<&'o Owned> {
    owned.iter().filter(|one| one.at.locator.starts_with(kind)).collect()
}

#[test]
fn everything_that_a_leaver_holds_is_found_frozen_and_revoked() {
    let private = PrivateVault::start();
    let bao = &private.vault;
    let (alice, bob) = (person(bao, "alice"), person(bao, "bob"));
    let (child, _) = make_token(bao, &alice.token, "auth/token/create");
    let (orphan, orphan_accessor) = make_token(bao, &alice.token, "auth/token/create-orphan");
    // An orphan of an orphan: no entity anywhere in its making, only the log's chain of accessors.
    let (second, second_accessor) = make_token(bao, &orphan, "auth/token/create-orphan");
    let (foreign, foreign_accessor) = make_token(bao, &bob.token, "auth/token/create-orphan");
    let provider = access(bao);
    let values = Systems::default();
    let cx = context(&values, 1);
    let found = owned(&provider, &alice.login);

    let [entity] = of(&found, "entity:")[..] else { panic!("{found:?}") };
    let freeze = provider.action(&entity.at, ProviderStep::Freeze).expect("offered");
    drive(freeze.as_ref(), &cx);
    assert!(!works(bao, &alice.token) && !works(bao, &child), "frozen at once");
    assert!(works(bao, &orphan), "which is why orphans must be found");
    wait(freeze.undo(&cx)).expect("taken back");
    assert!(works(bao, &alice.token), "frozen is not revoked");
    wait(freeze.apply(&cx)).expect("frozen again");

    let tokens = of(&found, "accessor:");
    for accessor in [&orphan_accessor, &second_accessor] {
        let one = tokens.iter().find(|one| one.at.locator.ends_with(accessor.as_str())).expect("found by the log");
        assert!(one.reason.contains("audit log"), "{}", one.reason);
    }
    assert_eq!(tokens.len(), 4, "her own, a child, two orphans: {tokens:?}");
    assert!(!tokens.iter().any(|one| one.at.locator.ends_with(&foreign_accessor)), "somebody else's stays");
    for one in tokens {
        wait(provider.preflight(&one.at)).expect("allowed");
        let revoke = provider.action(&one.at, ProviderStep::Revoke).expect("offered");
        // A child dies with its parent, so it may be gone before its turn.
        if wait(revoke.observe(&cx)) == Ok(Observed::NotDone) {
            drive(revoke.as_ref(), &cx);
        }
    }
    for token in [&alice.token, &child, &orphan, &second] {
        assert!(!works(bao, token));
    }
    assert!(works(bao, &foreign) && works(bao, &bob.token));
    assert_eq!(of(&owned(&provider, &alice.login), "accessor:"), Vec::<&Owned>::new());
}

#[test]
fn a_token_is_dead_only_when_the_server_does_not_know_it() {
    let bao = Lab::require().bao();
    let alice = person(&bao, "alice");
    let provider = access(&bao);
    let value = SecretValue::new(alice.token.as_str());
    let subject = Subject { rule: "needle".to_owned(), ..Subject::default() };
    let at = wait(provider.recognise(&subject, &value)).expect("answers").expect("a token of this server");
    assert!(at.locator.starts_with("accessor:") && !at.locator.contains(&alice.token));
    assert_eq!(wait(provider.validate(&at, &value)), Liveness::Live);
    let entity = of(&owned(&provider, &alice.login), "entity:")[0].at.clone();
    let print = fingerprinter().fingerprint(value.expose());
    let values = Systems { found: [(print, value.clone())].into(), ..Systems::default() };
    let cx = context(&values, 1);
    wait(provider.action(&entity, ProviderStep::Freeze).expect("offered").apply(&cx)).expect("frozen");
    assert!(matches!(wait(provider.validate(&at, &value)), Liveness::Unknown(_)), "refused, but not dead");
    let old = offkey::action::ValueRef::found(&print);
    let verify = provider.action(&at, ProviderStep::Verify { new: None, old }).expect("offered");
    assert!(matches!(refusal(verify.as_ref(), &cx), ActionError::Unavailable { .. }));
    drive(provider.action(&at, ProviderStep::Revoke).expect("offered").as_ref(), &cx);
    assert!(matches!(wait(provider.validate(&at, &value)), Liveness::Dead(_)));
    let receipt = drive(verify.as_ref(), &cx);
    assert!(receipt.facts["old value"].contains("no such token"), "{receipt:?}");
    let wrong = SecretValue::new("not a token at all");
    assert_eq!(wait(provider.recognise(&subject, &wrong)).expect("answers"), None);
}

#[test]
fn a_leased_database_user_ends_with_its_lease() {
    let lab = Lab::require();
    let (bao, postgres) = (lab.bao(), lab.postgres());
    let alice = person(&bao, "alice");
    let role = unique("lease");
    let made = json!({ "db_name": lab.bao_database(), "default_ttl": "1h", "max_ttl": "2h", "creation_statements":
        ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"] });
    bao.must("POST", &format!("database/roles/{role}"), Some(&made));
    let (status, answer) = bao.call_as(&alice.token, "GET", &format!("database/creds/{role}"), None);
    assert_eq!(status, 200, "{answer}");
    let (user, password) = (text(&answer, "/data/username"), text(&answer, "/data/password"));
    assert_eq!(postgres.login(&user, &password), Ok(()));
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    let [lease] = of(&found, "lease:")[..] else { panic!("{found:?}") };
    assert_eq!(lease.at.locator, format!("lease:{}", text(&answer, "/lease_id")));
    let values = Systems::default();
    let cx = context(&values, 1);
    drive(provider.action(&lease.at, ProviderStep::Revoke).expect("offered").as_ref(), &cx);
    assert!(postgres.login(&user, &password).is_err(), "the user is gone when the step is done");
    assert!(of(&owned(&provider, &alice.login), "lease:").is_empty());
}

#[test]
fn a_lease_that_its_engine_cannot_end_is_not_called_ended_and_says_what_to_do() {
    let lab = Lab::require();
    let (bao, postgres) = (lab.bao(), lab.postgres());
    let (alice, role) = (person(&bao, "alice"), unique("stuck"));
    let made = json!({ "db_name": lab.bao_database(), "default_ttl": "1h", "revocation_statements": ["SELECT no_such_function()"],
        "creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"] });
    bao.must("POST", &format!("database/roles/{role}"), Some(&made));
    let (status, answer) = bao.call_as(&alice.token, "GET", &format!("database/creds/{role}"), None);
    assert_eq!(status, 200, "{answer}");
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    let [lease] = of(&found, "lease:")[..] else { panic!("{found:?}") };
    let values = Systems::default();
    let cx = context(&values, 1);
    let revoke = provider.action(&lease.at, ProviderStep::Revoke).expect("offered");
    let ActionError::Stuck(why) = refusal(revoke.as_ref(), &cx) else { panic!("a person has to act") };
    assert!(why.contains("no_such_function") && why.contains("bao lease revoke -sync database/creds/"), "{why}");
    assert_eq!(wait(revoke.observe(&cx)), Ok(Observed::NotDone));
    let login = || postgres.login(&text(&answer, "/data/username"), &text(&answer, "/data/password"));
    assert_eq!(login(), Ok(()), "the user lives on");
    postgres.sql(&format!("DROP ROLE \"{}\"", text(&answer, "/data/username")));
    bao.must("PUT", &format!("sys/leases/revoke-force/database/creds/{role}"), None);
    assert!(matches!(wait(revoke.observe(&cx)), Ok(Observed::Done(_))), "ended by hand is ended");
}

#[test]
fn the_audit_log_tells_who_read_which_value_and_where_a_found_one_was_served() {
    let bao = Lab::require().bao();
    let (alice, bob) = (person(&bao, "alice"), person(&bao, "bob"));
    let (folder, first, second) = (unique("kv"), unique("first"), unique("second"));
    let path = format!("secret/data/{folder}/db");
    for value in [&first, &second] {
        bao.must("POST", &path, Some(&json!({ "data": { "password": value } })));
    }
    assert_eq!(bao.call_as(&alice.token, "GET", &format!("{path}?version=1"), None).0, 200);
    assert_eq!(bao.call_as(&bob.token, "GET", &path, None).0, 200);
    assert_eq!(bao.call_as(&bob.token, "GET", "sys/mounts", None).0, 403, "a refusal is no read");
    let store = VaultKv::new(
        "bao",
        client(&bao.addr, &bao.token),
        "secret",
        vec![folder.clone()],
        "offkey/pending",
        fingerprinter(),
    )
    .with_audit(vec![bao.audit_log.clone()], "file");
    let print = |value: &str| fingerprinter().fingerprint(value.as_bytes());
    let (reads, coverage) = wait(store.reads()).expect("answers");
    assert!(!coverage.is_partial(), "{:?}", coverage.counts);
    let readers = |version: &str| -> Vec<String> {
        let here = |read: &&StoreRead| read.at.locator == format!("secret/{folder}/db") && read.version == version;
        reads.iter().filter(here).flat_map(|read| read.aliases.clone()).collect()
    };
    assert_eq!(readers("1"), [format!("userpass/{}", alice.login)]);
    assert_eq!(readers("2"), [format!("userpass/{}", bob.login)]);

    // The other way: a plaintext from elsewhere, no right to read any secret, only to hash.
    let policy = unique("hash");
    let rules = "path \"sys/audit-hash/file\" { capabilities = [\"update\"] }\n\
        path \"identity/entity/id/*\" { capabilities = [\"read\"] }";
    bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rules })));
    let token = bao.must("POST", "auth/token/create", Some(&json!({ "policies": [policy] })));
    let blind = VaultKv::new(
        "bao",
        client(&bao.addr, &text(&token, "/auth/client_token")),
        "secret",
        Vec::new(),
        "p",
        fingerprinter(),
    )
    .with_audit(vec![bao.audit_log.clone()], "file");
    let at = Target { system: "bao".to_owned(), locator: format!("secret/{folder}/db#password") };
    assert!(wait(blind.read(&at, &Slot::Current)).is_err(), "it may not read");
    let (served, _) = wait(blind.served(&[(print(&first), SecretValue::new(first.as_str()))])).expect("answers");
    let [(what, read)] = served.as_slice() else { panic!("{served:?}") };
    assert_eq!((what, &read.aliases), (&print(&first), &vec![format!("userpass/{}", alice.login)]));
    assert_eq!((read.at.locator.as_str(), read.version.as_str()), (format!("secret/{folder}/db").as_str(), "1"));
}

#[test]
fn what_offkey_itself_works_with_and_missing_rights_are_named() {
    let bao = Lab::require().bao();
    let provider = access(&bao);
    let own = text(&bao.must("GET", "auth/token/lookup-self", None), "/data/accessor");
    let at = Target { system: "bao-access".to_owned(), locator: format!("accessor:{own}") };
    let error = wait(provider.preflight(&at)).expect_err("itself");
    assert!(error.to_string().contains("works with"), "{error}");
    let alice = person(&bao, "alice");
    let weak = VaultAccess::new("bao-access", client(&bao.addr, &alice.token), Vec::new(), "file");
    let other = Target { system: "bao-access".to_owned(), locator: "accessor:abc".to_owned() };
    let error = wait(weak.preflight(&other)).expect_err("no right");
    assert!(error.to_string().contains("lacks update on auth/token/revoke-accessor"), "{error}");
    let (_, coverage) = wait(weak.owned(&identity(&alice.login))).expect("answers");
    assert!(coverage.is_partial(), "what could not be asked is a gap");
}
