//! Stores over HTTP against small servers that keep state by the documented rules: versions, conflicts, pages, rights. No
//! such store can be had here for real, so what this proves is the contract and the walk, not the product.

mod azure;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use offkey::action::{ActionError, Observed, Slot, Target, wait};
use offkey::rotation::Systems;
use offkey::secret::SecretValue;
use offkey::store::{Held, Rest, Shelf, Store, StoreStep, gcp_secrets, gitlab_variables, kubernetes_secrets};
use serde_json::{Value, json};

use crate::issuers::replay::request;
use crate::lab::unique;
use crate::steps::{context, drive, fingerprinter, generate, refusal, text};

const TOKEN: &str = "the-word-of-the-store";
const OLD: &str = "an-old-value-of-24-chars";

/// What a server is asked: method, path, query, body.
struct Asked {
    method: String,
    path: Vec<String>,
    query: BTreeMap<String, String>,
    body: Value,
}

/// The rules of one product.
trait Product: Default + Send + 'static {
    /// Locator of the value of the tests.
    const AT: &'static str;
    /// A place beside it that must never change.
    const SIBLING: Option<&'static str> = None;

    fn answer(&mut self, asked: &Asked) -> (u16, Value);
    fn store(address: &str, token: &str) -> Shelf;
    /// The header that carries the token.
    fn credential(token: &str) -> String {
        format!("authorization: bearer {token}")
    }
    /// Somebody else replaces the value.
    fn overwrite(&mut self, value: &str);
    /// Whether a value can be read anywhere, older versions and waiting ones included.
    fn holds(&self, value: &str) -> bool;
}

/// A running product, with one fault that can be ordered.
struct Server<P> {
    address: String,
    product: Arc<Mutex<P>>,
    /// The next change is made and its answer lost.
    lose_next: Arc<Mutex<bool>>,
}

impl<P: Product> Server<P> {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let product = Arc::new(Mutex::new(P::default()));
        let lose_next = Arc::new(Mutex::new(false));
        let (shared, lose) = (Arc::clone(&product), Arc::clone(&lose_next));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let Some((head, body)) = request(&mut stream) else { continue };
                let known = head.to_lowercase().contains(&P::credential(TOKEN));
                let asked = parse(&head, &body);
                let (status, answer) = if known {
                    shared.lock().expect("no panic").answer(&asked)
                } else {
                    (401, json!({ "reason": "Unauthorized" }))
                };
                if asked.method != "GET" && std::mem::take(&mut *lose.lock().expect("no panic")) {
                    continue;
                }
                let body = if answer.is_null() { String::new() } else { answer.to_string() };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { address, product, lose_next }
    }

    fn store(&self) -> Shelf {
        P::store(&self.address, TOKEN)
    }

    fn holds(&self, value: &str) -> bool {
        self.product.lock().expect("no panic").holds(value)
    }
}

fn parse(head: &str, body: &str) -> Asked {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = format!("http://x{}", words.next().unwrap_or_default());
    let url = reqwest::Url::parse(&target).expect("an address");
    let decode = |text: &str| text.replace("%2F", "/").replace("%40", "@");
    Asked {
        method,
        path: url.path().trim_start_matches('/').split('/').map(decode).collect(),
        query: url.query_pairs().into_owned().collect(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

fn rest(address: &str, token: &str) -> Rest {
    Rest::new(address, &SecretValue::new(token), Duration::from_secs(20), None).expect("an interface")
}

fn base64(text: &str) -> String {
    data_encoding::BASE64.encode(text.as_bytes())
}

fn plain(encoded: &str) -> String {
    String::from_utf8(data_encoding::BASE64.decode(encoded.as_bytes()).expect("base64")).expect("text")
}

/// Version, type, data.
type Secret = (u64, String, BTreeMap<String, String>);

/// Kubernetes: namespace and name → Secret.
struct Cluster {
    version: u64,
    secrets: BTreeMap<(String, String), Secret>,
}

impl Default for Cluster {
    fn default() -> Self {
        let data = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), base64(v))).collect();
        let key = |name: &str| ("shop".to_owned(), name.to_owned());
        let secrets = BTreeMap::from([
            (key("db"), (7, "Opaque".to_owned(), data(&[("password", OLD), ("username", "shop"), ("host", "db")]))),
            (key("sa"), (3, "kubernetes.io/service-account-token".to_owned(), data(&[("token", "cluster")]))),
        ]);
        Self { version: 7, secrets }
    }
}

