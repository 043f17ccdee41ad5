//! What a leaver has at OpenBao beside tokens and leases: accounts, memberships, secret ids, certificates, and passwords that
//! the database engine keeps.

use offkey::action::{Target, wait};
use offkey::finding::Liveness;
use offkey::provider::{Owned, Provider, ProviderStep, VaultAccess};
use offkey::rotation::Systems;
use serde_json::{Value, json};

use crate::lab::{self, Lab, unique};
use crate::openbao_access::{Person, access, of, owned, person, text, works};
use crate::steps::{context, drive};

pub(crate) fn end(provider: &VaultAccess, at: &Target) {
    let values = Systems::default();
    wait(provider.preflight(at)).expect("allowed");
    drive(provider.action(at, ProviderStep::Revoke).expect("offered").as_ref(), &context(&values, 1));
}

fn entity_of(bao: &lab::Vault, person: &Person) -> String {
    let (status, answer) = bao.call_as(&person.token, "GET", "auth/token/lookup-self", None);
    assert_eq!(status, 200, "{answer}");
    text(&answer, "/data/entity_id")
}

/// Gives a person more rights, in force at once.
pub(crate) fn allow(bao: &lab::Vault, person: &Person, path: &str) {
    let policy = unique("more");
    let rules = format!("path \"{path}\" {{ capabilities = [\"create\", \"read\", \"update\"] }}");
    bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rules })));
    let entity = format!("identity/entity/id/{}", entity_of(bao, person));
    bao.must("POST", &entity, Some(&json!({ "policies": [policy] })));
}

pub(crate) fn as_person(bao: &lab::Vault, person: &Person, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = bao.call_as(&person.token, method, path, Some(body).filter(|body| !body.is_null()));
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

pub(crate) fn only<'o>(found: &'o [Owned], kind: &str) -> &'o Owned {
    match of(found, kind)[..] {
        [one] => one,
        _ => panic!("one {kind} was expected: {found:?}"),
    }
}

#[test]
fn the_account_and_the_memberships_end_and_nobody_else_s_do() {
    let bao = Lab::require().bao();
    let (alice, bob) = (person(&bao, "alice"), person(&bao, "bob"));
    let (hers, his) = (entity_of(&bao, &alice), entity_of(&bao, &bob));
    let group = |members: &[&String]| {
        let body = json!({ "name": unique("group"), "member_entity_ids": members });
        text(&bao.must("POST", "identity/group", Some(&body)), "/data/id")
    };
    let (shared, alone) = (group(&[&hers, &his]), group(&[&hers]));
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    assert_eq!(of(&found, "group:").len(), 2, "{found:?}");
    for membership in of(&found, "group:") {
        end(&provider, &membership.at);
    }
    let members =
        |id: &str| bao.must("GET", &format!("identity/group/id/{id}"), None)["data"]["member_entity_ids"].clone();
    assert_eq!(members(&shared), json!([his]));
    assert_eq!(members(&alone).as_array().map_or(0, Vec::len), 0);

    let user = only(&found, "user:");
    assert_eq!(user.at.locator, format!("user:userpass/{}", alice.login));
    end(&provider, &user.at);
    assert_eq!(bao.call("GET", &format!("auth/userpass/users/{}", alice.login), None).0, 404);
    bao.must("GET", &format!("auth/userpass/users/{}", bob.login), None);
    assert!(works(&bao, &alice.token), "which is why tokens are revoked one by one");
    assert!(of(&owned(&provider, &alice.login), "group:").is_empty());
    assert!(matches!(only(&owned(&provider, &alice.login), "user:").liveness, Liveness::Dead(_)));
}

