//! Secrets Manager and IAM on an emulator that checks signatures, policies and the state of keys. boto3 is the witness.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use offkey::action::{ActionError, Observed, Slot, Target, ValueRef, wait};
use offkey::finding::Liveness;
use offkey::identity::{AliasKind, Identity};
use offkey::provider::{AwsIam, Provider, ProviderStep, Subject};
use offkey::remote::{Aws, AwsKey, AwsSettings};
use offkey::rotation::Systems;
use offkey::secret::SecretValue;
use offkey::store::{AwsSecrets, Store, StoreStep};

use crate::lab::{self, Lab, unique};
use crate::steps::{context, drive, fingerprinter, generate, inventory, refusal, text, version_of};

pub(crate) fn client(lab: &lab::Aws, key_id: &str, key: &str) -> Arc<Aws> {
    at(&lab.url, &lab.region, key_id, key)
}

pub(crate) fn at(url: &str, region: &str, key_id: &str, key: &str) -> Arc<Aws> {
    let key = AwsKey { id: key_id.to_owned(), secret: SecretValue::new(key), session: None };
    let settings = AwsSettings {
        region: region.to_owned(),
        endpoint: Some(url.to_owned()),
        key: Some(key),
        deadline: Duration::from_secs(5),
    };
    Arc::new(Aws::new(settings).expect("an address"))
}

pub(crate) fn admin(lab: &lab::Aws) -> Arc<Aws> {
    client(lab, &lab.key_id, &lab.key)
}

fn store(aws: &Arc<Aws>, prefix: &str) -> AwsSecrets {
    AwsSecrets::new("aws", Arc::clone(aws), vec![prefix.to_owned()], fingerprinter())
}

fn target(locator: String) -> Target {
    Target { system: "aws".to_owned(), locator }
}

/// A JSON secret with siblings; its name.
fn secret(lab: &lab::Aws, old: &str) -> String {
    let name = format!("{}/db", unique("sm"));
    let text =
        serde_json::json!({ "username": "shop", "password": old, "api_key": format!("{old}-key"), "port": 5432 });
    lab.must(&format!("client('secretsmanager').create_secret(Name='{name}', SecretString='''{text}''')"));
    name
}

/// What boto3 reads under a label; the error code when there is none.
fn seen(lab: &lab::Aws, name: &str, label: &str) -> Result<serde_json::Value, String> {
    let script = format!(
        "print(client('secretsmanager').get_secret_value(SecretId='{name}', VersionStage='{label}')['SecretString'])"
    );
    lab.python(&lab.key_id, &lab.key, &script).map(|text| serde_json::from_str(&text).expect("JSON"))
}

fn a_field_is_rotated_on(lab: &lab::Aws) {
    let old = unique("old");
    let name = secret(lab, &old);
    let store = store(&admin(lab), &name);
    let at = target(format!("{name}#password"));
    let held = inventory(&store);
    let password = held.iter().find(|one| one.at == at).expect("the password");
    assert_eq!(text(&password.value), old);
    assert!(password.hints.contains(&("user".to_owned(), "shop".to_owned())), "{:?}", password.hints);
    wait(store.preflight(&at)).expect("everything is allowed");

    let values = Systems::default();
    let cx = context(&values, rand());
    let expect = password.version.clone();
    drive(store.action(&at, generate()).as_ref(), &cx);
    assert_eq!(seen(lab, &name, "AWSCURRENT").expect("there")["password"], old.as_str(), "staging changes nothing");
    let staged = wait(store.read(&at, &Slot::Staged(cx.op))).expect("readable").expect("staged");
    assert_eq!(seen(lab, &name, "AWSPENDING").expect("pending")["password"], text(&staged).as_str());

    let promote = StoreStep::Promote { expect: expect.clone() };
    drive(store.action(&at, promote.clone()).as_ref(), &cx);
    let now = seen(lab, &name, "AWSCURRENT").expect("there");
    assert_eq!(now["password"], text(&staged).as_str());
    assert_eq!(
        (&now["username"], &now["port"]),
        (&serde_json::json!("shop"), &serde_json::json!(5432)),
        "siblings stay"
    );

    // There and back again.
    wait(store.action(&at, promote.clone()).undo(&cx)).expect("taken back");
    assert_eq!(seen(lab, &name, "AWSCURRENT").expect("there")["password"], old.as_str());
    drive(store.action(&at, promote).as_ref(), &cx);

    drive(store.action(&at, StoreStep::Retire { replaced: expect.clone() }).as_ref(), &cx);
    for label in ["AWSPREVIOUS", "AWSPENDING"] {
        match seen(lab, &name, label) {
            Err(code) => assert!(code.contains("ResourceNotFound"), "{label}: {code}"),
            Ok(value) => assert_ne!(value["password"], old.as_str(), "{label} leads to the old value"),
        }
    }
    assert_eq!(seen(lab, &name, "AWSCURRENT").expect("there")["password"], text(&staged).as_str());
}

