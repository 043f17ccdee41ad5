//! One departure on everything at once: a real repository with its history, a real Slack export, OpenBao with its audit log,
//! PostgreSQL, Secrets Manager, IAM. Every old value is seen to fail by witnesses that share no code with offkey.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::departure::said;
use crate::lab::{Aws, Lab, Postgres, PrivateVault, unique};
use crate::openbao_access::{Person, person};
use crate::steps::collect;

/// What Alice left behind.
struct Remains {
    dir: tempfile::TempDir,
    bao: PrivateVault,
    pg: Postgres,
    aws: Aws,
    alice: Person,
    /// Role whose password is in OpenBao, and that password: she read it there and pasted it in chat.
    shop: (String, String),
    /// Role whose password is in Secrets Manager, and that password: she committed it.
    billing: (String, String),
    /// Her IAM user, key id and key: pasted in chat.
    key: (String, String, String),
}

impl Remains {
    fn make() -> Self {
        let lab = Lab::require();
        let (bao, pg, aws) = (PrivateVault::start(), lab.postgres(), lab.ministack());
        let alice = person(&bao.vault, "alice");
        let shop = (unique("shop"), unique("Harbour-Pw"));
        let billing = (unique("billing"), unique("Finch-Pw"));
        for (role, password) in [&shop, &billing] {
            pg.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"));
        }
        let data =
            json!({ "username": shop.0, "password": shop.1, "host": pg.host, "port": pg.port, "engine": "postgres" });
        bao.vault.must("POST", "secret/data/shop/db", Some(&json!({ "data": data })));
        let (status, _) = bao.vault.call_as(&alice.token, "GET", "secret/data/shop/db", None);
        assert_eq!(status, 200, "Alice reads the password in OpenBao");
        let text = json!({ "username": billing.0, "password": billing.1, "host": pg.host, "port": pg.port, "engine": "postgres" });
        aws.must(&format!("client('secretsmanager').create_secret(Name='{}/db', SecretString='{text}')", billing.0));
        let user = unique("alice");
        let made = aws.must(&format!(
            "iam = client('iam')\niam.create_user(UserName='{user}')\nkey = iam.create_access_key(UserName='{user}')['AccessKey']\n\
             print(key['AccessKeyId'], key['SecretAccessKey'])"
        ));
        let (id, secret) = made.trim().split_once(' ').expect("id and key");
        let key = (user, id.to_owned(), secret.to_owned());
        let remains = Self { dir: tempfile::tempdir().expect("a folder"), bao, pg, aws, alice, shop, billing, key };
        remains.settings();
        remains.repository();
        remains.chat();
        remains
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn settings(&self) {
        self.put(
            "alice.toml",
            &format!(
                "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\nchat_ids = [\"{SPEAKER}\"]\n\
                 vault_aliases = [\"userpass/{}\"]\naws_users = [\"{}\"]\n",
                self.alice.login, self.key.0
            ),
        );
        self.put("bao.token", &self.bao.vault.token);
        self.put("pg.password", &self.pg.password);
        self.put("aws.key", &self.aws.key);
        let (bao, pg, aws) = (&self.bao.vault, &self.pg, &self.aws);
        let vault = format!(
            "address = \"{}\"\ntoken = {{ file = \"bao.token\" }}\naudit = [\"{}\"]\n",
            bao.addr,
            bao.audit_log.display()
        );
        let cloud = format!(
            "region = \"{}\"\nendpoint = \"{}\"\nkey_id = \"{}\"\nkey = {{ file = \"aws.key\" }}\n",
            aws.region, aws.url, aws.key_id
        );
        let database = format!(
            "host = \"{}\"\nport = {}\nuser = \"{}\"\npassword = {{ file = \"pg.password\" }}\n",
            pg.host, pg.port, pg.user
        );
        self.put(
            "offkey.toml",
            &format!(
                "[[store]]\nname = \"bao\"\ntype = \"vault-kv\"\n{vault}\n\
                 [[store]]\nname = \"aws\"\ntype = \"aws-secrets\"\nprefixes = [\"{}\"]\n{cloud}\n\
                 [[provider]]\nname = \"bao-access\"\ntype = \"vault\"\n{vault}\n\
                 [[provider]]\nname = \"aws-iam\"\ntype = \"aws-iam\"\n{cloud}\n\
                 [[provider]]\nname = \"db\"\ntype = \"postgres\"\n{database}",
                self.billing.0
            ),
        );
    }

    /// This project's own repository, with one more commit.
    fn repository(&self) {
        let git = |folder: &Path, arguments: &[&str]| {
            let done = Command::new("git").args(arguments).current_dir(folder).output().expect("git runs");
            assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        let repo = self.path("repo");
        git(self.dir.path(), &["clone", "-q", "--no-hardlinks", env!("CARGO_MANIFEST_DIR"), "repo"]);
        git(&repo, &["checkout", "-q", "-b", "billing"]);
        git(&repo, &["config", "user.name", "Alice Moreau"]);
        git(&repo, &["config", "user.email", "alice@harbourfinch.example"]);
        self.put(
            "repo/billing.py",
            &format!("connect(user=\"{}\", password=\"{}\")\n", self.billing.0, self.billing.1),
        );
        git(&repo, &["add", "billing.py"]);
        git(&repo, &["commit", "-qm", "Connect the billing"]);
    }

    /// A real export, where it is at hand, with what Alice wrote in it.
    #[allow(clippy::print_stdout, reason = "what is left out is said")]
    fn chat(&self) {
        let sample =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/slack/slackdump-export/source_export_dir");
        if sample.is_dir() {
            copy(&sample, &self.path("slack"));
        } else {
            println!("SKIPPED in part: no Slack samples at {}; a small export is made instead", sample.display());
            self.put("slack/users.json", &json!([{ "id": SPEAKER, "name": "alice" }]).to_string());
            self.put(
                "slack/channels.json",
                &json!([{ "id": "C1", "name": CHANNEL, "members": [SPEAKER] }]).to_string(),
            );
        }
        let said = [
            format!("the shop's database wants {}", self.shop.1),
            format!("use my token: {}", self.alice.token),
            format!("and for the bucket {} {}", self.key.1, self.key.2),
        ];
        let messages: Vec<Value> = said
            .iter()
            .enumerate()
            .map(|(n, text)| json!({ "type": "message", "user": SPEAKER, "ts": format!("17369000{n:02}.000100"), "text": text }))
            .collect();
        self.put(&format!("slack/{CHANNEL}/2025-01-15.json"), &Value::from(messages).to_string());
    }

    fn offkey(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
        command.args(arguments).env("OFFKEY_HOME", self.path("home")).current_dir(self.dir.path());
        command.output().expect("offkey runs")
    }

    fn works_at_bao(&self) -> bool {
        self.bao.vault.call_as(&self.alice.token, "GET", "auth/token/lookup-self", None).0 == 200
    }

    fn in_secrets_manager(&self) -> String {
        let script = format!(
            "import json\nprint(json.loads(client('secretsmanager').get_secret_value(SecretId='{}/db', VersionStage='AWSCURRENT')\
             ['SecretString'])['password'])",
            self.billing.0
        );
        self.aws.must(&script).trim().to_owned()
    }
}

/// A user of the real export.
const SPEAKER: &str = "UO1D8E698D";
/// A channel of the real export.
const CHANNEL: &str = "B75B4C7";

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("readable") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("named"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}

#[test]
fn what_alice_left_in_four_systems_is_ended_and_every_old_value_is_seen_to_fail() {
    let remains = Remains::make();
    let (shop, billing, key) = (&remains.shop, &remains.billing, &remains.key);
    for (role, password) in [shop, billing] {
        remains.pg.login(role, password).expect("works before");
    }
    remains.aws.whose(&key.1, &key.2).expect("works before");
    assert!(remains.works_at_bao());

    let swept = remains.offkey(&["sweep", "--identity", "alice.toml", "--case", "case", "repo", "slack"]);
    assert_eq!(swept.status.code(), Some(11), "{}", said(&swept));
    let report = remains.offkey(&["report", "--case", "case", "--format", "json"]);
    let text = String::from_utf8_lossy(&report.stdout);
    assert!(text.contains("did-read"), "that she read it in OpenBao is known: {text}");
    let plan: offkey::plan::Plan =
        serde_json::from_slice(&std::fs::read(remains.path("case/plan.json")).expect("a plan")).expect("a plan");
    let digest = plan.digest();

    let applied = remains.offkey(&["apply", "--case", "case", "--digest", &digest]);
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));

