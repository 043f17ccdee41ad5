//! Issuers over HTTP against the exchanges that they document (`fixtures/issuers/`), and against everything that may come
//! instead: rate limits, faults, web pages, redirects, silence. No request leaves this machine.

mod cases;
mod later;
pub(crate) mod replay;

use std::collections::HashMap;
use std::time::Duration;

use offkey::action::{ActionError, Context, Observed, Retry, ValueRef, wait};
use offkey::finding::Liveness;
use offkey::provider::{HttpIssuer, HttpIssuerSettings, Provider, ProviderStep, Subject};
use offkey::rotation::Systems;
use offkey::rule::RuleSet;
use offkey::secret::SecretValue;

use crate::steps::fingerprinter;
use cases::{Case, File};
use replay::{Answer, Played, Replay};

/// Long enough for any machine.
const PATIENT: Duration = Duration::from_secs(30);

fn context(systems: &Systems) -> Context<'_> {
    Context { op: uuid::Uuid::from_u128(1), values: systems, deadline: PATIENT * 2 }
}

/// What a case did.
struct Outcome {
    liveness: Liveness,
    step: Result<String, ActionError>,
}

impl File {
    fn issuer(&self, server: &Replay, patience: Duration) -> HttpIssuer {
        let settings = HttpIssuerSettings {
            name: "here".to_owned(),
            issuer: self.id.clone(),
            address: Some(server.address.clone()),
            addresses: self.also.iter().map(|name| (name.clone(), server.address.clone())).collect(),
            admin: self.admin().map(SecretValue::from),
            params: self.params.clone(),
            authority: None,
            deadline: patience,
        };
        HttpIssuer::new(settings, fingerprinter()).unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    fn script(&self, case: &Case) -> Vec<Played> {
        let text = |template: &str| self.fill(case, template);
        let played = |call: &cases::Call| Played {
            sent: text(&call.sent),
            carries: call.carries.iter().map(|line| text(line)).collect(),
            answer: Answer::With(call.status, "content-type: application/json\r\n", text(&call.answer)),
        };
        case.call.iter().map(played).collect()
    }

    /// Runs a case against a script. Says what happened and what was not as documented.
    fn run(&self, case: &Case, script: Vec<Played>, patience: Duration) -> (Outcome, Vec<String>) {
        let value = self.value(case);
        let forbidden = [Some(value.clone()), self.admin()].into_iter().flatten().collect();
        let server = Replay::start(script, forbidden);
        let issuer = self.issuer(&server, patience);
        let print = fingerprinter().fingerprint(value.as_bytes());
        let secret = SecretValue::new(value.as_str());
        let mut locator = format!("{}:{print}", case.rule);
        for (name, fact) in &case.facts {
            locator.push_str(&format!(";{name}={fact}"));
        }
        let at = offkey::action::Target { system: "here".to_owned(), locator };
        let mut outcome = Outcome { liveness: Liveness::Unknown(String::new()), step: Ok(String::new()) };
        if case.does == "validate" {
            outcome.liveness = wait(issuer.validate(&at, &secret));
        } else {
            let systems = Systems { found: HashMap::from([(print, secret)]), ..Systems::default() };
            let cx = context(&systems);
            let action = issuer.action(&at, ProviderStep::Revoke).expect("offered");
            outcome.step = wait(action.apply(&cx)).map(|receipt| receipt.facts["revocation"].clone());
        }
        let said = format!("{:?} {:?}", outcome.liveness, outcome.step);
        assert!(!said.contains(&value), "{}: the value is told", self.id);
        (outcome, server.faults())
    }
}

/// Everything about one issuer.
fn contract(id: &str) {
    let file = File::read(id);
    for (number, case) in file.case.iter().enumerate() {
        let (outcome, faults) = file.run(case, file.script(case), PATIENT);
        let name = format!("{id}, case {} ({} {})", number + 1, case.does, case.rule);
        assert!(faults.is_empty(), "{name}: {faults:?}");
        let fits = match case.ends.as_str() {
            "live" => outcome.liveness == Liveness::Live,
            "dead" => matches!(outcome.liveness, Liveness::Dead(_)),
            "unknown" => matches!(outcome.liveness, Liveness::Unknown(_)),
            "done" => outcome.step == Ok("done".to_owned()),
            "gone" => outcome.step == Ok("nothing left to revoke".to_owned()),
            "accepted" => outcome.step == Ok("accepted, then seen".to_owned()),
            "refused" => matches!(outcome.step, Err(ActionError::Refused(_))),
            other => panic!("{name}: nothing ends {other}"),
        };
        assert!(fits, "{name}: {:?} {:?}", outcome.liveness, outcome.step);
    }
    for ends in ["live", "dead"] {
        assert!(file.case.iter().any(|case| case.ends == ends), "{id}: no exchange ends {ends}");
    }
    let issuer = &RuleSet::issuers()[id];
    let revoked =
        file.case.iter().any(|case| case.does == "revoke" && ["done", "accepted"].contains(&case.ends.as_str()));
    assert_eq!(revoked, !issuer.revoke.is_empty(), "{id}: a revocation and its exchange belong together");
    let live = file.case.iter().find(|case| case.ends == "live").expect("seen above");
    proves_nothing(&file, live);
    if let Some(case) = file.case.iter().find(|case| ["done", "accepted"].contains(&case.ends.as_str())) {
        revokes_nothing(&file, case);
    }
    let killed = file.case.iter().filter(|case| ["done", "accepted"].contains(&case.ends.as_str()));
    for case in killed.filter(|case| case.does == "revoke") {
        later::faults(&file, case);
    }
}

#[test]
fn revocations_of_several_calls_are_broken_at_each_later_one() {
    let broken = |id: &&str| {
        let file = File::read(id);
        let killed = file.case.iter().filter(|case| ["done", "accepted"].contains(&case.ends.as_str()));
        killed.map(|case| later::faults(&file, case)).sum::<usize>() >= 9
    };
    let several: Vec<&str> = PLAYED.iter().copied().filter(broken).collect();
    let described =
        RuleSet::issuers().iter().filter(|(_, issuer)| issuer.revoke.iter().any(|table| table.steps.len() > 1));
    assert_eq!(several, described.map(|(id, _)| id.as_str()).collect::<Vec<_>>());
}

#[test]
fn a_second_call_that_is_never_answered_has_an_unknown_outcome() {
    let file = File::read("npm");
    let case = file.case.iter().find(|case| case.ends == "accepted").expect("documented");
    let mut script = file.script(case);
    script.truncate(2);
    script[1].answer = Answer::Silence;
    let (outcome, faults) = file.run(case, script, Duration::from_secs(3));
    assert!(faults.is_empty(), "{faults:?}");
    assert!(matches!(outcome.step, Err(ActionError::Unknown(_))), "{:?}", outcome.step);
}

/// Answers that come from anywhere: none of them may be taken for life or death.
fn strange_answers() -> Vec<(&'static str, Answer)> {
    let json = "content-type: application/json\r\n";
    let html = "<!DOCTYPE html><html><body>Sign in to continue</body></html>".to_owned();
    vec![
        ("forbidden", Answer::With(403, json, "{\"message\":\"Forbidden\"}".to_owned())),
        ("rate limit", Answer::With(429, "retry-after: 7\r\n", "{\"message\":\"slow down\"}".to_owned())),
        ("fault", Answer::With(500, json, "{}".to_owned())),
        ("bad gateway", Answer::With(502, "", "<html>bad gateway</html>".to_owned())),
        ("unavailable", Answer::With(503, "", String::new())),
        ("web page instead of success", Answer::With(200, "content-type: text/html\r\n", html.clone())),
        ("web page instead of a rejection", Answer::With(401, "content-type: text/html\r\n", html)),
        ("redirect", Answer::With(302, "location: http://elsewhere.invalid/login\r\n", String::new())),
    ]
}

fn with_last(file: &File, case: &Case, answer: Answer) -> Vec<Played> {
    // The first request: all that comes before the answer of interest is as documented.
    let mut script = file.script(case);
    script.truncate(1);
    script[0].answer = answer;
    script
}

fn proves_nothing(file: &File, case: &Case) {
    for (name, answer) in strange_answers() {
        let (outcome, faults) = file.run(case, with_last(file, case, answer), PATIENT);
        assert!(faults.is_empty(), "{}, {name}: {faults:?}", file.id);
        assert!(matches!(outcome.liveness, Liveness::Unknown(_)), "{}, {name}: {:?}", file.id, outcome.liveness);
    }
    // A server that never answers is silent for every patience.
    let (outcome, _) = file.run(case, with_last(file, case, Answer::Silence), Duration::from_millis(50));
    assert!(matches!(outcome.liveness, Liveness::Unknown(_)), "{}, silence: {:?}", file.id, outcome.liveness);
}

fn revokes_nothing(file: &File, case: &Case) {
    let looks = case.call[0].sent.starts_with("GET ");
    for (name, answer) in strange_answers() {
        let (outcome, faults) = file.run(case, with_last(file, case, answer), PATIENT);
        assert!(faults.is_empty(), "{}, {name}: {faults:?}", file.id);
        let fits = match (&outcome.step, name) {
            (Err(ActionError::Unavailable { retry_after, .. }), "rate limit") => {
                *retry_after == Some(Duration::from_secs(7))
            }
            (Err(ActionError::Unavailable { .. }), "unavailable" | "redirect") => true,
            // After a look nothing was changed; after a change nobody knows.
            (Err(ActionError::Unavailable { .. }), "fault" | "bad gateway") => looks,
            (
                Err(ActionError::Unknown(_)),
                "fault" | "bad gateway" | "web page instead of success" | "web page instead of a rejection",
            ) => !looks,
            (Err(ActionError::Refused(_)), "forbidden") => true,
            (Err(ActionError::Refused(_)), "web page instead of success" | "web page instead of a rejection") => looks,
            _ => false,
        };
        assert!(fits, "{}, revocation, {name}: {:?}", file.id, outcome.step);
    }
    let (outcome, _) = file.run(case, with_last(file, case, Answer::Silence), Duration::from_millis(50));
    // With so little patience the connection itself may be late: then nothing was sent.
    let fits = matches!(outcome.step, Err(ActionError::Unavailable { .. } | ActionError::Unknown(_)));
    assert!(fits, "{}, revocation, silence: {:?}", file.id, outcome.step);
}

#[test]
fn a_revocation_whose_answer_is_lost_has_an_unknown_outcome() {
    let file = File::read("github");
    let case = file.case.iter().find(|case| case.ends == "accepted").expect("documented");
    let (outcome, faults) = file.run(case, with_last(&file, case, Answer::Silence), Duration::from_secs(3));
    assert!(faults.is_empty(), "{faults:?}");
    assert!(matches!(outcome.step, Err(ActionError::Unknown(_))), "{:?}", outcome.step);
}

macro_rules! contracts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            contract(stringify!($name));
        })*

        /// Issuers that a test above plays.
        const PLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

