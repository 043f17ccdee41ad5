//! Sessions of roles that a leaver may have begun, on an emulator that judges sessions by the time they were begun. boto3 is the
//! witness.

use std::time::{Duration, Instant};

use offkey::action::{ActionError, Observed, Target, wait};
use offkey::finding::Liveness;
use offkey::provider::{AwsIam, Owned, Provider, ProviderStep};
use offkey::rotation::Systems;
use offkey::source::Coverage;

use crate::aws::{admin, at, client, leaver, rand, user};
use crate::aws_front::{Verdict, failing_once};
use crate::lab::{self, Lab, unique};
use crate::steps::{context, drive, refusal};

const ASSUMES: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}"#;

/// A role that may list users; `principal` says who may assume it. Its name.
fn role(lab: &lab::Aws, principal: &str) -> String {
    let name = unique("deploy");
    lab.must(&format!(
        "import json\niam = client('iam')\naccount = client('sts').get_caller_identity()['Account']\n\
         trust = {{'Version': '2012-10-17', 'Statement': [{{'Effect': 'Allow', 'Action': 'sts:AssumeRole', \
            'Principal': {principal}}}]}}\n\
         trust = json.dumps(trust).replace('ACCOUNT', account)\n\
         iam.create_role(RoleName='{name}', AssumeRolePolicyDocument=trust)\n\
         may = {{'Version': '2012-10-17', 'Statement': [{{'Effect': 'Allow', 'Action': 'iam:ListUsers', 'Resource': '*'}}]}}\n\
         iam.put_role_policy(RoleName='{name}', PolicyName='may', PolicyDocument=json.dumps(may))"
    ));
    name
}

/// A session of the role as the constructor's arguments of boto3.
fn begin(lab: &lab::Aws, (id, key): (&str, &str), role: &str) -> Result<String, String> {
    let script = format!(
        "me = client('sts').get_caller_identity()['Account']\n\
         s = client('sts').assume_role(RoleArn=f'arn:aws:iam::{{me}}:role/{role}', RoleSessionName='at-work')['Credentials']\n\
         print(f\"aws_access_key_id='{{s['AccessKeyId']}}', aws_secret_access_key='{{s['SecretAccessKey']}}', \
            aws_session_token='{{s['SessionToken']}}'\")"
    );
    lab.python(id, key, &script)
}

/// Whether a session still may what its role may.
fn works(lab: &lab::Aws, session: &str) -> Result<String, String> {
    lab.python("x", "x", &format!("print(len(boto3.client('iam', {session}).list_users()['Users']))"))
}

fn listed(iam: &AwsIam, user: &str) -> (Vec<Owned>, Coverage) {
    wait(iam.owned(&leaver(user))).expect("listed")
}

fn of_role<'o>(owned: &'o [Owned], role: &str) -> Option<&'o Owned> {
    owned.iter().find(|one| one.at.locator.starts_with(&format!("role:{role}/")))
}

fn place(locator: String) -> Target {
    Target { system: "aws-iam".to_owned(), locator }
}

