//! Roles of the real PostgreSQL: log-ins are the only proof, of the new value and of the old one.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use offkey::action::{ActionError, Observed, Target, wait};
use offkey::finding::Liveness;
use offkey::identity::{AliasKind, Identity};
use offkey::provider::{PostgresRoles, Provider, ProviderStep, Subject};
use offkey::remote::{Postgres, PostgresSettings, Tls};
use offkey::secret::SecretValue;

use crate::lab::{self, Lab, unique};
use crate::steps::{context, drive, refusal, values};

fn settings(lab: &lab::Postgres) -> PostgresSettings {
    PostgresSettings {
        host: lab.host.clone(),
        port: lab.port,
        database: lab.database.clone(),
        user: lab.user.clone(),
        password: SecretValue::new(lab.password.as_str()),
        tls: Tls::Off,
        deadline: Duration::from_secs(5),
    }
}

fn roles(lab: &lab::Postgres) -> PostgresRoles {
    PostgresRoles::new("pg", Postgres::new(settings(lab)), Vec::new())
}

fn target(role: &str) -> Target {
    Target { system: "pg".to_owned(), locator: format!("role:{role}") }
}

/// A role with its password.
fn role(lab: &lab::Postgres) -> (String, String) {
    let (role, password) = (unique("shop"), unique("old"));
    lab.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"));
    (role, password)
}

/// A psql that stays connected as `role`.
fn session(lab: &lab::Postgres, role: &str, password: &str) -> Child {
    let child = Command::new("psql")
        .args(["-X", "-q", "-h", &lab.host, "-p", &lab.port.to_string(), "-U", role, "-d", &lab.database])
        .env("PGPASSWORD", password)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql");
    let end = Instant::now() + Duration::from_secs(10);
    while sessions(lab, role) == "0" {
        assert!(Instant::now() < end, "the session does not begin");
        std::thread::sleep(Duration::from_millis(30));
    }
    child
}

fn sessions(lab: &lab::Postgres, role: &str) -> String {
    lab.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'"))
}

/// Waits until the role has so many sessions: the server keeps one for a moment after its client has left.
fn settle(lab: &lab::Postgres, role: &str, expected: &str, why: &str) {
    let end = Instant::now() + Duration::from_secs(5);
    while sessions(lab, role) != expected && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(sessions(lab, role), expected, "{why}");
}