impl Cluster {
    fn show(key: &(String, String), secret: &Secret) -> Value {
        json!({
            "kind": "Secret", "type": secret.1, "data": secret.2,
            "metadata": { "name": key.1, "namespace": key.0, "resourceVersion": secret.0.to_string() },
        })
    }
}

impl Product for Cluster {
    const AT: &'static str = "shop/db#password";
    const SIBLING: Option<&'static str> = Some("shop/db#username");

    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let ["api", "v1", "namespaces", namespace, "secrets", rest @ ..] = path.as_slice() else {
            return (404, json!({}));
        };
        let key = |name: &str| ((*namespace).to_owned(), name.to_owned());
        let name = rest.first().copied().or(asked.body["metadata"]["name"].as_str()).unwrap_or_default();
        match (asked.method.as_str(), rest) {
            ("GET", []) => {
                // One entry a page, so that pages are walked.
                let at: usize = asked.query.get("continue").and_then(|at| at.parse().ok()).unwrap_or(0);
                let all: Vec<Value> = self.secrets.iter().map(|(key, secret)| Self::show(key, secret)).collect();
                let next = if at + 1 < all.len() { (at + 1).to_string() } else { String::new() };
                (200, json!({ "items": [all[at]], "metadata": { "continue": next } }))
            }
            ("GET", [_]) => match self.secrets.get(&key(name)) {
                Some(secret) => (200, Self::show(&key(name), secret)),
                None => (404, json!({ "reason": "NotFound" })),
            },
            ("POST", []) if self.secrets.contains_key(&key(name)) => (409, json!({ "reason": "AlreadyExists" })),
            ("POST", []) => {
                self.version += 1;
                let data = serde_json::from_value(asked.body["data"].clone()).expect("data");
                self.secrets.insert(key(name), (self.version, "Opaque".to_owned(), data));
                (201, json!({}))
            }
            ("PATCH", [_]) => {
                let Some(secret) = self.secrets.get_mut(&key(name)) else { return (404, json!({})) };
                let version = secret.0.to_string();
                if asked.body["metadata"]["resourceVersion"].as_str() != Some(version.as_str()) {
                    return (409, json!({ "reason": "Conflict" }));
                }
                self.version += 1;
                secret.0 = self.version;
                for (field, value) in asked.body["data"].as_object().expect("data") {
                    secret.2.insert(field.clone(), value.as_str().expect("text").to_owned());
                }
                (200, json!({}))
            }
            ("DELETE", [_]) => match self.secrets.remove(&key(name)) {
                Some(_) => (200, json!({})),
                None => (404, json!({ "reason": "NotFound" })),
            },
            _ => (405, json!({})),
        }
    }

    fn store(address: &str, token: &str) -> Shelf {
        kubernetes_secrets("k8s", rest(address, token), vec!["shop".to_owned()], fingerprinter())
    }

    fn overwrite(&mut self, value: &str) {
        self.version += 1;
        let secret = self.secrets.get_mut(&("shop".to_owned(), "db".to_owned())).expect("there");
        secret.0 = self.version;
        secret.2.insert("password".to_owned(), base64(value));
    }

    fn holds(&self, value: &str) -> bool {
        self.secrets.values().flat_map(|secret| secret.2.values()).any(|data| plain(data).contains(value))
    }
}

/// GitLab: key and scope → value; `None` is hidden.
struct Forge(BTreeMap<(String, String), Option<String>>);

impl Default for Forge {
    fn default() -> Self {
        let key = |key: &str, scope: &str| (key.to_owned(), scope.to_owned());
        let mut all: BTreeMap<_, _> =
            (0..120).map(|n| (key(&format!("PLAIN_{n:03}"), "*"), Some(format!("v{n}")))).collect();
        all.insert(key("DB_PASSWORD", "production"), Some(OLD.to_owned()));
        all.insert(key("DB_PASSWORD", "*"), Some("another-scope-of-it".to_owned()));
        all.insert(key("HIDDEN", "*"), None);
        Self(all)
    }
}