#[test]
fn a_field_is_rotated_and_no_label_leads_to_the_old_value() {
    a_field_is_rotated_on(&Lab::require().ministack());
}

#[test]
fn a_field_is_rotated_on_the_other_emulator_too() {
    a_field_is_rotated_on(&Lab::require().moto());
}

#[test]
fn two_fields_of_one_secret_are_rotated_although_both_were_staged_before() {
    let lab = Lab::require().ministack();
    let old = unique("old");
    let name = secret(&lab, &old);
    let store = store(&admin(&lab), &name);
    let values = Systems::default();
    let fields = ["password", "api_key"].map(|field| target(format!("{name}#{field}")));
    let versions = fields.clone().map(|at| version_of(&store, &at));
    let contexts = [context(&values, rand()), context(&values, rand() + 1)];
    for (at, cx) in fields.iter().zip(&contexts) {
        drive(store.action(at, generate()).as_ref(), cx);
    }
    for ((at, cx), version) in fields.iter().zip(&contexts).zip(&versions) {
        drive(store.action(at, StoreStep::Promote { expect: version.clone() }).as_ref(), cx);
        drive(store.action(at, StoreStep::Retire { replaced: version.clone() }).as_ref(), cx);
    }
    let now = seen(&lab, &name, "AWSCURRENT").expect("there");
    for field in ["password", "api_key"] {
        assert!(!now[field].as_str().expect("text").starts_with(&old), "{field} was put back by its sibling");
    }
    assert_eq!(now["username"], "shop");
}

#[test]
fn a_foreign_value_is_never_overwritten_and_a_running_rotation_is_respected() {
    let lab = Lab::require().ministack();
    let name = secret(&lab, &unique("old"));
    let store = store(&admin(&lab), &name);
    let at = target(format!("{name}#password"));
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());
    drive(store.action(&at, generate()).as_ref(), &cx);
    lab.must(&format!(
        "client('secretsmanager').put_secret_value(SecretId='{name}', SecretString='{{\"password\":\"by-somebody-else\"}}')"
    ));
    let promote = store.action(&at, StoreStep::Promote { expect });
    assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(promote.as_ref(), &cx), ActionError::Conflict(_)));
    assert_eq!(seen(&lab, &name, "AWSCURRENT").expect("there")["password"], "by-somebody-else");

    let other = secret(&lab, &unique("old"));
    lab.must(&format!(
        "client('secretsmanager').put_secret_value(SecretId='{other}', SecretString='{{}}', VersionStages=['AWSPENDING'])"
    ));
    let at = target(format!("{other}#password"));
    let why = wait(store.preflight(&at)).expect_err("somebody rotates it");
    assert!(matches!(&why, ActionError::Conflict(why) if why.contains("being rotated")), "{why}");
}

#[test]
fn a_masked_value_and_what_is_not_there_are_refused_before_anything_changes() {
    let lab = Lab::require().ministack();
    let name = secret(&lab, "********");
    let store = store(&admin(&lab), &name);
    let masked = wait(store.preflight(&target(format!("{name}#password")))).expect_err("masked");
    assert!(matches!(masked, ActionError::Refused(_)), "{masked}");
    let absent = wait(store.preflight(&target(format!("{name}-not#password")))).expect_err("absent");
    assert!(absent.to_string().contains("eu-west-1"), "a wrong region looks like this: {absent}");
}

