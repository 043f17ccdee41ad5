//! Secrets of GitHub Actions on loopback, by the documented rules: what is written must be a sealed box for the named key, and is
//! opened; what is told is names and times.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

use crypto_box::SecretKey;
use serde_json::{Value, json};

use crate::issuers::replay::request;

/// What is wrong with the answer to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The change is made, and nothing is answered.
    AnswerLost,
    /// Nothing arrives.
    RequestLost,
    /// Refused with this status before anything is done.
    Status(u16),
    /// A web page of something in between; nothing is done.
    Page,
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) value: String,
    pub(super) updated: u64,
    pub(super) visibility: Option<String>,
    pub(super) chosen: Vec<u64>,
}

/// What the server keeps.
pub(super) struct Forge {
    pub(super) token: String,
    /// Path of the list of secrets.
    pub(super) place: &'static str,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) key: SecretKey,
    /// Seconds; every change takes one.
    now: u64,
    /// Changes until a fault, and the fault.
    pub(super) fault: Option<(usize, Fault)>,
    /// Changes that arrived.
    pub(super) changes: usize,
    /// What no client may do.
    pub(super) complaints: Vec<String>,
}

/// A running server.
pub(super) struct Server {
    pub(super) address: String,
    state: Arc<Mutex<Forge>>,
}

fn time(second: u64) -> String {
    format!("2026-11-23T{:02}:{:02}:{:02}Z", 8 + second / 3600, second / 60 % 60, second % 60)
}

impl Forge {
    fn show(name: &str, secret: &Secret) -> Value {
        let mut shown = json!({ "name": name, "created_at": time(0), "updated_at": time(secret.updated) });
        if let Some(visibility) = &secret.visibility {
            shown["visibility"] = json!(visibility);
        }
        shown
    }

    /// Somebody writes a secret by hand.
    pub(super) fn write(&mut self, name: &str, value: &str) {
        self.now += 1;
        let (updated, value) = (self.now, value.to_owned());
        let secret = Secret { value, updated, visibility: None, chosen: Vec::new() };
        let before = self.secrets.get(name).cloned().unwrap_or(secret.clone());
        self.secrets.insert(name.to_owned(), Secret { visibility: before.visibility, chosen: before.chosen, ..secret });
    }

    /// A long time goes by.
    pub(super) fn wait(&mut self, seconds: u64) {
        self.now += seconds;
    }

    fn answer(&mut self, method: &str, path: &str, page: usize, body: &str) -> (u16, Value) {
        let Some(rest) = path.strip_prefix(self.place) else { return (404, json!({ "message": "Not Found" })) };
        let missing = (404, json!({ "message": "Not Found" }));
        let key_id = "568250167242549743";
        match (method, rest.trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", [""]) => {
                let some: Vec<Value> = self
                    .secrets
                    .iter()
                    .skip((page - 1) * 100)
                    .take(100)
                    .map(|(name, one)| Self::show(name, one))
                    .collect();
                (200, json!({ "total_count": self.secrets.len(), "secrets": some }))
            }
            ("GET", ["public-key"]) => {
                let key = data_encoding::BASE64.encode(self.key.public_key().as_bytes());
                (200, json!({ "key_id": key_id, "key": key }))
            }
            ("GET", [name, "repositories"]) => match self.secrets.get(*name) {
                Some(secret) => {
                    let some = secret.chosen.iter().skip((page - 1) * 100).take(100);
                    let some: Vec<Value> = some.map(|id| json!({ "id": id })).collect();
                    (200, json!({ "total_count": secret.chosen.len(), "repositories": some }))
                }
                None => missing,
            },
            ("PUT", [name]) => self.put(name, body, key_id),
            ("DELETE", [name]) => match self.secrets.remove(*name) {
                Some(_) => (204, Value::Null),
                None => missing,
            },
            _ => (405, json!({})),
        }
    }

    fn put(&mut self, name: &str, body: &str, key_id: &str) -> (u16, Value) {
        let invalid = |why: &str| (422, json!({ "message": why }));
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if body["key_id"] != key_id {
            return invalid("key_id is not of the current key");
        }
        let sealed = data_encoding::BASE64.decode(body["encrypted_value"].as_str().unwrap_or_default().as_bytes());
        let opened = sealed.ok().and_then(|sealed| self.key.unseal(&sealed).ok());
        let Some(value) = opened.and_then(|value| String::from_utf8(value).ok()) else {
            self.complaints.push(format!("{name} was not sealed for this key"));
            return invalid("the value is not sealed");
        };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || name.starts_with("GITHUB_") {
            return invalid("name is not valid");
        }
        let organisation = self.place.starts_with("/orgs/");
        if organisation && body["visibility"].is_null() {
            return invalid("visibility is missing");
        }
        self.now += 1;
        let chosen = body["selected_repository_ids"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        let secret = Secret {
            value,
            updated: self.now,
            visibility: body["visibility"].as_str().map(str::to_owned),
            chosen: chosen.collect(),
        };
        let known = self.secrets.insert(name.to_owned(), secret).is_some();
        if known { (204, Value::Null) } else { (201, json!({})) }
    }
}

impl Server {
    pub(super) fn start(place: &'static str, token: &str, secrets: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let mut forge = Forge {
            token: token.to_owned(),
            place,
            secrets: BTreeMap::new(),
            key: SecretKey::from_bytes([9; 32]),
            now: 0,
            fault: None,
            changes: 0,
            complaints: Vec::new(),
        };
        for (name, value) in secrets {
            forge.write(name, value);
        }
        let state = Arc::new(Mutex::new(forge));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let Some((head, body)) = request(&mut stream) else { continue };
                if let Some(answer) = serve(&mut shared.lock().expect("no panic"), &head, &body) {
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self { address, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Forge> {
        self.state.lock().expect("no panic")
    }

    pub(super) fn value(&self, name: &str) -> String {
        self.state().secrets[name].value.clone()
    }

    /// Names of the marks that are there.
    pub(super) fn marks(&self) -> Vec<String> {
        self.state().secrets.keys().filter(|name| name.starts_with("OFFKEY_")).cloned().collect()
    }
}

/// The answer; `None` when it is lost.
fn serve(forge: &mut Forge, head: &str, body: &str) -> Option<String> {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let url = reqwest::Url::parse(&format!("http://x{target}")).expect("an address");
    let page = url.query_pairs().find(|(name, _)| name == "page").and_then(|(_, page)| page.parse().ok()).unwrap_or(1);
    if !head.to_lowercase().contains(&format!("authorization: bearer {}\r\n", forge.token)) {
        return Some(answer(401, "{\"message\":\"Bad credentials\"}"));
    }
    if method != "GET" {
        forge.changes += 1;
    }
    let due = matches!(forge.fault, Some((at, _)) if method != "GET" && at == forge.changes);
    let fault = if due { forge.fault.take().map(|(_, fault)| fault) } else { None };
    match fault {
        Some(Fault::RequestLost) => return None,
        Some(Fault::Status(status)) => return Some(answer(status, "{\"message\":\"not now\"}")),
        Some(Fault::Page) => return Some(answer(502, "<html>bad gateway</html>")),
        Some(Fault::AnswerLost) | None => {}
    }
    let (status, body) = forge.answer(method, url.path(), page, body);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    (fault.is_none()).then(|| answer(status, &body))
}

fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