contracts! {
    airtable anthropic asana atlassian auth0 buildkite circleci cloudflare crates datadog digitalocean discord doppler dropbox fastly gitea github gitlab groq heroku huggingface linear mailgun netlify notion npm okta openai pagerduty pulumi replicate sendgrid sentry slack snyk stripe tailscale terraform twilio vercel
}

#[test]
fn every_issuer_is_played() {
    let described: Vec<&str> = RuleSet::issuers().keys().map(String::as_str).collect();
    let mut played = PLAYED.to_vec();
    played.sort_unstable();
    assert_eq!(described, played);
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md")).expect("docs/providers.md");
    let missing: Vec<&&str> = described.iter().filter(|id| !page.contains(&format!("| `{id}` |"))).collect();
    assert!(missing.is_empty(), "docs/providers.md does not list {missing:?}");
}

#[test]
fn a_token_is_seen_alive_revoked_and_seen_dead() {
    let file = File::read("github");
    let value = file.value(&file.case[0]);
    let secret = SecretValue::new(value.as_str());
    let print = fingerprinter().fingerprint(value.as_bytes());
    let call = |sent: &str, status, answer: &str| Played {
        sent: sent.to_owned(),
        carries: Vec::new(),
        answer: Answer::With(status, "", answer.to_owned()),
    };
    let (alive, dead) = ("{\"login\":\"octocat\"}", "{\"message\":\"Bad credentials\"}");
    let script = vec![
        call("GET /user", 200, alive),
        call("GET /user", 200, alive),
        call("POST /credentials/revoke", 202, "{}"),
        // Accepted is not revoked.
        call("GET /user", 200, alive),
        call("GET /user", 503, ""),
        call("GET /user", 401, dead),
        call("GET /user", 401, dead),
        call("GET /user", 401, dead),
    ];
    let server = Replay::start(script, vec![value.clone()]);
    let issuer = file.issuer(&server, PATIENT);
    let subject = Subject { rule: "github-pat".to_owned(), ..Subject::default() };
    let at = wait(issuer.recognise(&subject, &secret)).expect("answers").expect("ours");
    assert_eq!(at.locator, format!("github-pat:{print}"));
    wait(issuer.preflight(&at)).expect("it may be revoked");
    assert_eq!(wait(issuer.validate(&at, &secret)), Liveness::Live);
    let systems = Systems { found: HashMap::from([(print, secret)]), ..Systems::default() };
    let cx = context(&systems);
    let revoke = issuer.action(&at, ProviderStep::Revoke).expect("offered");
    assert_eq!(revoke.retry(), Retry::Safe);
    assert_eq!(wait(revoke.observe(&cx)), Ok(Observed::NotDone));
    let receipt = wait(revoke.apply(&cx)).expect("accepted and seen");
    assert!(receipt.facts["old value"].starts_with("401 from 127.0.0.1:"), "{receipt:?}");
    assert!(matches!(wait(revoke.observe(&cx)), Ok(Observed::Done(_))));
    let verify = ProviderStep::Verify { new: None, old: ValueRef::found(&print) };
    let receipt = wait(issuer.action(&at, verify).expect("offered").apply(&cx)).expect("dead");
    assert!(receipt.facts["old value"].starts_with("401"), "{receipt:?}");
    assert_eq!(server.faults(), Vec::<String>::new());
}