impl Product for Forge {
    const AT: &'static str = "DB_PASSWORD@production#value";
    const SIBLING: Option<&'static str> = Some("DB_PASSWORD#value");

    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        // The full path of a project has a slash of its own, which travels encoded.
        let ["api", "v4", "projects", "shop/app", "variables", rest @ ..] = path.as_slice() else {
            return (404, json!({ "message": "404 Project Not Found" }));
        };
        let show = |((key, scope), value): (&(String, String), &Option<String>)| json!({ "key": key, "environment_scope": scope, "value": value, "hidden": value.is_none(), "masked": true });
        let scope = asked.query.get("filter[environment_scope]").cloned().unwrap_or_else(|| "*".to_owned());
        let at = (rest.first().map_or(String::new(), |key| (*key).to_owned()), scope);
        match (asked.method.as_str(), rest) {
            ("GET", []) => {
                let page: usize = asked.query["page"].parse().expect("a page");
                (200, self.0.iter().skip((page - 1) * 100).take(100).map(show).collect())
            }
            ("POST", []) => {
                let body = |name: &str| asked.body[name].as_str().expect("text").to_owned();
                let at = (body("key"), body("environment_scope"));
                assert!(at.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{}", at.0);
                if self.0.contains_key(&at) {
                    return (400, json!({ "message": { "key": ["has already been taken"] } }));
                }
                self.0.insert(at, Some(body("value")));
                (201, json!({}))
            }
            (method, [_]) => match self.0.get_mut(&at) {
                None => (404, json!({ "message": "404 Variable Not Found" })),
                Some(value) if method == "PUT" => {
                    *value = asked.body["value"].as_str().map(str::to_owned);
                    (200, json!({}))
                }
                Some(_) if method == "DELETE" => {
                    self.0.remove(&at);
                    (204, Value::Null)
                }
                Some(value) => (200, show((&at, value))),
            },
            _ => (405, json!({})),
        }
    }

    fn store(address: &str, token: &str) -> Shelf {
        let rest = rest(address, token).with_header("private-token", &SecretValue::new(token));
        gitlab_variables("gitlab", rest, false, "shop/app", fingerprinter())
    }

    fn credential(token: &str) -> String {
        format!("private-token: {token}")
    }

    fn overwrite(&mut self, value: &str) {
        self.0.insert(("DB_PASSWORD".to_owned(), "production".to_owned()), Some(value.to_owned()));
    }

    fn holds(&self, value: &str) -> bool {
        self.0.values().flatten().any(|text| text.contains(value))
    }
}

/// Secret Manager: name → versions; `None` is destroyed.
struct Cloud(BTreeMap<String, Vec<Option<String>>>);

impl Default for Cloud {
    fn default() -> Self {
        let shop = json!({ "username": "shop", "password": OLD, "host": "db" }).to_string();
        Self(BTreeMap::from([
            ("shop-db".to_owned(), vec![Some("{\"password\":\"an-older-one-still-there\"}".to_owned()), Some(shop)]),
            ("empty".to_owned(), Vec::new()),
        ]))
    }
}

impl Product for Cloud {
    const AT: &'static str = "shop-db#password";
    const SIBLING: Option<&'static str> = Some("shop-db#username");

    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let ["v1", "projects", "harbour", "secrets", rest @ ..] = path.as_slice() else { return (404, json!({})) };
        let name = |secret: &str| format!("projects/1/secrets/{secret}");
        let missing = (404, json!({ "error": { "status": "NOT_FOUND" } }));
        match (asked.method.as_str(), rest) {
            ("GET", []) => {
                let at: usize = asked.query.get("pageToken").and_then(|at| at.parse().ok()).unwrap_or(0);
                let secret = self.0.keys().nth(at).expect("a page");
                let next = if at + 1 < self.0.len() { (at + 1).to_string() } else { String::new() };
                (200, json!({ "secrets": [{ "name": name(secret) }], "nextPageToken": next }))
            }
            ("POST", []) => {
                let secret = asked.query["secretId"].clone();
                if self.0.contains_key(&secret) {
                    return (409, json!({ "error": { "status": "ALREADY_EXISTS" } }));
                }
                self.0.insert(secret, Vec::new());
                (200, json!({}))
            }
            ("DELETE", [secret]) => self.0.remove(*secret).map_or(missing, |_| (200, json!({}))),
            ("POST", [call]) => {
                let Some(versions) = call.strip_suffix(":addVersion").and_then(|name| self.0.get_mut(name)) else {
                    return missing;
                };
                versions.push(Some(plain(asked.body["payload"]["data"].as_str().expect("data"))));
                (200, json!({}))
            }
            ("GET", [secret, "versions", "latest:access"]) => {
                let Some(versions) = self.0.get(*secret).filter(|all| !all.is_empty()) else { return missing };
                match versions.last().expect("not empty") {
                    None => (400, json!({ "error": { "status": "FAILED_PRECONDITION" } })),
                    Some(text) => {
                        let version = format!("{}/versions/{}", name(secret), versions.len());
                        (200, json!({ "name": version, "payload": { "data": base64(text) } }))
                    }
                }
            }
            ("GET", [secret, "versions"]) => {
                let Some(versions) = self.0.get(*secret) else { return missing };
                let state = |kept: bool| if kept { "ENABLED" } else { "DESTROYED" };
                let all: Vec<Value> = versions
                    .iter()
                    .enumerate()
                    .map(|(at, text)| json!({ "name": format!("{}/versions/{}", name(secret), at + 1), "state": state(text.is_some()) }))
                    .collect();
                (200, json!({ "versions": all }))
            }
            ("POST", [secret, "versions", call]) => {
                let number: Option<usize> = call.strip_suffix(":destroy").and_then(|number| number.parse().ok());
                let Some(version) = number.and_then(|at| self.0.get_mut(*secret)?.get_mut(at - 1)) else {
                    return missing;
                };
                *version = None;
                (200, json!({}))
            }
            _ => (405, json!({})),
        }
    }

    fn store(address: &str, token: &str) -> Shelf {
        gcp_secrets("gcp", rest(address, token), "harbour", fingerprinter())
    }

    fn overwrite(&mut self, value: &str) {
        let text = json!({ "username": "shop", "password": value, "host": "db" }).to_string();
        self.0.get_mut("shop-db").expect("there").push(Some(text));
    }

    fn holds(&self, value: &str) -> bool {
        self.0.values().flatten().flatten().any(|text| text.contains(value))
    }
}

