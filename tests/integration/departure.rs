//! The whole walk on real servers by the program itself: Alice read a database password in OpenBao and pasted it in chat;
//! it is rotated in PostgreSQL and OpenBao, and the old value is seen to fail.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::json;

use crate::lab::{Lab, unique};
use crate::steps::collect;

/// A company in a folder, with its rows in the live systems.
struct Company {
    dir: tempfile::TempDir,
    role: String,
    folder: String,
    old: String,
}

impl Company {
    fn found(lab: &Lab) -> Self {
        let company = Self {
            dir: tempfile::tempdir().expect("a folder"),
            role: unique("shop"),
            folder: unique("walk"),
            old: unique("Harbour-Pw"),
        };
        let (bao, pg) = (lab.bao(), lab.postgres());
        pg.sql(&format!("CREATE ROLE {} LOGIN PASSWORD '{}'", company.role, company.old));
        let data = json!({"username": company.role, "password": company.old, "host": pg.host, "port": pg.port, "engine": "postgres"});
        bao.must(
            "POST",
            &format!("secret/data/{}/db", company.folder),
            Some(&json!({"options": {"cas": 0}, "data": data})),
        );
        company.put("alice.toml", "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\n");
        company.put("bao.token", &bao.token);
        company.put("pg.password", &pg.password);
        company.put("offkey.toml", &company.config(&bao.addr, &pg.host, pg.port, &pg.user));
        company.chat();
        company.repository();
        company
    }

    fn config(&self, bao: &str, host: &str, port: u16, user: &str) -> String {
        format!(
            r#"
[[store]]
name = "bao"
type = "vault-kv"
address = "{bao}"
token = {{ file = "bao.token" }}
mount = "secret"
folders = ["{}"]

[[provider]]
name = "shop-db"
type = "postgres"
host = "{host}"
port = {port}
user = "{user}"
password = {{ file = "pg.password" }}
"#,
            self.folder
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn chat(&self) {
        let users = json!([{"id": "U1", "name": "bob", "profile": {"email": "bob@harbourfinch.example", "real_name": "Bob Tanaka"}},
                           {"id": "U2", "name": "alice", "profile": {"email": "alice@harbourfinch.example", "real_name": "Alice Moreau"}}]);
        let day = json!([{"type": "message", "user": "U2", "ts": "1767258060.000200", "text": format!("db login: {}", self.old)}]);
        self.put("slack/users.json", &users.to_string());
        self.put("slack/channels.json", &json!([{"id": "C1", "name": "ops", "members": ["U1", "U2"]}]).to_string());
        self.put("slack/ops/2026-01-01.json", &day.to_string());
    }

    /// The password stands in a commit that no branch reaches any more.
    fn repository(&self) {
        let git = |arguments: &[&str]| {
            let done = Command::new("git").args(arguments).current_dir(self.path("repo")).output().expect("git runs");
            assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        self.put("repo/README.md", "# The shop\n");
        git(&["init", "-q", "-b", "main"]);
        git(&["config", "user.name", "Alice Moreau"]);
        git(&["config", "user.email", "alice@harbourfinch.example"]);
        git(&["add", "."]);
        git(&["commit", "-qm", "Start"]);
        self.put("repo/settings.py", &format!("DATABASE = dict(user=\"{}\", password=\"{}\")\n", self.role, self.old));
        git(&["add", "."]);
        git(&["commit", "-qm", "Connect"]);
        git(&["reset", "-q", "--hard", "HEAD~1"]);
    }

    fn offkey(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
        command.args(arguments).arg("--home").arg(self.path("home")).current_dir(self.dir.path());
        command.output().expect("offkey runs")
    }

    fn sweep(&self) -> String {
        let swept = self.offkey(&[
            "sweep",
            "--identity",
            "alice.toml",
            "--config",
            "offkey.toml",
            "--case",
            "case",
            "repo",
            "slack",
        ]);
        assert_eq!(swept.status.code(), Some(11), "{}", said(&swept));
        let plan = self.offkey(&["plan", "--case", "case"]);
        let text = String::from_utf8_lossy(&plan.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix("digest ")).expect("a digest").to_owned()
    }

    /// Every file of the case, and what the program printed, without the values.
    fn assert_no_value(&self, outputs: &[Output], values: &[&str]) {
        let mut texts: Vec<Vec<u8>> = outputs.iter().flat_map(|o| [o.stdout.clone(), o.stderr.clone()]).collect();
        collect(&self.path("case"), &mut texts);
        for value in values {
            let found = texts.iter().any(|text| memchr::memmem::find(text, value.as_bytes()).is_some());
            assert!(!found, "a value leaked");
        }
    }
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_password_pasted_in_chat_is_rotated_in_postgres_and_openbao_and_the_old_one_is_dead() {
    let lab = Lab::require();
    let company = Company::found(&lab);
    let pg = lab.postgres();
    pg.login(&company.role, &company.old).expect("the old password works before");

    let digest = company.sweep();
    let untouched = company.offkey(&["apply", "--case", "case", "--digest", "000000000000"]);
    assert_eq!(untouched.status.code(), Some(2), "{}", said(&untouched));
    pg.login(&company.role, &company.old).expect("nothing was changed without the digest");

    let applied = company.offkey(&["apply", "--case", "case", "--digest", &digest]);
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));
    let refused = pg.login(&company.role, &company.old).expect_err("the old password is dead");
    assert!(refused.contains("password authentication failed"), "{refused}");
    let kept = lab.bao().must("GET", &format!("secret/data/{}/db", company.folder), None);
    let new = kept["data"]["data"]["password"].as_str().expect("a password").to_owned();
    assert_ne!(new, company.old);
    assert_eq!(kept["data"]["data"]["username"].as_str(), Some(company.role.as_str()), "siblings stay");
    pg.login(&company.role, &new).expect("consumers read a password that works");

    let confirmed = company.offkey(&["confirm", "--case", "case"]);
    assert_eq!(confirmed.status.code(), Some(0), "{}", said(&confirmed));
    let again = company.offkey(&["apply", "--case", "case", "--digest", &digest]);
    pg.login(&company.role, &new).expect("a second apply changes nothing");
    let verified = company.offkey(&["audit", "verify", "case"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let page = company.offkey(&["report", "--case", "case", "--format", "html"]);
    let html = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(html.contains("Alice Moreau") && html.contains("no branch or tag reaches"), "{html}");
    company.assert_no_value(&[untouched, applied, confirmed, again, verified, page], &[&company.old, &new]);
}

#[test]
fn a_password_changed_behind_the_plan_is_a_conflict_and_nothing_is_overwritten() {
    let lab = Lab::require();
    let company = Company::found(&lab);
    let digest = company.sweep();
    let foreign = unique("Foreign-Pw");
    lab.postgres().sql(&format!("ALTER ROLE {} PASSWORD '{foreign}'", company.role));
    let data = json!({"username": company.role, "password": foreign});
    lab.bao().must("POST", &format!("secret/data/{}/db", company.folder), Some(&json!({"data": data})));
    let applied = company.offkey(&["apply", "--case", "case", "--digest", &digest]);
    assert_eq!(applied.status.code(), Some(11), "{}", said(&applied));
    assert!(said(&applied).contains("plan again"), "{}", said(&applied));
    lab.postgres().login(&company.role, &foreign).expect("the foreign password still works");
    let kept = lab.bao().must("GET", &format!("secret/data/{}/db", company.folder), None);
    assert_eq!(kept["data"]["data"]["password"].as_str(), Some(foreign.as_str()));
    company.assert_no_value(&[applied], &[&company.old, &foreign]);
}

#[test]
fn the_rights_that_the_guide_names_are_enough_for_store_and_leaver() {
    let lab = Lab::require();
    let bao = lab.bao();
    let company = Company::found(&lab);
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rotate.md")).expect("the guide");
    let (_, rest) = guide.split_once("```hcl\n").expect("rights");
    let (rights, _) = rest.split_once("```").expect("their end");
    let policy = unique("guide");
    bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rights })));
    let made = bao.must("POST", "auth/token/create", Some(&json!({ "policies": [policy], "ttl": "1h" })));
    company.put("bao.token", made["auth"]["client_token"].as_str().expect("a token"));

