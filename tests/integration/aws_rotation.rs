//! Secrets that AWS rotates itself. The store, its signatures and rights are an emulator's; no emulator runs the function, so a
//! front before it takes `RotateSecret` and plays the function as its pages describe it: a pending version under the token of the
//! request, the change at the target, `AWSCURRENT` at the end. boto3 and psql are the witnesses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offkey::action::{ActionError, Context, Observed, Slot, Target, wait};
use offkey::rotation::Systems;
use offkey::store::{AwsSecrets, Store, StoreStep, Turn};
use serde_json::{Value, json};

use crate::aws::{admin, at, client, rand, user};
use crate::aws_front::{Verdict, front};
use crate::lab::{self, Lab, unique};
use crate::steps::{context, drive, fingerprinter, generate, inventory, refusal, version_of};

/// What the function does when it is called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plays {
    /// A new password for the same user.
    OneUser,
    /// A new password for the other of two users.
    TwoUsers,
    /// It makes the pending version and goes on working.
    Slowly,
    /// It does its work, and the answer to the request is lost.
    OneUserUnheard,
    /// The service answers this, and calls nobody.
    Answers(u16, &'static str),
}

/// A front before an emulator.
struct Front {
    url: String,
    plays: Arc<Mutex<Plays>>,
    /// Tokens of the rotations that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Front {
    fn before(behind: &lab::Aws, plays: Plays) -> Self {
        let (plays, asked, numbers) =
            (Arc::new(Mutex::new(plays)), Arc::<Mutex<Vec<String>>>::default(), AtomicUsize::new(0));
        let (now, tokens) = (Arc::clone(&plays), Arc::clone(&asked));
        let lab = Lab::require().ministack();
        let url = front(behind, move |head, body| {
            if !head.to_lowercase().contains("secretsmanager.rotatesecret") {
                return Verdict::Pass;
            }
            let ask: Value = serde_json::from_slice(body).expect("JSON");
            assert_ne!(ask["RotateImmediately"], false);
            let text = |name: &str| ask[name].as_str().expect(name).to_owned();
            let (name, token) = (text("SecretId"), text("ClientRequestToken"));
            tokens.lock().expect("lock").push(token.clone());
            let plays = *now.lock().expect("lock");
            function(&lab, plays, &name, &token, numbers.fetch_add(1, Ordering::SeqCst));
            match plays {
                Plays::OneUserUnheard => Verdict::Drop,
                Plays::Answers(status, code) => {
                    Verdict::Answer(status, json!({ "__type": code, "message": "not now" }).to_string())
                }
                _ => Verdict::Answer(200, json!({ "Name": name, "VersionId": token }).to_string()),
            }
        });
        Self { url, plays, asked }
    }

    fn store(&self, lab: &lab::Aws, prefix: &str) -> AwsSecrets {
        let aws = at(&self.url, &lab.region, &lab.key_id, &lab.key);
        AwsSecrets::new("aws", aws, vec![prefix.to_owned()], fingerprinter())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("lock").clone()
    }

    fn now_plays(&self, plays: Plays) {
        *self.plays.lock().expect("lock") = plays;
    }
}

/// The four steps of a rotation function, at once. A secret that names a role of PostgreSQL has its password changed there.
fn function(lab: &lab::Aws, plays: Plays, name: &str, token: &str, number: usize) {
    let finish = match plays {
        Plays::Answers(..) => return,
        Plays::Slowly => "",
        _ => FINISH,
    };
    let other = if plays == Plays::TwoUsers { OTHER_USER } else { "" };
    let fresh = unique(&format!("made{number}"));
    let made = lab.must(&format!(
        "import json\nsm = client('secretsmanager'); name = '{name}'; token = '{token}'\n\
         now = json.loads(sm.get_secret_value(SecretId=name)['SecretString'])\n\
         now['password'] = '{fresh}'\n{other}\
         sm.put_secret_value(SecretId=name, ClientRequestToken=token, SecretString=json.dumps(now), VersionStages=['AWSPENDING'])\n\
         print(now['username'])\n{finish}"
    ));
    let role = made.lines().next().expect("a user").trim();
    if role.starts_with("role") {
        Lab::require().postgres().sql(&format!("ALTER ROLE {role} PASSWORD '{fresh}'"));
    }
}