/// A user with an access key: user, key id, secret.
pub(crate) fn user(lab: &lab::Aws, policy: &str) -> (String, String, String) {
    let user = unique("alice");
    let made = lab.must(&format!(
        "iam = client('iam')\niam.create_user(UserName='{user}')\n\
         iam.put_user_policy(UserName='{user}', PolicyName='p', PolicyDocument='''{policy}''')\n\
         key = iam.create_access_key(UserName='{user}')['AccessKey']\nprint(key['AccessKeyId'], key['SecretAccessKey'])"
    ));
    let (id, key) = made.trim().split_once(' ').expect("id and key");
    (user, id.to_owned(), key.to_owned())
}

const NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;

pub(crate) fn leaver(user: &str) -> Identity {
    let mut identity = Identity { name: "Alice Moreau".to_owned(), ..Identity::default() };
    assert!(identity.learn(AliasKind::AwsUser, user, "stated in alice.toml"));
    identity
}

#[test]
fn a_leavers_key_is_found_by_her_user_and_seen_dead() {
    let lab = Lab::require().ministack();
    let (user, id, key) = user(&lab, NOTHING);
    let iam = AwsIam::new("aws-iam", admin(&lab));
    let (owned, coverage) = wait(iam.owned(&leaver(&user))).expect("listed");
    let listed: Vec<_> = owned.iter().map(|one| (one.at.locator.clone(), &one.liveness)).collect();
    let (account, key_at) = (format!("user:{user}"), format!("key:{user}/{id}"));
    assert_eq!(listed, [(account, &Liveness::Live), (key_at, &Liveness::Live)], "{coverage:?}");

    let secret = SecretValue::new(key.as_str());
    let subject =
        Subject { rule: "aws-secret-access-key".to_owned(), facts: [("key-id".to_owned(), id.clone())].into() };
    let at = wait(iam.recognise(&subject, &secret)).expect("asked").expect("known");
    assert_eq!(at, owned[1].at);
    assert_eq!(wait(iam.validate(&at, &secret)), Liveness::Live);
    wait(iam.preflight(&at)).expect("allowed");

    let values = found(&secret);
    let cx = context(&values, rand());
    let old = ValueRef::found(&fingerprinter().fingerprint(secret.expose()));
    drive(iam.action(&at, ProviderStep::Revoke).expect("offered").as_ref(), &cx);
    let verify = iam.action(&at, ProviderStep::Verify { new: None, old }).expect("offered");
    let receipt = drive(verify.as_ref(), &cx);
    assert_eq!(receipt.facts["old value"], "InvalidClientTokenId");
    assert_eq!(lab.whose(&id, &key), Err("InvalidClientTokenId".to_owned()), "the witness is refused too");
}

#[test]
fn a_deactivated_key_is_dead_and_a_wrong_secret_is_no_live_key() {
    let lab = Lab::require().ministack();
    let (user, id, key) = user(&lab, NOTHING);
    let iam = AwsIam::new("aws-iam", admin(&lab));
    let at = target(format!("key:{user}/{id}"));
    assert!(matches!(wait(iam.validate(&at, &SecretValue::new(unique("x")))), Liveness::Dead(_)));
    lab.must(&format!("client('iam').update_access_key(UserName='{user}', AccessKeyId='{id}', Status='Inactive')"));
    assert!(matches!(wait(iam.validate(&at, &SecretValue::new(key))), Liveness::Dead(_)));
    let (owned, _) = wait(iam.owned(&leaver(&user))).expect("listed");
    let key = owned.iter().find(|one| one.at.locator == at.locator).expect("her key");
    assert!(matches!(key.liveness, Liveness::Unknown(_)), "it can be activated again");
}