fn inventory(store: &Shelf) -> (Vec<Held>, offkey::source::Coverage) {
    let mut held = Vec::new();
    let coverage = wait(store.inventory(&mut |one| {
        held.push(one);
        ControlFlow::Continue(())
    }));
    (held, coverage.expect("lists"))
}

fn target<P: Product>(store: &Shelf) -> Target {
    Target { system: store.name().to_owned(), locator: P::AT.to_owned() }
}

fn version<P: Product>(store: &Shelf) -> String {
    let (held, _) = inventory(store);
    held.iter().find(|one| one.at.locator == P::AT).expect("in the inventory").version.clone()
}

fn current(store: &Shelf, locator: &str) -> String {
    let at = Target { system: store.name().to_owned(), locator: locator.to_owned() };
    text(&wait(store.read(&at, &Slot::Current)).expect("reads").expect("there"))
}

fn a_value_is_replaced_and_nothing_of_the_old_one_is_left<P: Product>() {
    let server = Server::<P>::start();
    let store = server.store();
    let (held, coverage) = inventory(&store);
    assert!(held.iter().any(|one| one.at.locator == P::AT && text(&one.value) == OLD), "{coverage:?}");
    let sibling = P::SIBLING.map(|at| (at, current(&store, at)));
    let (at, version) = (target::<P>(&store), version::<P>(&store));
    let systems = Systems::default();
    let cx = context(&systems, 1);
    wait(store.preflight(&at)).expect("allowed");
    drive(store.action(&at, generate()).as_ref(), &cx);
    let staged = text(&wait(store.read(&at, &Slot::Staged(cx.op))).expect("reads").expect("waits"));
    assert_eq!((staged.len(), current(&store, P::AT)), (24, OLD.to_owned()));
    let (held, _) = inventory(&store);
    assert!(!held.iter().any(|one| text(&one.value).contains(&staged)), "a waiting value is in no inventory");

    let promote = store.action(&at, StoreStep::Promote { expect: version.clone() });
    drive(promote.as_ref(), &cx);
    assert_eq!(current(&store, P::AT), staged);
    let old = wait(store.read(&at, &Slot::Version(version.clone()))).expect("reads").expect("kept for the last probe");
    assert_eq!(text(&old), OLD);
    wait(promote.undo(&cx)).expect("taken back");
    assert_eq!(current(&store, P::AT), OLD);
    drive(promote.as_ref(), &cx);

    drive(store.action(&at, StoreStep::Retire { replaced: version.clone() }).as_ref(), &cx);
    assert_eq!(current(&store, P::AT), staged);
    assert!(!server.holds(OLD), "the old value can be read nowhere");
    assert_eq!(wait(store.read(&at, &Slot::Version(version))), Ok(None));
    if let Some((at, before)) = sibling {
        assert_eq!(current(&store, at), before);
    }
}