const OTHER_USER: &str = "u = now['username']; now['username'] = u[:-6] if u.endswith('_clone') else u + '_clone'\n";
const FINISH: &str = "held = sm.describe_secret(SecretId=name)['VersionIdsToStages']\n\
    current = [v for v in held if 'AWSCURRENT' in held[v]][0]\n\
    sm.update_secret_version_stage(SecretId=name, VersionStage='AWSCURRENT', MoveToVersionId=token, RemoveFromVersionId=current)\n\
    sm.update_secret_version_stage(SecretId=name, VersionStage='AWSPENDING', RemoveFromVersionId=token)\n";

/// A secret with its rotation switched on; name, user, password.
fn secret(lab: &lab::Aws, user: &str) -> (String, String) {
    let (name, old) = (format!("{}/db", unique("rot")), unique("old"));
    let text = json!({ "username": user, "password": old, "engine": "postgres" });
    // moto looks for the function before it notes it.
    lab.must(&format!(
        "sm = client('secretsmanager')\nsm.create_secret(Name='{name}', SecretString='{text}')\n\
         rules = {{'AutomaticallyAfterDays': 30}}; arn = 'arn:aws:lambda:eu-west-1:000000000000:function:rotate'\n\
         try: sm.rotate_secret(SecretId='{name}', RotationRules=rules, RotationLambdaARN=arn)\n\
         except botocore.exceptions.ClientError: sm.rotate_secret(SecretId='{name}', RotationRules=rules)\n\
         sm.put_secret_value(SecretId='{name}', SecretString='{text}')"
    ));
    (name, old)
}

/// Password and user under a label; the error code when there is none.
fn seen(lab: &lab::Aws, name: &str, label: &str) -> Result<(String, String), String> {
    let script = format!(
        "print(client('secretsmanager').get_secret_value(SecretId='{name}', VersionStage='{label}')['SecretString'])"
    );
    let text = lab.python(&lab.key_id, &lab.key, &script)?;
    let entry: Value = serde_json::from_str(&text).expect("JSON");
    let field = |name: &str| entry[name].as_str().expect("text").to_owned();
    Ok((field("password"), field("username")))
}

fn labels(lab: &lab::Aws, name: &str) -> Value {
    let script = format!(
        "import json\nprint(json.dumps(client('secretsmanager').describe_secret(SecretId='{name}')['VersionIdsToStages']))"
    );
    serde_json::from_str(&lab.must(&script)).expect("JSON")
}

fn place(name: &str) -> Target {
    Target { system: "aws".to_owned(), locator: format!("{name}#password") }
}

fn rotate(replaced: &str, turn: Turn) -> StoreStep {
    StoreStep::Rotate { replaced: replaced.to_owned(), turn }
}

/// A context whose calls may take two seconds: a try waits half of that for the function.
fn hasty<'a>(values: &'a Systems, op: u128) -> Context<'a> {
    Context { deadline: Duration::from_secs(2), ..context(values, op) }
}

#[test]
fn the_function_of_a_secret_rotates_it_and_nothing_is_written_beside_it() {
    let lab = Lab::require().ministack();
    let front = Front::before(&lab, Plays::OneUser);
    let (name, old) = secret(&lab, "shop");
    let (store, at) = (front.store(&lab, &name), place(&name));
    wait(store.preflight(&at)).expect("allowed");
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());

    let staged = store.action(&at, generate());
    assert!(matches!(wait(staged.observe(&cx)), Ok(Observed::Conflict(why)) if why.contains("rotates")));
    let receipt = drive(store.action(&at, rotate(&expect, Turn::First)).as_ref(), &cx);
    let (new, user) = seen(&lab, &name, "AWSCURRENT").expect("there");
    assert!(new.starts_with("made0") && user == "shop", "{new} {user}");
    assert_eq!(front.asked(), [receipt.facts["token"].clone()], "asked once, under the token of the receipt");
    assert_eq!(receipt.facts["version"], receipt.facts["token"]);
    let last = store.action(&at, rotate(&expect, Turn::Last));
    assert!(matches!(wait(last.observe(&cx)), Ok(Observed::Done(_))), "one user: its old password is gone");

    let kept =
        wait(store.read(&at, &Slot::Version(expect.clone()))).expect("readable").expect("kept for the last probe");
    assert_eq!(kept.expose(), old.as_bytes());
    drive(store.action(&at, StoreStep::Retire { replaced: expect }).as_ref(), &cx);
    assert!(seen(&lab, &name, "AWSPREVIOUS").is_err_and(|code| code.contains("ResourceNotFound")));
    let labels = labels(&lab, &name);
    assert_eq!(labels.as_object().expect("versions").len(), 1, "no label leads to the old value: {labels}");
    assert!(wait(store.action(&at, rotate("x@y", Turn::First)).undo(&cx)).is_err(), "a rotation cannot be taken back");
}