#[test]
fn a_kept_value_is_recognised_by_its_shape_and_a_guess_only_by_being_accepted() {
    let file = File::read("github");
    let value = file.value(&file.case[0]);
    let server = Replay::start(Vec::new(), vec![value.clone()]);
    let issuer = file.issuer(&server, PATIENT);
    let recognise = |issuer: &HttpIssuer, rule: &str, value: &str| {
        let subject = Subject { rule: rule.to_owned(), ..Subject::default() };
        wait(issuer.recognise(&subject, &SecretValue::new(value))).expect("answers").map(|at| at.locator)
    };
    let kept = recognise(&issuer, "needle:bao:secret/ci#token", &value).expect("by its shape");
    assert!(kept.starts_with("github-pat:fp:"), "{kept}");
    assert_eq!(recognise(&issuer, "needle:bao:secret/ci#token", "correct horse"), None);
    assert_eq!(recognise(&issuer, "gitlab-pat", &value), None);
    assert_eq!(server.faults(), Vec::<String>::new(), "nothing was sent");

    // Two addresses of one issuer: what is rejected here may live there.
    let call = |status: u16, body: &str| Played {
        sent: "GET /user".to_owned(),
        carries: Vec::new(),
        answer: Answer::With(status, "", body.to_owned()),
    };
    let server = Replay::start(vec![call(401, "{}"), call(200, "{\"login\":\"x\"}")], vec![value.clone()]);
    let issuer = file.issuer(&server, PATIENT);
    issuer.is_one_of_many();
    assert_eq!(recognise(&issuer, "github-pat", &value), None);
    assert!(recognise(&issuer, "github-pat", &value).is_some());
    assert_eq!(server.faults(), Vec::<String>::new());
}