    // The witnesses: psql, curl, boto3.
    let kept = remains.bao.vault.must("GET", "secret/data/shop/db", None);
    let new_shop = kept["data"]["data"]["password"].as_str().expect("a password").to_owned();
    let new_billing = remains.in_secrets_manager();
    for ((role, old), new) in [(shop, &new_shop), (billing, &new_billing)] {
        assert_ne!(old, new);
        remains.pg.login(role, new).expect("consumers read a password that works");
        let refused = remains.pg.login(role, old).expect_err("the old password is dead");
        assert!(refused.contains("password authentication failed"), "{refused}");
    }
    assert_eq!(remains.aws.whose(&key.1, &key.2), Err("InvalidClientTokenId".to_owned()));
    assert!(!remains.works_at_bao(), "her token is dead");

    let confirmed = remains.offkey(&["confirm", "--case", "case"]);
    assert_eq!(confirmed.status.code(), Some(0), "{}", said(&confirmed));
    let verified = remains.offkey(&["audit", "verify", "case"]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let page = remains.offkey(&["report", "--case", "case", "--format", "html"]);

    let outputs = [swept, report, applied, confirmed, verified, page];
    let mut texts: Vec<Vec<u8>> = outputs.iter().flat_map(|one| [one.stdout.clone(), one.stderr.clone()]).collect();
    collect(&remains.path("case"), &mut texts);
    let values = [&shop.1, &billing.1, &key.2, &remains.alice.token, &new_shop, &new_billing];
    for (number, value) in values.iter().enumerate() {
        let found = texts.iter().any(|text| memchr::memmem::find(text, value.as_bytes()).is_some());
        assert!(!found, "value {number} leaked");
    }
}
