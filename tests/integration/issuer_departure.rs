//! A whole case against issuers over HTTP, by the program itself: Alice committed a GitHub token of her own and the SendGrid
//! key of the shop. The server beside it keeps state by the documented rules and is the witness.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex, MutexGuard};

use offkey::plan::{Disposition, Plan};
use offkey::rule::{Structure, expand};
use serde_json::{Value, json};

use crate::issuers::replay::request;
use crate::lab::unique;
use crate::steps;
use crate::steps::collect;

/// What the two issuers know.
#[derive(Default)]
struct Issuers {
    /// GitHub tokens, and how many more questions each one survives once it was revoked; `None`: it was not.
    tokens: BTreeMap<String, Option<usize>>,
    /// SendGrid keys by their public id: name, value, scopes.
    keys: BTreeMap<String, (String, String, Value)>,
    admin: String,
    /// First lines of all requests.
    lines: Vec<String>,
    /// GitHub answers with a web page.
    sick: bool,
    /// It begins to with the next revocation.
    falls_sick: bool,
}

impl Issuers {
    fn answer(&mut self, line: &str, head: &str, body: &str) -> (u16, String) {
        let bearer = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| *name == "authorization"));
        let bearer = bearer.map_or("", |(_, value)| value.trim_start_matches("Bearer ")).to_owned();
        let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let by_admin = bearer == self.admin;
        let none = |status| (status, json!({ "message": "no" }).to_string());
        match line.split(' ').collect::<Vec<_>>()[..2] {
            ["GET", "/user"] if self.sick => (200, "<html>be right back</html>".to_owned()),
            ["GET", "/user"] => match self.tokens.get_mut(&bearer) {
                Some(None) => (200, json!({ "login": "amoreau" }).to_string()),
                Some(Some(left)) if *left > 0 => {
                    *left -= 1;
                    (200, json!({ "login": "amoreau" }).to_string())
                }
                _ => none(401),
            },
            // 403 to whoever sends an authorization; accepted otherwise, and carried out later.
            ["POST", "/credentials/revoke"] if !bearer.is_empty() => none(403),
            ["POST", "/credentials/revoke"] => {
                self.sick |= std::mem::take(&mut self.falls_sick);
                for token in body["credentials"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    self.tokens.entry(token.to_owned()).and_modify(|state| *state = Some(2));
                }
                (202, String::new())
            }
            ["GET", "/v3/scopes"] if self.keys.values().any(|(_, value, _)| *value == bearer) => {
                (200, json!({ "scopes": ["mail.send"] }).to_string())
            }
            ["GET", "/v3/scopes"] => none(401),
            [_, path] if path.starts_with("/v3/api_keys") && !by_admin => none(403),
            ["GET", "/v3/api_keys"] => {
                let all = self.keys.iter().map(|(id, (name, ..))| json!({ "name": name, "api_key_id": id }));
                (200, json!({ "result": all.collect::<Vec<_>>() }).to_string())
            }
            ["POST", "/v3/api_keys"] => {
                let value = expand("SG.<<an:22>>.<<an:43>>", &unique("key"), None).expect("expands");
                let id = value.split('.').nth(1).expect("an id").to_owned();
                let name = body["name"].as_str().unwrap_or_default().to_owned();
                let made = json!({ "api_key": value, "api_key_id": id, "name": name });
                self.keys.insert(id, (name, value, body["scopes"].clone()));
                (201, made.to_string())
            }
            ["GET", path] => match path.strip_prefix("/v3/api_keys/").and_then(|id| self.keys.get(id)) {
                Some((name, _, scopes)) => (200, json!({ "name": name, "scopes": scopes }).to_string()),
                None => none(404),
            },
            ["DELETE", path] => match path.strip_prefix("/v3/api_keys/").and_then(|id| self.keys.remove(id)) {
                Some(_) => (204, String::new()),
                None => none(404),
            },
            _ => none(405),
        }
    }
}

struct Company {
    dir: tempfile::TempDir,
    issuers: Arc<Mutex<Issuers>>,
    token: String,
    key: String,
}

