//! Credentials of Jenkins on loopback, by the documented rules: the secret is redacted in what is shown, what is posted replaces
//! the whole credential, a post needs a crumb.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use offkey::action::{ActionError, Observed, Target, wait};
use offkey::secret::SecretValue;
use offkey::store::{Blind, Overwrite, Rest, Store, StoreStep, jenkins_credentials};
use serde_json::{Value, json};

use super::forge::Fault;
use crate::issuers::replay::request;
use crate::lab::unique;
use crate::steps::{context, drive, refusal, values};

const TOKEN: &str = "the-word-of-the-operator";
const CRUMB: &str = "crumb-0123456789";
const BASE: &str = "/jenkins/job/team/job/shop/credentials/store/folder/domain/_";

/// One credential: its XML with `{}` for each secret, and the secrets.
struct Credential {
    form: String,
    secrets: Vec<String>,
}

struct Jenkins {
    all: BTreeMap<String, Credential>,
    /// Whether posts need a crumb.
    guarded: bool,
    fault: Option<(usize, Fault)>,
    posts: usize,
}

struct Server {
    address: String,
    state: Arc<Mutex<Jenkins>>,
}

fn password(description: &str, value: &str) -> Credential {
    let class = "com.cloudbees.plugins.credentials.impl.UsernamePasswordCredentialsImpl";
    let form = format!(
        "<{class} plugin=\"credentials@1.0\">\n  <scope>GLOBAL</scope>\n  <id>shop-db</id>\n{description}  <username>shop</username>\n  \
         <password>\n    {{}}\n  </password>\n</{class}>"
    );
    Credential { form, secrets: vec![value.to_owned()] }
}

impl Credential {
    fn shown(&self) -> String {
        self.form.replace("{}", "<secret-redacted/>")
    }

    /// What is posted: everything around the secrets is kept as it comes, a redacted secret is an empty one.
    fn posted(body: &str) -> Option<Self> {
        let mut form = String::new();
        let mut secrets = Vec::new();
        let mut rest = body;
        for (open, close) in [("<password>", "</password>"), ("<passphrase>", "</passphrase>")] {
            let Some((before, inside)) = rest.split_once(open) else { continue };
            let (inside, after) = inside.split_once(close)?;
            let text = inside.trim().replace("<secret-redacted/>", "");
            let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&#13;", "\r").replace("&amp;", "&");
            form.push_str(&format!("{before}{open}\n    {{}}\n  {close}"));
            secrets.push(text);
            rest = after;
        }
        Some(Self { form: form + rest, secrets })
    }
}

impl Jenkins {
    fn answer(&mut self, method: &str, path: &str, crumb: bool, body: &str) -> (u16, String) {
        if path == "/jenkins/crumbIssuer/api/json" {
            let found = json!({ "crumb": CRUMB, "crumbRequestField": "Jenkins-Crumb" });
            return if self.guarded { (200, found.to_string()) } else { (404, String::new()) };
        }
        let Some(rest) = path.strip_prefix(BASE) else { return (404, "<html>Not Found</html>".to_owned()) };
        match (method, rest.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["", "api", "json"]) => {
                let ids: Vec<Value> = self.all.keys().map(|id| json!({ "_class": "x", "id": id })).collect();
                (200, json!({ "credentials": ids }).to_string())
            }
            (_, ["", "credential", id, "config.xml"]) => {
                let Some(credential) = self.all.get_mut(*id) else { return (404, "<html>Not Found</html>".to_owned()) };
                match method {
                    "GET" => (200, credential.shown()),
                    "POST" if self.guarded && !crumb => (403, "<html>No valid crumb was included</html>".to_owned()),
                    "POST" => match Credential::posted(body) {
                        Some(posted) => {
                            *credential = posted;
                            (200, String::new())
                        }
                        None => (500, "<html>Failed to parse credential</html>".to_owned()),
                    },
                    _ => (400, String::new()),
                }
            }
            _ => (404, String::new()),
        }
    }

    fn serve(&mut self, head: &str, body: &str) -> Option<String> {
        let mut words = head.lines().next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        let basic = data_encoding::BASE64.encode(format!("operator:{TOKEN}").as_bytes());
        if !head.contains(&format!("Basic {basic}\r\n")) {
            return Some(answer(401, "<html>Invalid password/token</html>"));
        }
        if method == "POST" {
            self.posts += 1;
        }
        let due = matches!(self.fault, Some((at, _)) if method == "POST" && at == self.posts);
        let fault = if due { self.fault.take().map(|(_, fault)| fault) } else { None };
        match fault {
            Some(Fault::RequestLost) => return None,
            Some(Fault::Status(status)) => return Some(answer(status, "<html>not now</html>")),
            Some(Fault::Page) => return Some(answer(502, "<html>bad gateway</html>")),
            Some(Fault::AnswerLost) | None => {}
        }
        let crumb = head.to_lowercase().contains(&format!("jenkins-crumb: {CRUMB}\r\n"));
        let (status, text) = self.answer(method, path, crumb, body);
        fault.is_none().then(|| answer(status, &text))
    }
}

fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

impl Server {
    fn start(all: Vec<(&str, Credential)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/jenkins", listener.local_addr().expect("bound"));
        let all = all.into_iter().map(|(id, credential)| (id.to_owned(), credential)).collect();
        let state = Arc::new(Mutex::new(Jenkins { all, guarded: true, fault: None, posts: 0 }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let Some((head, body)) = request(&mut stream) else { continue };
                if let Some(answer) = shared.lock().expect("no panic").serve(&head, &body) {
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self { address, state }
    }

    fn state(&self) -> MutexGuard<'_, Jenkins> {
        self.state.lock().expect("no panic")
    }

    fn store(&self) -> Blind {
        store_of(&self.address, TOKEN)
    }

    fn secret(&self) -> String {
        self.state().all["shop-db"].secrets[0].clone()
    }
}

fn store_of(address: &str, token: &str) -> Blind {
    let rest = Rest::new(address, &SecretValue::new(token), Duration::from_secs(20), None).expect("an interface");
    let basic = data_encoding::BASE64.encode(format!("operator:{token}").as_bytes());
    let rest = rest.with_header("authorization", &SecretValue::from(format!("Basic {basic}")));
    let of = Target { system: "bao".to_owned(), locator: "secret/shop/db#password".to_owned() };
    jenkins_credentials("jenkins", rest, Some("team/shop"), "_", BTreeMap::from([("shop-db".to_owned(), of)]))
}

fn at() -> Target {
    Target { system: "jenkins".to_owned(), locator: "shop-db".to_owned() }
}

fn version(store: &Blind) -> String {
    wait(store.copies()).expect("listed")[0].version.clone()
}

#[test]
fn a_password_of_jenkins_is_written_over_and_the_rest_of_the_credential_stays() {
    for (guarded, description) in
        [(true, "  <description>the shop&apos;s</description>\n"), (false, "  <description/>\n"), (true, "")]
    {
        let (new, old) = (format!("{}&<x>\"'", unique("new")), unique("old"));
        let server = Server::start(vec![("shop-db", password(description, &old)), ("other", password("", "x"))]);
        server.state().guarded = guarded;
        let store = server.store();
        let expect = version(&store);
        let (systems, refs) = values(&[&new, &old]);
        let (cx, at) = (context(&systems, 1), at());
        wait(store.preflight(&at)).expect("allowed");
        let step = Overwrite { expect: expect.clone(), new: refs[0].clone(), old: refs[1].clone() };
        let overwrite = store.overwrite(&at, step).expect("offered");
        drive(overwrite.as_ref(), &cx);
        assert_eq!(server.secret(), new);
        let shown = server.state().all["shop-db"].shown();
        assert!(shown.contains("[offkey ") && shown.contains("<username>shop</username>"), "{shown}");
        wait(overwrite.undo(&cx)).expect("taken back");
        assert_eq!((server.secret(), version(&store)), (old.clone(), expect.clone()), "as the plan saw it");
        wait(overwrite.undo(&cx)).expect("taken back twice");
        drive(overwrite.as_ref(), &cx);
        let retire = store.action(&at, StoreStep::Retire { replaced: expect });
        assert!(matches!(wait(retire.observe(&cx)), Ok(Observed::Done(_))), "the mark stays");
        // The next operation replaces the mark.
        let (systems, refs) = values(&[&old, &new]);
        let next = context(&systems, 2);
        let step = Overwrite { expect: version(&store), new: refs[0].clone(), old: refs[1].clone() };
        drive(store.overwrite(&at, step).expect("offered").as_ref(), &next);
        assert_eq!(server.secret(), old);
        assert_eq!(server.state().all["shop-db"].shown().matches("[offkey ").count(), 1);
        assert_eq!(server.state().all["other"].secrets, ["x"]);
    }
}

#[test]
fn every_fault_of_a_post_ends_in_the_new_value_and_no_other() {
    let faults = [
        Fault::AnswerLost,
        Fault::RequestLost,
        Fault::Page,
        Fault::Status(403),
        Fault::Status(429),
        Fault::Status(500),
    ];
    for fault in faults {
        let (new, old) = (unique("new"), unique("old"));
        let server = Server::start(vec![("shop-db", password("", &old))]);
        let store = server.store();
        let (systems, refs) = values(&[&new, &old]);
        let (cx, at) = (context(&systems, 1), at());
        let step = Overwrite { expect: version(&store), new: refs[0].clone(), old: refs[1].clone() };
        let overwrite = store.overwrite(&at, step).expect("offered");
        server.state().fault = Some((1, fault));
        let error = refusal(overwrite.as_ref(), &cx);
        assert!(!error.to_string().contains(&new), "{fault:?}: {error}");
        match fault {
            Fault::Status(429) => assert!(matches!(error, ActionError::Unavailable { .. }), "{error}"),
            Fault::Status(403) => assert!(matches!(error, ActionError::Refused(_)), "{error}"),
            _ => assert!(matches!(error, ActionError::Unknown(_)), "{fault:?}: {error}"),
        }
        let done = fault == Fault::AnswerLost;
        assert_eq!(server.secret(), if done { new.clone() } else { old }, "{fault:?}");
        let seen = wait(overwrite.observe(&cx)).expect("seen");
        assert!(matches!((seen, done), (Observed::Done(_), true) | (Observed::NotDone, false)), "{fault:?}");
        wait(overwrite.apply(&cx)).unwrap_or_else(|error| panic!("{fault:?}, again: {error}"));
        assert!(matches!(wait(overwrite.observe(&cx)), Ok(Observed::Done(_))));
        assert_eq!(server.secret(), new, "{fault:?}");
    }
}

#[test]
fn what_somebody_else_changed_is_respected_as_far_as_it_shows() {
    let (new, old) = (unique("new"), unique("old"));
    let server = Server::start(vec![("shop-db", password("  <description>a</description>\n", &old))]);
    let store = server.store();
    let (systems, refs) = values(&[&new, &old]);
    let (cx, at) = (context(&systems, 1), at());
    let step = Overwrite { expect: version(&store), new: refs[0].clone(), old: refs[1].clone() };
    let foreign = password("  <description>b</description>\n", "foreign");
    server.state().all.insert("shop-db".to_owned(), foreign);
    let overwrite = store.overwrite(&at, step).expect("offered");
    assert!(matches!(wait(overwrite.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(overwrite.as_ref(), &cx), ActionError::Conflict(_)));
    assert_eq!((server.secret().as_str(), server.state().posts), ("foreign", 0));
}

#[test]
fn a_credential_with_two_secrets_a_wrong_token_and_a_missing_one_are_named() {
    let mut two = password("", "x");
    two.form = two.form.replace("</password>\n", "</password>\n  <passphrase>\n    {}\n  </passphrase>\n");
    two.secrets.push("y".to_owned());
    let server = Server::start(vec![("shop-db", two)]);
    let store = server.store();
    let error = wait(store.preflight(&at())).expect_err("refused");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("2 secrets")), "{error}");
    let (systems, refs) = values(&["a-new-value", "x"]);
    let step = Overwrite { expect: version(&store), new: refs[0].clone(), old: refs[1].clone() };
    let action = store.overwrite(&at(), step).map(|action| refusal(action.as_ref(), &context(&systems, 1)));
    assert!(matches!(&action, Some(ActionError::Refused(why)) if why.contains("wipe the others")), "{action:?}");
    assert_eq!(server.state().all["shop-db"].secrets, ["x", "y"]);

    let wrong = store_of(&server.address, "another-word");
    let error = wait(wrong.preflight(&at())).expect_err("refused");
    assert!(
        matches!(&error, ActionError::Refused(why) if why.contains("offkey.toml") && !why.contains("another-word")),
        "{error}"
    );
    let missing = Target { locator: "nothing".to_owned(), ..at() };
    assert!(matches!(wait(store.preflight(&missing)), Err(ActionError::Conflict(_))));
}