#[test]
fn secret_ids_that_a_leaver_made_are_told_apart_by_the_audit_log_and_destroyed() {
    let bao = Lab::require().bao();
    let (alice, role) = (person(&bao, "alice"), unique("ci"));
    let path = format!("auth/approle/role/{role}");
    bao.must("POST", &path, Some(&json!({ "token_policies": ["default"] })));
    allow(&bao, &alice, &format!("{path}/*"));
    let made = as_person(&bao, &alice, "POST", &format!("{path}/secret-id"), &Value::Null);
    let kept = bao.must("POST", &format!("{path}/secret-id"), None);
    let role_id = text(&bao.must("GET", &format!("{path}/role-id"), None), "/data/role_id");
    let logs_in = |secret: &Value| {
        let body = json!({ "role_id": role_id, "secret_id": text(secret, "/data/secret_id") });
        bao.call_as("", "POST", "auth/approle/login", Some(&body)).0
    };
    assert_eq!((logs_in(&made), logs_in(&kept)), (200, 200));
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    let secret_id = only(&found, "secret-id:");
    let accessor = text(&made, "/data/secret_id_accessor");
    assert_eq!(secret_id.at.locator, format!("secret-id:approle/{role}/{accessor}"));
    assert!(secret_id.reason.contains("audit log"), "{}", secret_id.reason);
    end(&provider, &secret_id.at);
    assert_eq!((logs_in(&made), logs_in(&kept)), (400, 200), "hers is dead, the other is not");
}

#[test]
fn a_certificate_that_a_leaver_had_issued_is_revoked() {
    let bao = Lab::require().bao();
    let (alice, pki) = (person(&bao, "alice"), unique("pki"));
    bao.must("POST", &format!("sys/mounts/{pki}"), Some(&json!({ "type": "pki" })));
    bao.must("POST", &format!("{pki}/root/generate/internal"), Some(&json!({ "common_name": "root.example" })));
    let stored = json!({ "allow_any_name": true, "ttl": "1h" });
    bao.must("POST", &format!("{pki}/roles/stored"), Some(&stored));
    allow(&bao, &alice, &format!("{pki}/issue/*"));
    let name = json!({ "common_name": "service.example" });
    let hers = text(&as_person(&bao, &alice, "POST", &format!("{pki}/issue/stored"), &name), "/data/serial_number");
    let other = text(&bao.must("POST", &format!("{pki}/issue/stored"), Some(&name)), "/data/serial_number");
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    let certificate = only(&found, "certificate:");
    assert_eq!(certificate.at.locator, format!("certificate:{pki}/{hers}"));
    end(&provider, &certificate.at);
    let revoked =
        |serial: &str| bao.must("GET", &format!("{pki}/cert/{serial}"), None)["data"]["revocation_time"].clone();
    assert_ne!(revoked(&hers), json!(0));
    assert_eq!(revoked(&other), json!(0));
}

#[test]
fn a_static_role_whose_password_a_leaver_has_read_gets_another_and_the_old_one_fails_at_the_database() {
    let lab = Lab::require();
    let (bao, postgres) = (lab.bao(), lab.postgres());
    let (alice, role) = (person(&bao, "alice"), unique("static"));
    postgres.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", unique("first")));
    let body = json!({ "db_name": lab.bao_database(), "username": role, "rotation_period": "24h" });
    bao.must("POST", &format!("database/static-roles/{role}"), Some(&body));
    allow(&bao, &alice, &format!("database/static-creds/{role}"));
    let password = || text(&bao.must("GET", &format!("database/static-creds/{role}"), None), "/data/password");
    let path = format!("database/static-creds/{role}");
    let old = text(&as_person(&bao, &alice, "GET", &path, &Value::Null), "/data/password");
    assert_eq!(postgres.login(&role, &old), Ok(()));
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    let read = only(&found, "static-role:");
    assert_eq!(read.liveness, Liveness::Live);
    end(&provider, &read.at);
    assert!(postgres.login(&role, &old).is_err(), "what she read is dead");
    assert_eq!(postgres.login(&role, &password()), Ok(()), "what programs read now works");
    let after = owned(&provider, &alice.login);
    assert!(matches!(only(&after, "static-role:").liveness, Liveness::Dead(_)), "rotated since she read it");
}

#[test]
fn the_account_that_offkey_works_with_is_left_alone() {
    let bao = Lab::require().bao();
    let alice = person(&bao, "alice");
    let own = lab::Vault { token: alice.token.clone(), ..Lab::require().bao() };
    let at = Target { system: "bao-access".to_owned(), locator: format!("user:userpass/{}", alice.login) };
    let error = wait(access(&own).preflight(&at)).expect_err("itself");
    assert!(error.to_string().contains("works with"), "{error}");
}
