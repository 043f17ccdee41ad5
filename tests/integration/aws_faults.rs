//! Faults at each request of the steps that take more than one, on an emulator: whatever is lost, the step can be looked at, goes on
//! to its end, and what must not end before its turn has not ended. boto3 is the witness.

use offkey::action::{Observed, Target, wait};
use offkey::provider::{AwsIam, Provider, ProviderStep};
use offkey::rotation::Systems;
use offkey::store::{AwsSecrets, Store, StoreStep};

use crate::aws::{admin, at, rand, user};
use crate::aws_front::{Verdict, failing_once};
use crate::lab::{Lab, unique};
use crate::steps::{context, fingerprinter, generate, refusal, version_of};

type Fault = fn() -> Verdict;

/// What fails, and how the step has to call it.
const FAULTS: [(Fault, &str); 5] = [
    (|| Verdict::Answer(429, String::new()), "not available"),
    (|| Verdict::Answer(503, String::new()), "not available"),
    (|| Verdict::Answer(500, String::new()), "outcome unknown"),
    (|| Verdict::Drop, "outcome unknown"),
    (|| Verdict::Lose, "outcome unknown"),
];

const NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;

#[test]
fn the_end_of_an_access_key_survives_a_fault_at_each_of_its_two_requests() {
    let lab = Lab::require().ministack();
    for victim in [&["Action=UpdateAccessKey"][..], &["Action=DeleteAccessKey"]] {
        for (fault, said) in FAULTS {
            let (user, id, key) = user(&lab, NOTHING);
            let url = failing_once(&lab, victim, fault);
            let iam = AwsIam::new("aws-iam", at(&url, &lab.region, &lab.key_id, &lab.key));
            let place = Target { system: "aws-iam".to_owned(), locator: format!("key:{user}/{id}") };
            let values = Systems::default();
            let cx = context(&values, rand());
            let end = iam.action(&place, ProviderStep::Revoke).expect("offered");
            let why = refusal(end.as_ref(), &cx).to_string();
            assert!(why.starts_with(said) && !why.contains(&key), "{victim:?}: {why}");
            if wait(end.observe(&cx)) == Ok(Observed::NotDone) {
                wait(end.apply(&cx)).expect("goes on");
            }
            assert!(matches!(wait(end.observe(&cx)), Ok(Observed::Done(_))), "{victim:?} {said}");
            assert_eq!(lab.whose(&id, &key), Err("InvalidClientTokenId".to_owned()), "{victim:?} {said}");
        }
    }
}

#[test]
fn the_freeze_of_a_user_and_its_undoing_survive_a_fault() {
    let lab = Lab::require().ministack();
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}]}"#;
    let (user, id, key) = user(&lab, all);
    let place = Target { system: "aws-iam".to_owned(), locator: format!("user:{user}") };
    let list = "print(len(client('iam').list_users()['Users']))";
    let values = Systems::default();
    for (fault, said) in FAULTS {
        let cx = context(&values, rand());
        let with =
            |victim| AwsIam::new("aws-iam", at(&failing_once(&lab, victim, fault), &lab.region, &lab.key_id, &lab.key));
        let iam = with(&["Action=PutUserPolicy"]);
        let freeze = iam.action(&place, ProviderStep::Freeze).expect("offered");
        let why = refusal(freeze.as_ref(), &cx).to_string();
        assert!(why.starts_with(said), "{why}");
        wait(freeze.apply(&cx)).expect("goes on");
        assert!(lab.python(&id, &key, list).expect_err("refused").contains("AccessDenied"));
        let iam = with(&["Action=DeleteUserPolicy"]);
        let freeze = iam.action(&place, ProviderStep::Freeze).expect("offered");
        let why = wait(freeze.undo(&cx)).expect_err("fails").to_string();
        assert!(why.starts_with(said), "{why}");
        wait(freeze.undo(&cx)).expect("taken back");
        lab.python(&id, &key, list).expect("works again");
    }
}

/// A secret's field goes from stage to retire, and each changing request of the way fails once, at its first and its later calls.
#[test]
fn a_rotation_in_secrets_manager_survives_a_fault_at_each_changing_request() {
    let lab = Lab::require().ministack();
    let put: &[&str] = &["secretsmanager.PutSecretValue"];
    let current: &[&str] = &["UpdateSecretVersionStage", "\"AWSCURRENT\"", "MoveToVersionId"];
    let pending: &[&str] = &["UpdateSecretVersionStage", "\"AWSPENDING\""];
    let previous: &[&str] = &["UpdateSecretVersionStage", "\"AWSPREVIOUS\""];
    for (number, victim) in [put, current, pending, previous].into_iter().enumerate() {
        for (fault, said) in FAULTS {
            let (name, old) = (format!("{}/db", unique("flt")), unique("old"));
            lab.must(&format!(
                "client('secretsmanager').create_secret(Name='{name}', SecretString='{{\"password\": \"{old}\", \"port\": 5432}}')"
            ));
            let expect = {
                let calm = AwsSecrets::new("aws", admin(&lab), vec![name.clone()], fingerprinter());
                version_of(&calm, &Target { system: "aws".to_owned(), locator: format!("{name}#password") })
            };
            let url = failing_once(&lab, victim, fault);
            let aws = at(&url, &lab.region, &lab.key_id, &lab.key);
            let store = AwsSecrets::new("aws", aws, vec![name.clone()], fingerprinter());
            let place = Target { system: "aws".to_owned(), locator: format!("{name}#password") };
            let values = Systems::default();
            let cx = context(&values, rand());
            let steps = [
                generate(),
                StoreStep::Promote { expect: expect.clone() },
                StoreStep::Retire { replaced: expect.clone() },
            ];
            let mut failed = Vec::new();
            for step in steps {
                let action = store.action(&place, step);
                assert_eq!(wait(action.observe(&cx)), Ok(Observed::NotDone));
                if let Err(error) = wait(action.apply(&cx)) {
                    assert!(!error.to_string().contains(&old), "{error}");
                    failed.push(error);
                    if wait(action.observe(&cx)) == Ok(Observed::NotDone) {
                        wait(action.apply(&cx)).expect("goes on");
                    }
                }
                assert!(matches!(wait(action.observe(&cx)), Ok(Observed::Done(_))), "{victim:?} {said}");
            }
            assert_eq!(failed.len(), 1, "{number} {said}: {failed:?}");
            assert!(failed[0].to_string().starts_with(said), "{victim:?}: {}", failed[0]);
            let now = lab.must(&format!(
                "sm = client('secretsmanager')\nprint(sm.get_secret_value(SecretId='{name}')['SecretString'], \
                 sm.describe_secret(SecretId='{name}')['VersionIdsToStages'])"
            ));
            assert!(
                !now.contains(&old) && now.contains("5432") && !now.contains("AWSPREVIOUS"),
                "{victim:?} {said}: {now}"
            );
        }
    }
}