impl Company {
    fn found() -> Self {
        let made = |template: &str| expand(template, &unique("value"), Some(Structure::GithubCrc32)).expect("expands");
        let (token, key, admin) =
            (made("ghp_<<an:30>><<sum>>"), made("SG.<<an:22>>.<<an:43>>"), made("SG.<<an:22>>.<<an:43>>"));
        let id = key.split('.').nth(1).expect("an id").to_owned();
        let issuers = Issuers {
            tokens: [(token.clone(), None)].into(),
            keys: [(id, ("shop".to_owned(), key.clone(), json!(["mail.send"])))].into(),
            admin: admin.clone(),
            ..Issuers::default()
        };
        let company =
            Self { dir: tempfile::tempdir().expect("a folder"), issuers: Arc::new(Mutex::new(issuers)), token, key };
        let address = company.serve();
        let put = |path: &str, text: &str| {
            let path = company.path(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        put(
            "alice.toml",
            "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\nlogins = [\"amoreau\"]\n",
        );
        put("sendgrid.admin", &admin);
        put("shop.env", &format!("SENDGRID_API_KEY={}\nMAIL_FROM=shop@harbourfinch.example\n", company.key));
        let issuer = |id: &str, more: &str| {
            format!(
                "[[provider]]\nname = \"{id}\"\ntype = \"http\"\nissuer = \"{id}\"\naddress = \"{address}\"\ndeadline_seconds = 5\n{more}\n"
            )
        };
        let files = "[[store]]\nname = \"files\"\ntype = \"files\"\npaths = [\"shop.env\"]\n\n";
        let sendgrid = issuer("sendgrid", "admin = { file = \"sendgrid.admin\" }\n");
        put("offkey.toml", &format!("{files}{}{sendgrid}", issuer("github", "")));
        put("repo/deploy.md", &format!("GITHUB_TOKEN={}\nSENDGRID_API_KEY={}\n", company.token, company.key));
        steps::alice_commits(&company.path("repo"), "deploy.md", "How to deploy");
        company
    }

    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let issuers = Arc::clone(&self.issuers);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let Some((head, body)) = request(&mut stream) else { continue };
                let line = head.lines().next().unwrap_or_default().to_owned();
                let mut issuers = issuers.lock().expect("no panic");
                issuers.lines.push(line.clone());
                let (status, answer) = issuers.answer(&line, &head, &body);
                drop(issuers);
                let kind = if answer.starts_with('<') { "text/html" } else { "application/json" };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{answer}",
                    answer.len()
                );
            }
        });
        address
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    fn issuers(&self) -> MutexGuard<'_, Issuers> {
        self.issuers.lock().expect("no panic")
    }

    fn offkey(&self, arguments: &[&str]) -> Output {
        steps::offkey(self.dir.path(), arguments, None)
    }

    fn sweep(&self) -> Plan {
        let swept = self.offkey(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"]);
        assert_eq!(swept.status.code(), Some(11), "{}", told(&swept));
        serde_json::from_slice(&fs::read(self.path("case/plan.json")).expect("a plan")).expect("a plan")
    }

    fn apply(&self, plan: &Plan) -> Output {
        self.offkey(&["apply", "--case", "case", "--digest", &plan.digest()])
    }

    fn in_file(&self) -> String {
        let text = fs::read_to_string(self.path("shop.env")).expect("there");
        text.lines().find_map(|line| line.strip_prefix("SENDGRID_API_KEY=")).expect("the line is kept").to_owned()
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_found_token_is_revoked_and_a_shared_key_replaced_and_both_are_proven_dead() {
    let company = Company::found();
    let plan = company.sweep();
    let ends = |label: &str| {
        let one = plan.treatments.iter().find(|one| one.account.as_ref().is_some_and(|at| at.system == label));
        one.unwrap_or_else(|| panic!("{label}: {plan:?}")).disposition.clone()
    };
    assert_eq!((ends("github"), ends("sendgrid")), (Disposition::Revoke, Disposition::Rotate));
    assert_eq!(company.issuers().tokens[&company.token], None, "a sweep changes nothing");

    let applied = company.apply(&plan);
    assert_eq!(applied.status.code(), Some(0), "{}", told(&applied));
    let new = company.in_file();
    assert_ne!(new, company.key);
    {
        let issuers = company.issuers();
        assert_eq!(issuers.tokens[&company.token], Some(0), "accepted is not enough: it was asked until it was dead");
        let keys: Vec<_> = issuers.keys.values().collect();
        let [(_, value, scopes)] = keys[..] else { panic!("one key is left: {}", keys.len()) };
        assert_eq!((value, scopes), (&new, &json!(["mail.send"])), "the new key, with the rights of the old one");
    }
    let confirmed = company.offkey(&["confirm", "--case", "case"]);
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
    let verified = company.offkey(&["audit", "verify", "case"]);
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    let page = company.offkey(&["report", "--case", "case", "--format", "html"]);
    assert!(told(&page).contains("Alice Moreau"), "{}", told(&page));

    let mut texts: Vec<Vec<u8>> = [applied, confirmed, verified, page].map(|output| told(&output).into_bytes()).into();
    texts.push(company.issuers().lines.join("\n").into_bytes());
    collect(&company.path("case"), &mut texts);
    for value in [&company.token, &company.key, &new] {
        let leaked = texts.iter().any(|text| memchr::memmem::find(text, value.as_bytes()).is_some());
        assert!(!leaked, "a value stands in an output, in the case or in an address");
    }
}

#[test]
fn a_revocation_that_was_accepted_and_never_seen_leaves_the_case_open_until_it_is() {
    let company = Company::found();
    let plan = company.sweep();
    company.issuers().falls_sick = true;
    let applied = company.apply(&plan);
    assert_ne!(applied.status.code(), Some(0), "{}", told(&applied));
    assert_eq!(company.issuers().tokens[&company.token], Some(2), "revoked, and nobody could see it");
    let confirmed = company.offkey(&["confirm", "--case", "case"]);
    assert_eq!(confirmed.status.code(), Some(11), "{}", told(&confirmed));
    assert!(told(&confirmed).contains("NOT COMPLETE"), "{}", told(&confirmed));
    company.issuers().sick = false;
    let resumed = company.offkey(&["resume", "--case", "case"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", told(&resumed));
    let confirmed = company.offkey(&["confirm", "--case", "case"]);
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
}