#[test]
fn a_session_that_was_begun_before_is_refused_and_a_new_one_is_not() {
    let lab = Lab::require().ministack();
    let (alice, id, key) = user(&lab, ASSUMES);
    let (bob, bobs_id, bobs_key) = user(&lab, ASSUMES);
    let role =
        role(&lab, &format!("{{'AWS': ['arn:aws:iam::ACCOUNT:user/{alice}', 'arn:aws:iam::ACCOUNT:user/{bob}']}}"));
    let session = begin(&lab, (&id, &key), &role).expect("she may assume it");
    works(&lab, &session).expect("works before");

    let iam = AwsIam::new("aws-iam", admin(&lab));
    let (owned, coverage) = listed(&iam, &alice);
    let found = of_role(&owned, &role).expect("found by its trust policy");
    assert!(found.reason.contains("names the user") && found.facts.contains_key("freeze"), "{found:?}");
    assert!(format!("{coverage:?}").contains("other accounts"), "{coverage:?}");
    wait(iam.preflight(&found.at)).expect("allowed");
    let values = Systems::default();
    let cx = context(&values, rand());
    let end = iam.action(&found.at, ProviderStep::Freeze).expect("offered");
    // As long as she can begin a new session, the end of the old ones proves nothing.
    assert_eq!(wait(end.observe(&cx)), Ok(Observed::NotDone));
    let early = refusal(end.as_ref(), &cx);
    assert!(matches!(&early, ActionError::Unavailable { why, .. } if why.contains("the user comes first")), "{early}");
    let account = place(format!("user:{alice}"));
    drive(iam.action(&account, ProviderStep::Freeze).expect("offered").as_ref(), &cx);
    works(&lab, &session).expect("the session outlives its user's rights");

    drive(end.as_ref(), &cx);
    let refused = works(&lab, &session).expect_err("refused");
    assert!(refused.contains("AccessDenied"), "{refused}");
    assert!(begin(&lab, (&id, &key), &role).is_err(), "nor can she begin another one");
    let late = Instant::now() + Duration::from_secs(20);
    while begin(&lab, (&bobs_id, &bobs_key), &role).and_then(|session| works(&lab, &session)).is_err() {
        assert!(Instant::now() < late, "others begin new sessions");
    }
    let (again, _) = listed(&iam, &alice);
    let seen = of_role(&again, &role).expect("still hers");
    assert!(matches!(seen.liveness, Liveness::Dead(_)), "a second sweep sees it: {seen:?}");

    wait(end.undo(&cx)).expect("taken back");
    works(&lab, &session).expect("works again");
    assert_eq!(wait(end.observe(&cx)), Ok(Observed::NotDone));
    drive(end.as_ref(), &cx);
    lab.must(&format!(
        "iam = client('iam')\nfor p in iam.list_role_policies(RoleName='{role}')['PolicyNames']:\n  \
           iam.delete_role_policy(RoleName='{role}', PolicyName=p)\niam.delete_role(RoleName='{role}')"
    ));
    assert!(matches!(wait(end.observe(&cx)), Ok(Observed::Done(_))), "a role that is gone has no sessions");
    assert!(iam.action(&found.at, ProviderStep::Revoke).is_none());
}

#[test]
fn roles_that_leave_it_to_the_account_are_found_by_the_users_rights() {
    let lab = Lab::require().ministack();
    let role = role(&lab, "{'AWS': 'arn:aws:iam::ACCOUNT:root'}");
    let iam = AwsIam::new("aws-iam", admin(&lab));
    let (may, ..) = user(&lab, ASSUMES);
    let (owned, _) = listed(&iam, &may);
    assert!(of_role(&owned, &role).is_some_and(|one| one.reason.contains("policies let it")), "{owned:?}");
    let nothing = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:List*","Resource":"*"}]}"#;
    let (may_not, ..) = user(&lab, nothing);
    assert!(of_role(&listed(&iam, &may_not).0, &role).is_none());
    // Once the user is refused everything, a simulation says nothing about before, which is told.
    let values = Systems::default();
    let cx = context(&values, rand());
    drive(iam.action(&place(format!("user:{may}")), ProviderStep::Freeze).expect("offered").as_ref(), &cx);
    let (owned, coverage) = listed(&iam, &may);
    assert!(of_role(&owned, &role).is_none());
    assert!(format!("{coverage:?}").contains("nobody can tell"), "{coverage:?}");
    let named = AwsIam::new("aws-iam", admin(&lab)).with_roles(vec![role.clone()]);
    assert!(of_role(&listed(&named, &may).0, &role).is_some_and(|one| one.facts.contains_key("freeze")));
}

#[test]
fn a_role_that_services_assume_too_is_a_persons_to_decide_about() {
    let lab = Lab::require().ministack();
    let (alice, ..) = user(&lab, ASSUMES);
    let role = role(&lab, &format!("{{'AWS': 'arn:aws:iam::ACCOUNT:user/{alice}', 'Service': 'ec2.amazonaws.com'}}"));
    let iam = AwsIam::new("aws-iam", admin(&lab));
    let (owned, _) = listed(&iam, &alice);
    let found = of_role(&owned, &role).expect("found");
    let todo = found.facts.get("by hand").expect("for a person");
    assert!(todo.contains("ec2.amazonaws.com") && !found.facts.contains_key("freeze"), "{found:?}");
    let named = AwsIam::new("aws-iam", admin(&lab)).with_roles(vec![role.clone()]);
    let (owned, _) = listed(&named, &alice);
    assert!(of_role(&owned, &role).is_some_and(|one| one.facts.contains_key("freeze")), "{owned:?}");
}

