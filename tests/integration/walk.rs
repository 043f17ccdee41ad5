//! One departure on real servers, by the program itself: a password that Alice wrote down is rotated in PostgreSQL, OpenBao and
//! a local file, with the program killed on the way, and witnesses without any code of offkey see the old value fail.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use offkey::clock;
use offkey::secret::SecretValue;
use serde_json::json;

use crate::lab::{Lab, Postgres, Vault, unique};
use crate::steps;

const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A shop whose database password Alice wrote down: kept in OpenBao and in a file, set in PostgreSQL.
pub(crate) struct Shop {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) bao: Vault,
    pub(crate) postgres: Postgres,
    pub(crate) role: String,
    pub(crate) folder: String,
    pub(crate) old: SecretValue,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let lab = Lab::require();
        let (bao, postgres) = (lab.bao(), lab.postgres());
        let (role, folder) = (unique("shop"), unique("walk"));
        let old = clock::new_password(24, LETTERS);
        let shop = Self { dir: tempfile::tempdir().expect("a folder"), bao, postgres, role, folder, old };
        let password = shop.old();
        shop.postgres.sql(&format!("create role {} login password '{password}'", shop.role));
        let entry = json!({ "data": {
            "username": shop.role, "password": password, "host": shop.postgres.host, "port": shop.postgres.port.to_string(),
            "motto": "siblings stay as they are",
        } });
        shop.bao.must("POST", &format!("secret/data/{}/db", shop.folder), Some(&entry));
        shop.write(password);
        shop
    }

    pub(crate) fn old(&self) -> &str {
        self.old.expose_str().expect("text")
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    fn write(&self, password: &str) {
        let put = |path: &str, text: String| {
            let path = self.path(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        put("alice.toml", "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\n".to_owned());
        put("bao.token", self.bao.token.clone());
        put("postgres.word", self.postgres.password.clone());
        put(
            "offkey.toml",
            format!(
                "[[store]]\nname = \"bao\"\ntype = \"vault-kv\"\naddress = \"{}\"\ntoken = {{ file = \"bao.token\" }}\nfolders = [\"{}\"]\n\
                 pending = \"{}-pending\"\n\n\
                 [[store]]\nname = \"files\"\ntype = \"files\"\npaths = [\"shop.env\"]\n\n\
                 [[provider]]\nname = \"db\"\ntype = \"postgres\"\nhost = \"{}\"\nport = {}\ndatabase = \"{}\"\nuser = \"{}\"\n\
                 password = {{ file = \"postgres.word\" }}\n",
                self.bao.addr,
                self.folder,
                self.folder,
                self.postgres.host,
                self.postgres.port,
                self.postgres.database,
                self.postgres.user
            ),
        );
        put(
            "shop.env",
            format!(
                "# the shop\nDB_USER={}\nDB_PASSWORD={password}\nDB_HOST={}\nDB_PORT={}\n",
                self.role, self.postgres.host, self.postgres.port
            ),
        );
        put("repo/notes.md", format!("the database wants {password} at the moment\n"));
        steps::alice_commits(&self.path("repo"), "notes.md", "Note it");
    }

    pub(crate) fn offkey(&self, arguments: &[&str], crash_after: Option<usize>) -> Output {
        steps::offkey(self.dir.path(), arguments, crash_after)
    }

    /// What consumers of OpenBao read now.
    pub(crate) fn in_bao(&self) -> serde_json::Value {
        self.bao.must("GET", &format!("secret/data/{}/db", self.folder), None)["data"]["data"].clone()
    }

    pub(crate) fn in_file(&self) -> String {
        let text = fs::read_to_string(self.path("shop.env")).expect("there");
        let line = text.lines().find_map(|line| line.strip_prefix("DB_PASSWORD=")).expect("the line is kept");
        line.to_owned()
    }
}

pub(crate) fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_password_that_alice_wrote_down_is_rotated_everywhere_although_the_program_dies_on_the_way() {
    let shop = Shop::open();
    let swept = shop.offkey(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"], None);
    assert_eq!(swept.status.code(), Some(11), "{}", told(&swept));
    let plan = fs::read(shop.path("case/plan.json")).expect("a plan");
    let plan: offkey::plan::Plan = serde_json::from_slice(&plan).expect("a plan");
    assert_eq!(plan.changes(), 1, "{}", told(&swept));
    let digest = plan.digest();
    assert_eq!(shop.postgres.login(&shop.role, shop.old()), Ok(()), "a sweep changes nothing");

    let apply = ["apply", "--case", "case", "--digest", digest.as_str()];
    let mut deaths = 0;
    // Every second write is a death, until there is nothing left to do.
    let last = loop {
        let run = shop.offkey(&apply, Some(2));
        if run.status.code().is_some() {
            break run;
        }
        deaths += 1;
        assert!(deaths < 60, "does not converge: {}", told(&run));
    };
    assert_eq!(last.status.code(), Some(0), "{}", told(&last));
    assert!(deaths > 8, "it died only {deaths} times");

    let (bao, file) = (shop.in_bao(), shop.in_file());
    assert_eq!(bao["password"].as_str(), Some(file.as_str()), "both stores have the same new value");
    assert_eq!(bao["motto"].as_str(), Some("siblings stay as they are"));
    assert_eq!(shop.postgres.login(&shop.role, &file), Ok(()));
    let rejected = shop.postgres.login(&shop.role, shop.old()).expect_err("the old value is dead");
    assert!(rejected.contains("password authentication failed"), "{rejected}");
    let (status, first) = shop.bao.call("GET", &format!("secret/data/{}/db?version=1", shop.folder), None);
    assert!(status == 404 || first["data"]["data"].is_null(), "the old version can still be read: {status}");

    let confirmed = shop.offkey(&["confirm", "--case", "case"], None);
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
    let verified = shop.offkey(&["audit", "verify", "case"], None);
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    for entry in fs::read_dir(shop.path("case")).expect("folder") {
        let bytes = fs::read(entry.expect("entry").path()).expect("readable");
        for value in [shop.old(), &file, &shop.bao.token, &shop.postgres.password] {
            assert!(memchr::memmem::find(&bytes, value.as_bytes()).is_none(), "a value is in the case");
        }
    }
    for output in [&swept, &last, &confirmed] {
        assert!(!told(output).contains(shop.old()) && !told(output).contains(&file), "a value was printed");
    }
}