#[test]
fn where_two_users_take_turns_the_second_rotation_ends_the_old_password() {
    let lab = Lab::require().ministack();
    let front = Front::before(&lab, Plays::TwoUsers);
    let (name, old) = secret(&lab, "shop");
    let (store, at) = (front.store(&lab, &name), place(&name));
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());
    drive(store.action(&at, rotate(&expect, Turn::First)).as_ref(), &cx);
    assert_eq!(seen(&lab, &name, "AWSCURRENT").expect("there").1, "shop_clone");
    // A sweep that comes now sees that two users take turns, and by which value the leaver still gets in.
    let before = inventory(&store).into_iter().find(|held| held.slot != Slot::Current).expect("the version before");
    assert!(
        before.hints.iter().any(|(name, text)| name == "own-rotation" && text == "two-users"),
        "{:?}",
        before.hints
    );

    drive(store.action(&at, rotate(&expect, Turn::Last)).as_ref(), &cx);
    let (now, user) = seen(&lab, &name, "AWSCURRENT").expect("there");
    assert!(user == "shop" && now.starts_with("made1") && now != old, "{user} {now}");
    assert_eq!(front.asked().len(), 2);
    let kept =
        wait(store.read(&at, &Slot::Version(expect.clone()))).expect("readable").expect("kept for the last probe");
    assert_eq!(kept.expose(), old.as_bytes());
    drive(store.action(&at, StoreStep::Retire { replaced: expect }).as_ref(), &cx);
    assert_eq!(seen(&lab, &name, "AWSPREVIOUS").expect("there").1, "shop_clone", "what the leaver never knew stays");
}

#[test]
fn a_rotation_that_goes_on_is_waited_for_and_never_started_again() {
    let lab = Lab::require().ministack();
    let front = Front::before(&lab, Plays::Slowly);
    let (name, _) = secret(&lab, "shop");
    let (store, at) = (front.store(&lab, &name), place(&name));
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = hasty(&values, rand());
    let first = store.action(&at, rotate(&expect, Turn::First));
    for _ in 0..2 {
        let why = refusal(first.as_ref(), &cx);
        assert!(matches!(&why, ActionError::Unknown(why) if why.contains("is pending")), "{why}");
    }
    // Neither done nor undone: an undo that asks must not be told that nothing happened.
    let looked = wait(first.observe(&cx)).expect_err("at work");
    assert!(matches!(looked, ActionError::Unavailable { .. }), "{looked}");
    wait(store.preflight(&at)).expect("our own rotation is none of somebody else");
    assert_eq!(front.asked().len(), 1, "started once");

    let impatient = front.store(&lab, &name).rotation_within(Duration::ZERO);
    let stuck = wait(impatient.action(&at, rotate(&expect, Turn::First)).observe(&cx)).expect_err("too late");
    let token = front.asked().remove(0);
    let command = format!(
        "--version-stage AWSPENDING --remove-from-version-id {token} --region eu-west-1 && aws secretsmanager rotate-secret --secret-id {name} "
    );
    assert!(
        matches!(&stuck, ActionError::Stuck(todo) if todo.contains(&command) && todo.contains("offkey resume")),
        "{stuck}"
    );

    lab.must(&format!("sm = client('secretsmanager'); name = '{name}'; token = '{token}'\n{FINISH}"));
    assert!(matches!(wait(first.observe(&cx)), Ok(Observed::Done(_))));
}