#[test]
fn missing_rights_limits_and_lost_answers_are_told_apart() {
    let lab = Lab::require().ministack();
    let (alice, ..) = user(&lab, ASSUMES);
    let role = role(&lab, &format!("{{'AWS': 'arn:aws:iam::ACCOUNT:user/{alice}'}}"));
    let at_role = place(format!("role:{role}/{alice}"));
    let reads =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}"#;
    let (_, id, key) = user(&lab, reads);
    let reader = AwsIam::new("aws-iam", client(&lab, &id, &key));
    let why = wait(reader.preflight(&at_role)).expect_err("may only read");
    assert!(matches!(&why, ActionError::Refused(why) if why.contains("AccessDenied")), "{why}");
    let gone = wait(AwsIam::new("aws-iam", admin(&lab)).preflight(&place(format!("role:no-{role}/{alice}"))));
    assert!(matches!(gone, Err(ActionError::Conflict(_))), "{gone:?}");

    let values = Systems::default();
    let cx = context(&values, rand());
    let freeze = AwsIam::new("aws-iam", admin(&lab));
    drive(freeze.action(&place(format!("user:{alice}")), ProviderStep::Freeze).expect("offered").as_ref(), &cx);
    type Fault = fn() -> Verdict;
    let faults: [(Fault, &str, bool); 5] = [
        (|| Verdict::Answer(400, xml("Throttling")), "not available", false),
        (|| Verdict::Answer(503, xml("ServiceUnavailable")), "not available", false),
        (|| Verdict::Answer(500, xml("ServiceFailure")), "outcome unknown", false),
        (|| Verdict::Drop, "outcome unknown", false),
        (|| Verdict::Lose, "outcome unknown", true),
    ];
    for (fault, expected, done) in faults {
        let url = failing_once(&lab, &["Action=PutRolePolicy"], fault);
        let iam = AwsIam::new("aws-iam", at(&url, &lab.region, &lab.key_id, &lab.key));
        let end = iam.action(&at_role, ProviderStep::Freeze).expect("offered");
        assert_eq!(wait(end.observe(&cx)), Ok(Observed::NotDone));
        let why = refusal(end.as_ref(), &cx).to_string();
        assert!(why.starts_with(expected), "{expected}: {why}");
        let seen = wait(end.observe(&cx)).expect("looked");
        assert_eq!(matches!(seen, Observed::Done(_)), done, "{why}: {seen:?}");
    }
}

fn xml(code: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>")
}

#[test]
fn the_policy_is_written_on_the_other_emulator_too() {
    let lab = Lab::require().moto();
    let (alice, ..) = user(&lab, ASSUMES);
    let role = role(&lab, &format!("{{'AWS': 'arn:aws:iam::ACCOUNT:user/{alice}'}}"));
    let iam = AwsIam::new("aws-iam", admin(&lab));
    let (owned, _) = listed(&iam, &alice);
    let found = of_role(&owned, &role).expect("found by its trust policy");
    let values = Systems::default();
    let cx = context(&values, rand());
    drive(iam.action(&place(format!("user:{alice}")), ProviderStep::Freeze).expect("offered").as_ref(), &cx);
    let end = iam.action(&found.at, ProviderStep::Freeze).expect("offered");
    drive(end.as_ref(), &cx);
    let policy = format!("offkey-left-{alice}");
    let script = format!(
        "p = client('iam').get_role_policy(RoleName='{role}', PolicyName='{policy}')['PolicyDocument']['Statement'][0]\n\
         print(p['Effect'], p['Action'], list(p['Condition']['DateLessThan']))"
    );
    assert_eq!(lab.must(&script), "Deny * ['aws:TokenIssueTime']");
    wait(end.undo(&cx)).expect("taken back");
    assert!(lab.python(&lab.key_id, &lab.key, &script).expect_err("gone").contains("NoSuchEntity"));
}