    let login = crate::openbao_access::person(&bao, "alice");
    company.put(
        "alice.toml",
        &format!(
            "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\nlogins = [\"{}\"]\n",
            login.login
        ),
    );
    let config = std::fs::read_to_string(company.path("offkey.toml")).expect("readable");
    let access = format!(
        "\n[[provider]]\nname = \"bao-access\"\ntype = \"vault\"\naddress = \"{}\"\ntoken = {{ file = \"bao.token\" }}\naudit = [\"{}\"]\n",
        bao.addr,
        bao.audit_log.display()
    );
    company.put("offkey.toml", &format!("{config}{access}"));
    let swept = company.offkey(&["sweep", "--identity", "alice.toml", "--case", "case", "repo", "slack"]);
    assert_eq!(swept.status.code(), Some(11), "{}", said(&swept));
    let looked = said(&swept);
    let gaps: Vec<&str> =
        looked.lines().filter(|line| line.ends_with(" failed") && !line.ends_with(" 0 failed")).collect();
    assert!(gaps.is_empty() && looked.contains("provider bao-access"), "{looked}");
    let plan = company.offkey(&["plan", "--case", "case"]);
    let plan = said(&plan);
    let digest = plan.lines().find_map(|line| line.strip_prefix("digest ")).expect("a digest");
    let applied = company.offkey(&["apply", "--case", "case", "--digest", digest]);
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));
    assert!(!crate::openbao_access::works(&bao, &login.token), "her token is dead");
    assert!(lab.postgres().login(&company.role, &company.old).is_err(), "so is the password");
    let confirmed = company.offkey(&["confirm", "--case", "case"]);
    assert_eq!(confirmed.status.code(), Some(0), "{}", said(&confirmed));
}