#[test]
fn a_password_is_replaced_and_the_old_one_and_its_sessions_die() {
    let lab = Lab::require().postgres();
    let (role, old) = role(&lab);
    let new = unique("new");
    let (values, refs) = values(&[&old, &new]);
    let [old_ref, new_ref] = [&refs[0], &refs[1]].map(Clone::clone);
    let provider = roles(&lab);
    let at = target(&role);
    let step = |step| provider.action(&at, step).expect("offered");
    let cx = context(&values, 1);
    wait(provider.preflight(&at)).expect("allowed");
    let mut live = session(&lab, &role, &old);

    drive(step(ProviderStep::Set { new: new_ref.clone(), old: old_ref.clone() }).as_ref(), &cx);
    drive(step(ProviderStep::Test { new: new_ref.clone() }).as_ref(), &cx);
    assert_eq!(lab.login(&role, &new), Ok(()), "the witness logs in with the new value");
    assert!(lab.login(&role, &old).expect_err("dead").contains("password authentication failed"));
    settle(&lab, &role, "1", "a new password cuts nobody off");

    let receipt = drive(step(ProviderStep::Evict { old: old_ref.clone() }).as_ref(), &cx);
    assert_eq!(receipt.facts["sessions ended"], "1");
    settle(&lab, &role, "0", "what was ended is gone");
    let verify = step(ProviderStep::Verify { new: Some(new_ref.clone()), old: old_ref.clone() });
    let receipt = drive(verify.as_ref(), &cx);
    assert!(receipt.facts["old value"].starts_with("28P01"), "{receipt:?}");
    assert_eq!(wait(provider.validate(&at, &SecretValue::new(new.as_str()))), Liveness::Live);
    drop(live.kill());
    let _ = live.wait();

    // The verifier was made here: the server never saw the password itself.
    let kept = lab.sql(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"));
    assert!(kept.starts_with("SCRAM-SHA-256$4096:"), "{kept}");
}

#[test]
fn consumers_that_come_back_with_the_new_value_stay() {
    let lab = Lab::require().postgres();
    let (role, old) = role(&lab);
    let new = unique("new");
    let (values, refs) = values(&[&old, &new]);
    let provider = roles(&lab);
    let at = target(&role);
    let cx = context(&values, 1);
    let set = provider.action(&at, ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() }).expect("offered");
    wait(set.apply(&cx)).expect("set");
    let mut first = session(&lab, &role, &new);
    let evict = provider.action(&at, ProviderStep::Evict { old: refs[0].clone() }).expect("offered");
    wait(evict.apply(&cx)).expect("evicted");
    let mut second = session(&lab, &role, &new);
    assert!(matches!(wait(evict.observe(&cx)), Ok(Observed::Done(_))), "a session that began later is no old one");
    for child in [&mut first, &mut second] {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[test]
fn a_new_password_can_be_taken_back_and_a_foreign_one_is_respected() {
    let lab = Lab::require().postgres();
    let (role, old) = role(&lab);
    let new = unique("new");
    let (values, refs) = values(&[&old, &new]);
    let provider = roles(&lab);
    let at = target(&role);
    let cx = context(&values, 1);
    let set = provider.action(&at, ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() }).expect("offered");
    drive(set.as_ref(), &cx);
    wait(set.undo(&cx)).expect("taken back");
    assert_eq!(lab.login(&role, &old), Ok(()));
    lab.sql(&format!("ALTER ROLE {role} PASSWORD '{}'", unique("foreign")));
    assert!(matches!(wait(set.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(set.as_ref(), &cx), ActionError::Conflict(_)));
}

#[test]
fn only_definitive_rejections_are_dead() {
    let lab = Lab::require().postgres();
    let (role, old) = role(&lab);
    let provider = roles(&lab);
    let validate = |provider: &PostgresRoles, role: &str, value: &str| {
        wait(provider.validate(&target(role), &SecretValue::new(value)))
    };
    assert_eq!(validate(&provider, &role, &old), Liveness::Live);
    assert!(matches!(validate(&provider, &role, "wrong"), Liveness::Dead(why) if why.starts_with("28P01")));
    lab.sql(&format!("ALTER ROLE {role} CONNECTION LIMIT 0"));
    assert!(matches!(validate(&provider, &role, &old), Liveness::Unknown(_)), "too many connections proves nothing");
    lab.sql(&format!("ALTER ROLE {role} NOLOGIN"));
    assert!(matches!(validate(&provider, &role, &old), Liveness::Dead(why) if why.starts_with("28000")));
    // A role that may not open the database was let in before it was turned away there.
    let database = unique("closed");
    lab.sql(&format!("ALTER ROLE {role} LOGIN CONNECTION LIMIT -1"));
    lab.sql(&format!("CREATE DATABASE {database}"));
    lab.sql(&format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"));
    let closed = PostgresSettings { database: database.clone(), ..settings(&lab) };
    let closed = PostgresRoles::new("pg", Postgres::new(closed), Vec::new());
    assert_eq!(validate(&closed, &role, &old), Liveness::Live);
    lab.sql(&format!("DROP DATABASE {database}"));

    let gone = PostgresSettings { port: 1, ..settings(&lab) };
    let gone = PostgresRoles::new("pg", Postgres::new(gone), Vec::new());
    assert!(matches!(validate(&gone, &role, &old), Liveness::Unknown(_)));
    let error = wait(gone.preflight(&target(&role))).expect_err("nobody there");
    assert!(matches!(error, ActionError::Unavailable { .. }), "{error}");
}

#[test]
fn a_role_is_recognised_by_what_stands_beside_the_password() {
    let lab = Lab::require().postgres();
    let (role, password) = role(&lab);
    let provider = roles(&lab);
    let recognise = |facts: &[(&str, &str)], value: &str| {
        let facts: BTreeMap<_, _> = facts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let subject = Subject { rule: "needle".to_owned(), facts };
        wait(provider.recognise(&subject, &SecretValue::new(value))).expect("answers")
    };
    let here = lab.port.to_string();
    assert_eq!(recognise(&[("user", &role), ("host", "localhost"), ("port", &here)], &password), Some(target(&role)));
    assert_eq!(recognise(&[("user", &role)], &password), Some(target(&role)), "a log-in tells");
    assert_eq!(recognise(&[("user", &role)], "wrong"), None);
    assert_eq!(recognise(&[("user", &role), ("host", "elsewhere.example")], &password), None);
    assert_eq!(recognise(&[("user", &role), ("host", "localhost"), ("port", "1")], &password), None);
    assert_eq!(recognise(&[("user", "nobody-here"), ("host", "localhost"), ("port", &here)], &password), None);
    let address = format!("postgres://{role}:{password}@localhost:{here}/postgres");
    let at = recognise(&[], &address).expect("an address says everything");
    assert_eq!(at.locator, format!("url:{role}"));
    assert!(!provider.settable(&at), "a password must not replace a whole address");
    assert_eq!(wait(provider.validate(&at, &SecretValue::new(address))), Liveness::Live);
}

#[test]
fn a_personal_role_is_frozen_and_its_sessions_end() {
    let lab = Lab::require().postgres();
    let (role, password) = role(&lab);
    let provider = roles(&lab);
    let mut identity = Identity { name: "Alice Moreau".to_owned(), ..Identity::default() };
    identity.learn(AliasKind::Login, &format!("postgres:{role}"), "stated in alice.toml");
    let (owned, coverage) = wait(provider.owned(&identity)).expect("answers");
    assert!(!coverage.is_partial());
    let [one] = owned.as_slice() else { panic!("{owned:?}") };
    assert!(one.facts.contains_key("freeze"));
    let mut live = session(&lab, &role, &password);
    let (values, _) = values(&[]);
    let cx = context(&values, 1);
    let freeze = provider.action(&one.at, ProviderStep::Freeze).expect("offered");
    drive(freeze.as_ref(), &cx);
    assert!(lab.login(&role, &password).is_err());
    settle(&lab, &role, "0", "what was ended is gone");
    wait(freeze.undo(&cx)).expect("taken back");
    assert_eq!(lab.login(&role, &password), Ok(()));
    let _ = live.kill();
    let _ = live.wait();
    drive(provider.action(&one.at, ProviderStep::Revoke).expect("offered").as_ref(), &cx);
    assert!(lab.login(&role, &password).is_err());
}

#[test]
fn rights_and_self_reference_are_named_before_anything_changes() {
    let lab = Lab::require().postgres();
    let (role, _) = role(&lab);
    let provider = roles(&lab);
    let own = wait(provider.preflight(&target(&lab.user))).expect_err("itself");
    assert!(own.to_string().contains("logs in with"), "{own}");
    let (weak, password) = role_of(&lab, "NOCREATEROLE");
    let without = PostgresSettings { user: weak, password: SecretValue::new(password), ..settings(&lab) };
    let without = PostgresRoles::new("pg", Postgres::new(without), Vec::new());
    let error = wait(without.preflight(&target(&role))).expect_err("no right");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("CREATEROLE")), "{error}");
    let (maker, password) = role_of(&lab, "CREATEROLE");
    let maker = PostgresSettings { user: maker, password: SecretValue::new(password), ..settings(&lab) };
    let maker = PostgresRoles::new("pg", Postgres::new(maker), Vec::new());
    let error = wait(maker.preflight(&target(&role))).expect_err("no right");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("pg_signal_backend")), "{error}");
    let wrong = unique("wrong");
    let liar = PostgresSettings { password: SecretValue::new(wrong.as_str()), ..settings(&lab) };
    let liar = PostgresRoles::new("pg", Postgres::new(liar), Vec::new());
    let error = wait(liar.preflight(&target(&role))).expect_err("wrong password");
    assert!(
        matches!(&error, ActionError::Refused(why) if why.contains("offkey.toml") && !why.contains(&wrong)),
        "{error}"
    );
}

fn role_of(lab: &lab::Postgres, attribute: &str) -> (String, String) {
    let (role, password) = role(lab);
    lab.sql(&format!("ALTER ROLE {role} {attribute}"));
    (role, password)
}