/// On an emulator that checks policies.
fn a_leaver_is_refused_on(lab: &lab::Aws) {
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","sts:*"],"Resource":"*"}]}"#;
    let (user, id, key) = user(lab, all);
    lab.must(&format!("client('iam').create_login_profile(UserName='{user}', Password='{}Aa1!')", unique("pw")));
    let list = "print(len(client('iam').list_users()['Users']))";
    lab.python(&id, &key, list).expect("works before");
    let iam = AwsIam::new("aws-iam", admin(lab));
    let (owned, coverage) = wait(iam.owned(&leaver(&user))).expect("listed");
    let find = |kind: &str| owned.iter().find(|one| one.at.locator == format!("{kind}:{user}")).expect(kind);
    let (account, login) = (find("user"), find("login"));
    assert!(account.facts.contains_key("freeze") && !coverage.is_partial(), "{coverage:?}");
    for one in [account, login] {
        wait(iam.preflight(&one.at)).expect("allowed");
    }

    let values = Systems::default();
    let cx = context(&values, rand());
    let freeze = iam.action(&account.at, ProviderStep::Freeze).expect("offered");
    drive(freeze.as_ref(), &cx);
    let refused = lab.python(&id, &key, list).expect_err("refused");
    assert!(refused.contains("AccessDenied"), "{refused}");
    let (frozen, _) = wait(iam.owned(&leaver(&user))).expect("listed");
    assert!(matches!(frozen[0].liveness, Liveness::Dead(_)), "a second sweep sees it: {:?}", frozen[0]);
    wait(freeze.undo(&cx)).expect("taken back");
    lab.python(&id, &key, list).expect("works again");
    drive(freeze.as_ref(), &cx);

    let end = iam.action(&login.at, ProviderStep::Revoke).expect("offered");
    drive(end.as_ref(), &cx);
    let gone = lab.python(&lab.key_id, &lab.key, &format!("client('iam').get_login_profile(UserName='{user}')"));
    assert!(gone.expect_err("gone").contains("NoSuchEntity"));
    assert!(wait(end.undo(&cx)).is_err(), "a password is gone for good");
    for (at, step) in [(&account.at, ProviderStep::Revoke), (&login.at, ProviderStep::Freeze)] {
        assert!(iam.action(at, step).is_none());
    }
    // Somebody deleted her user meanwhile: there is nothing left to refuse.
    lab.must(&format!(
        "iam = client('iam')\niam.delete_access_key(UserName='{user}', AccessKeyId='{id}')\n\
         for name in iam.list_user_policies(UserName='{user}')['PolicyNames']:\n  \
           iam.delete_user_policy(UserName='{user}', PolicyName=name)\niam.delete_user(UserName='{user}')"
    ));
    assert!(matches!(wait(freeze.observe(&cx)), Ok(Observed::Done(_))));
}

#[test]
fn a_leaver_is_refused_everything_and_has_no_console_password() {
    a_leaver_is_refused_on(&Lab::require().ministack());
}

#[test]
fn a_leaver_is_refused_on_the_other_emulator_too() {
    a_leaver_is_refused_on(&Lab::require().moto());
}

#[test]
fn missing_rights_dead_servers_and_our_own_key_are_named_before_anything_changes() {
    let lab = Lab::require().ministack();
    let name = secret(&lab, &unique("old"));
    let read = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:Get*","secretsmanager:List*","secretsmanager:Describe*"],"Resource":"*"}]}"#;
    let (_, id, key) = user(&lab, read);
    let reader = store(&client(&lab, &id, &key), &name);
    let why = wait(reader.preflight(&target(format!("{name}#password")))).expect_err("may only read");
    assert!(matches!(&why, ActionError::Refused(why) if why.contains("AccessDenied")), "{why}");

    let nowhere = store(&at("http://127.0.0.1:9", "eu-west-1", &id, &key), &name);
    let why = wait(nowhere.preflight(&target(format!("{name}#password")))).expect_err("nobody is there");
    assert!(matches!(&why, ActionError::Unavailable { why, .. } if why.contains("cannot be reached")), "{why}");
    let listed = wait(nowhere.inventory(&mut |_| ControlFlow::Continue(()))).expect_err("nobody is there");
    assert!(listed.to_string().contains("cannot be listed"), "{listed}");

    let own = AwsIam::new("aws-iam", admin(&lab));
    let why = wait(own.preflight(&target(format!("key:root/{}", lab.key_id)))).expect_err("ourselves");
    assert!(matches!(&why, ActionError::Refused(why) if why.contains("itself")), "{why}");
    let dead = AwsIam::new("aws-iam", client(&lab, "AKIAIOSFODNN7NOTTHER", &unique("k")));
    let (owned, coverage) = wait(dead.owned(&leaver("alice"))).expect("an account of it");
    assert!(owned.is_empty() && coverage.is_partial(), "{coverage:?}");
}

/// Systems that remember a value which was found in text.
fn found(value: &SecretValue) -> Systems {
    let mut systems = Systems::default();
    systems.found.insert(fingerprinter().fingerprint(value.expose()), value.clone());
    systems
}

pub(crate) fn rand() -> u128 {
    u128::from_le_bytes(offkey::clock::random())
}