/// Values in memory, with one place to stage into.
struct Shelf {
    found: HashMap<offkey::secret::Fingerprint, SecretValue>,
    staged: std::sync::Mutex<Option<SecretValue>>,
}

impl offkey::action::Values for Shelf {
    fn read<'a>(
        &'a self,
        value: &'a ValueRef,
    ) -> offkey::action::Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async move {
            if value.at.system == ValueRef::FOUND {
                return Ok(value.at.locator.parse().ok().and_then(|print| self.found.get(&print).cloned()));
            }
            Ok(self.staged.lock().expect("no panic").clone())
        })
    }

    fn stage<'a>(
        &'a self,
        _: &'a ValueRef,
        value: &'a SecretValue,
    ) -> offkey::action::Pending<'a, Result<(), ActionError>> {
        *self.staged.lock().expect("no panic") = Some(value.clone());
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn a_new_key_is_issued_with_the_scopes_of_the_old_one_and_an_orphan_is_removed_first() {
    let file = File::read("sendgrid");
    let old = file.value(&file.case[0]);
    let new = offkey::rule::expand("SG.<<an:22>>.<<an:43>>", "the new one", None).expect("expands");
    let (id, new_id) = (old.split('.').nth(1).expect("id"), new.split('.').nth(1).expect("id"));
    let op = "offkey-00000000-0000-0000-0000-000000000001";
    let call = |sent: &str, carries: &[&str], status, answer: String| Played {
        sent: sent.to_owned(),
        carries: carries.iter().map(|line| (*line).to_owned()).collect(),
        answer: Answer::With(status, "", answer),
    };
    let create = format!("body: {{\"name\":\"{op}\",\"scopes\":[\"mail.send\"]}}");
    let listed = format!(
        "{{\"result\":[{{\"name\":\"x\",\"api_key_id\":\"k0\"}},{{\"name\":\"{op}\",\"api_key_id\":\"k1\"}}]}}"
    );
    let scopes = "{\"name\":\"ci\",\"scopes\":[\"mail.send\"]}".to_owned();
    let made = format!("{{\"api_key\":\"{new}\",\"api_key_id\":\"{new_id}\",\"name\":\"{op}\"}}");
    let script = vec![
        // An earlier call made a key whose value was lost.
        call("GET /v3/api_keys", &[], 200, listed),
        call("DELETE /v3/api_keys/k1", &[], 204, String::new()),
        call(&format!("GET /v3/api_keys/{id}"), &[], 200, scopes),
        call("POST /v3/api_keys", &[&create], 201, made),
        call("GET /v3/scopes", &[&format!("authorization: Bearer {new}")], 200, "{\"scopes\":[]}".to_owned()),
        // Taken back: found by its name, removed.
        call(
            "GET /v3/api_keys",
            &[],
            200,
            format!("{{\"result\":[{{\"name\":\"{op}\",\"api_key_id\":\"{new_id}\"}}]}}"),
        ),
        call(&format!("DELETE /v3/api_keys/{new_id}"), &[], 204, String::new()),
    ];
    let server = Replay::start(script, vec![old.clone(), new.clone()]);
    let issuer = file.issuer(&server, PATIENT);
    let subject = Subject { rule: "sendgrid-api-key".to_owned(), ..Subject::default() };
    let at = wait(issuer.recognise(&subject, &SecretValue::new(old.as_str()))).expect("answers").expect("ours");
    assert!(at.locator.ends_with(&format!(";key-id={id}")), "{}", at.locator);
    assert!(issuer.issuable(&at));
    let shelf = Shelf { found: HashMap::new(), staged: std::sync::Mutex::new(None) };
    let cx = Context { op: uuid::Uuid::from_u128(1), values: &shelf, deadline: PATIENT * 2 };
    let place = offkey::action::Target { system: "files".to_owned(), locator: ".env#KEY".to_owned() };
    let into = ValueRef { at: place, slot: offkey::action::Slot::Staged(cx.op) };
    let issue = issuer.action(&at, ProviderStep::Issue { into: into.clone() }).expect("offered");
    assert_eq!(issue.retry(), Retry::ReadFirst);
    assert_eq!(wait(issue.observe(&cx)), Ok(Observed::NotDone));
    let receipt = wait(issue.apply(&cx)).expect("issued");
    assert_eq!(
        (receipt.facts["id"].as_str(), receipt.facts["left by an interrupted call"].as_str()),
        (new_id, "removed")
    );
    assert!(matches!(wait(issue.observe(&cx)), Ok(Observed::Done(_))));
    assert!(wait(issue.apply(&cx)).is_ok(), "what is staged is not made twice");
    wait(issuer.action(&at, ProviderStep::Test { new: into }).expect("offered").apply(&cx)).expect("it works");
    wait(issue.undo(&cx)).expect("taken back");
    assert_eq!(server.faults(), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_named_before_anything_is_sent() {
    let settings = |issuer: &str| HttpIssuerSettings {
        name: "x".to_owned(),
        issuer: issuer.to_owned(),
        deadline: PATIENT,
        ..HttpIssuerSettings::default()
    };
    let refused = |settings: HttpIssuerSettings| match HttpIssuer::new(settings, fingerprinter()) {
        Ok(_) => panic!("opened"),
        Err(error) => error.to_string(),
    };
    assert!(refused(settings("nobody")).contains("there is no issuer nobody"));
    assert!(refused(settings("gitea")).contains("address is missing"));
    assert!(refused(settings("cloudflare")).contains("params.account is missing"));
    let clear = HttpIssuerSettings { address: Some("http://git.harbourfinch.example".to_owned()), ..settings("gitea") };
    assert!(refused(clear).contains("clear text"));
    // An administrator's credential is missed when the plan is checked, not in the middle of it.
    let gitea = HttpIssuerSettings { address: Some("http://127.0.0.1:1".to_owned()), ..settings("gitea") };
    let gitea = HttpIssuer::new(gitea, fingerprinter()).expect("opens");
    let at = offkey::action::Target { system: "x".to_owned(), locator: "gitea-token:fp:00".to_owned() };
    let error = wait(gitea.preflight(&at)).expect_err("no administrator");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("admin")), "{error}");
}