#[test]
fn limits_faults_and_lost_answers_leave_a_rotation_that_can_go_on() {
    let lab = Lab::require().ministack();
    let front = Front::before(&lab, Plays::Answers(400, "ThrottlingException"));
    let (name, _) = secret(&lab, "shop");
    let (store, at) = (front.store(&lab, &name), place(&name));
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = hasty(&values, rand());
    let first = store.action(&at, rotate(&expect, Turn::First));
    for (plays, expected) in [
        (Plays::Answers(400, "ThrottlingException"), "not available"),
        (Plays::Answers(503, "ServiceUnavailable"), "not available"),
        (Plays::Answers(500, "InternalServiceError"), "outcome unknown"),
        (Plays::Answers(400, "InvalidRequestException"), "refused"),
        (Plays::OneUserUnheard, "outcome unknown"),
    ] {
        front.now_plays(plays);
        assert_eq!(wait(first.observe(&cx)), Ok(Observed::NotDone), "before {plays:?}");
        let why = refusal(first.as_ref(), &cx).to_string();
        assert!(why.starts_with(expected), "{plays:?}: {why}");
    }
    assert!(matches!(wait(first.observe(&cx)), Ok(Observed::Done(_))), "what nobody heard is looked up");
    let marks = labels(&lab, &name).to_string().matches("offkey-").count();
    assert_eq!(marks, 1, "one mark, however often it was tried");
}

#[test]
fn what_somebody_else_does_to_the_secret_is_told_apart() {
    let lab = Lab::require().ministack();
    let front = Front::before(&lab, Plays::OneUser);
    let (name, _) = secret(&lab, "shop");
    let (store, at) = (front.store(&lab, &name), place(&name));
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());
    let first = store.action(&at, rotate(&expect, Turn::First));
    let put = |labels: &str| {
        lab.must(&format!(
            "client('secretsmanager').put_secret_value(SecretId='{name}', \
             SecretString='{{\"username\": \"shop\", \"password\": \"by-somebody-else\"}}'{labels})"
        ));
    };
    put(", VersionStages=['AWSPENDING']");
    let why = wait(store.preflight(&at)).expect_err("somebody rotates it");
    assert!(why.to_string().contains("aws secretsmanager update-secret-version-stage"), "{why}");
    assert!(matches!(wait(first.observe(&cx)), Ok(Observed::Conflict(why)) if why.contains("somebody else")));
    put("");
    let why = refusal(first.as_ref(), &cx);
    assert!(matches!(&why, ActionError::Conflict(why) if why.contains("changed by somebody else")), "{why}");
    assert!(front.asked().is_empty(), "nothing was started over it");
}

#[test]
fn a_function_that_ends_without_a_new_value_is_not_believed() {
    // Neither emulator runs a function: ministack makes a version with the same text current, moto one without any.
    for (lab, what) in [(Lab::require().ministack(), "another value"), (Lab::require().moto(), "a value")] {
        let (name, old) = secret(&lab, "shop");
        let store = AwsSecrets::new("aws", admin(&lab), vec![name.clone()], fingerprinter());
        let at = place(&name);
        let expect = version_of(&store, &at);
        let values = Systems::default();
        let first = store.action(&at, rotate(&expect, Turn::First));
        let why = refusal(first.as_ref(), &context(&values, rand()));
        assert!(matches!(&why, ActionError::Stuck(todo) if todo.contains(&format!("without {what}:"))), "{why}");
        assert!(
            why.to_string().contains("aws secretsmanager rotate-secret") && !why.to_string().contains(&old),
            "{why}"
        );
    }
}

#[test]
fn without_the_right_to_rotate_nothing_is_changed() {
    let lab = Lab::require().ministack();
    let (name, old) = secret(&lab, "shop");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:Get*","secretsmanager:List*","secretsmanager:Describe*","secretsmanager:UpdateSecretVersionStage"],"Resource":"*"}]}"#;
    let (_, id, key) = user(&lab, policy);
    let store = AwsSecrets::new("aws", client(&lab, &id, &key), vec![name.clone()], fingerprinter());
    let at = place(&name);
    let expect = version_of(&store, &at);
    let values = Systems::default();
    let cx = context(&values, rand());
    let first = store.action(&at, rotate(&expect, Turn::First));
    let why = refusal(first.as_ref(), &cx);
    assert!(matches!(&why, ActionError::Refused(why) if why.contains("AccessDenied")), "{why}");
    assert_eq!(wait(first.observe(&cx)), Ok(Observed::NotDone));
    assert_eq!(seen(&lab, &name, "AWSCURRENT").expect("there").0, old);
}