fn what_somebody_else_wrote_is_respected<P: Product>() {
    let server = Server::<P>::start();
    let store = server.store();
    let (at, version) = (target::<P>(&store), version::<P>(&store));
    let systems = Systems::default();
    let cx = context(&systems, 1);
    let stage = store.action(&at, generate());
    wait(stage.apply(&cx)).expect("staged");
    let other = context(&systems, 2);
    assert!(matches!(wait(store.action(&at, generate()).observe(&other)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(store.action(&at, generate()).as_ref(), &other), ActionError::Conflict(_)));
    let foreign = unique("foreign");
    server.product.lock().expect("no panic").overwrite(&foreign);
    let promote = store.action(&at, StoreStep::Promote { expect: version.clone() });
    assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(promote.as_ref(), &cx), ActionError::Conflict(_)));
    assert_eq!(current(&store, P::AT), foreign);
    wait(stage.undo(&cx)).expect("taken back");
    assert_eq!(wait(stage.observe(&cx)), Ok(Observed::NotDone));
}

fn a_lost_answer_is_looked_up<P: Product>() {
    let server = Server::<P>::start();
    let store = server.store();
    let (at, version) = (target::<P>(&store), version::<P>(&store));
    let systems = Systems::default();
    let cx = context(&systems, 1);
    wait(store.action(&at, generate()).apply(&cx)).expect("staged");
    let promote = store.action(&at, StoreStep::Promote { expect: version });
    *server.lose_next.lock().expect("no panic") = true;
    let error = refusal(promote.as_ref(), &cx);
    assert!(matches!(error, ActionError::Unknown(_)), "{error}");
    assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Done(_))), "it was done all the same");
}

fn a_wrong_token_and_a_missing_server_are_named<P: Product>() {
    let server = Server::<P>::start();
    let wrong = P::store(&server.address, "another-word");
    let at = target::<P>(&wrong);
    let error = wait(wrong.preflight(&at)).expect_err("not allowed");
    assert!(
        matches!(&error, ActionError::Refused(why) if why.contains("offkey.toml") && !why.contains("another-word")),
        "{error}"
    );
    let nobody = P::store("http://127.0.0.1:1", TOKEN);
    let error = wait(nobody.preflight(&at)).expect_err("nobody there");
    assert!(matches!(error, ActionError::Unavailable { .. }), "{error}");
    let missing = Target { system: "x".to_owned(), locator: "nothing/here#value".to_owned() };
    assert!(matches!(wait(server.store().preflight(&missing)), Err(ActionError::Conflict(_))));
}

macro_rules! products {
    ($($module:ident: $product:ty,)+) => {
        $(mod $module {
            #[test]
            fn a_value_is_replaced_and_nothing_of_the_old_one_is_left() {
                super::a_value_is_replaced_and_nothing_of_the_old_one_is_left::<$product>();
            }
            #[test]
            fn what_somebody_else_wrote_is_respected() {
                super::what_somebody_else_wrote_is_respected::<$product>();
            }
            #[test]
            fn a_lost_answer_is_looked_up() {
                super::a_lost_answer_is_looked_up::<$product>();
            }
            #[test]
            fn a_wrong_token_and_a_missing_server_are_named() {
                super::a_wrong_token_and_a_missing_server_are_named::<$product>();
            }
        })+
    };
}

products! {
    kubernetes: super::Cluster,
    gitlab_ci: super::Forge,
    gcp_secrets: super::Cloud,
    azure_vault: super::azure::Vault,
}

#[test]
fn what_cannot_be_read_is_a_gap_with_its_reason() {
    let (_, coverage) = inventory(&Server::<Cluster>::start().store());
    let shown = format!("{coverage:?}");
    assert!(shown.contains("shop/sa") && shown.contains("written by the cluster"), "{shown}");
    let (held, coverage) = inventory(&Server::<Forge>::start().store());
    assert_eq!(held.len(), 122);
    let shown = format!("{coverage:?}");
    assert!(shown.contains("HIDDEN") && shown.contains("hidden"), "{shown}");
    let (_, coverage) = inventory(&Server::<Cloud>::start().store());
    assert!(format!("{coverage:?}").contains("empty"), "{coverage:?}");
}

#[test]
fn values_do_not_travel_in_clear_text() {
    let token = SecretValue::new(TOKEN);
    let refused =
        Rest::new("http://k8s.harbourfinch.example", &token, Duration::from_secs(1), None).err().expect("refused");
    assert!(refused.to_string().contains("clear text"), "{refused}");
}
