//! The program itself, killed after every single write to its journal and started again: it always comes to the same end, and
//! at no moment is there a consumer without a value that works.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use offkey::action::{Target, wait};
use offkey::clock;
use offkey::finding::Liveness;
use offkey::provider::{Keyring, KeyringServer, Provider};
use offkey::secret::SecretValue;

use crate::steps;

const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A repository that Alice wrote, three stores, an issuer that runs in this process.
pub(crate) struct Office {
    dir: tempfile::TempDir,
    pub(crate) server: KeyringServer,
    admin: SecretValue,
    /// Old value by account.
    pub(crate) old: BTreeMap<&'static str, SecretValue>,
}

pub(crate) fn text(value: &SecretValue) -> &str {
    value.expose_str().expect("text")
}

impl Office {
    pub(crate) fn open() -> Self {
        // In memory where there is such a place: what is tested is the death of a process, not that of a disk.
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.expect("a folder");
        let admin = clock::new_password(32, LETTERS);
        let server = KeyringServer::start(&dir.path().join("keyring.json"), admin.clone()).expect("starts");
        let old = BTreeMap::from([
            ("alice-token", clock::new_password(36, LETTERS)),
            ("shop", clock::new_password(24, LETTERS)),
            ("billing", clock::new_password(20, LETTERS)),
        ]);
        let office = Self { dir, server, admin, old };
        office.enrol();
        let put = |path: &str, text: String| {
            let path = office.path(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        put("admin.key", text(&office.admin).to_owned());
        put(
            "alice.toml",
            "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\nlogins = [\"amoreau\"]\n".to_owned(),
        );
        put(
            "offkey.toml",
            format!(
                "[[store]]\nname = \"files\"\ntype = \"files\"\npaths = [\"stores/shop.env\", \"stores/shop.yaml\", \"stores/billing.json\"]\n\n\
                 [[provider]]\nname = \"keyring\"\ntype = \"keyring\"\naddress = \"{}\"\nadmin = {{ file = \"admin.key\" }}\n",
                office.server.address()
            ),
        );
        let (shop, billing) = (text(&office.old["shop"]), text(&office.old["billing"]));
        put("stores/shop.env", format!("# the shop\nDB_USER=shop\nDB_PASSWORD={shop} # keep\n"));
        put("stores/shop.yaml", format!("db:\n  user: shop\n  password: '{shop}'  # the same\n"));
        put("stores/billing.json", format!("{{\n  \"user\": \"billing\",\n  \"password\": \"{billing}\"\n}}\n"));
        put(
            "repo/config.ini",
            format!(
                "[db]\npassword = {shop}\n[billing]\npassword = {billing}\n[ci]\ntoken = {}\n",
                text(&office.old["alice-token"])
            ),
        );
        office.commit();
        office
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// Puts the issuer back to the old values.
    pub(crate) fn enrol(&self) {
        for (account, value) in &self.old {
            let owner = (*account == "alice-token").then_some("amoreau");
            self.server.enrol(account, owner, value).expect("enrolled");
        }
    }

    fn commit(&self) {
        steps::alice_commits(&self.path("repo"), "config.ini", "Configure");
    }

    pub(crate) fn offkey(&self, arguments: &[&str], crash_after: Option<usize>) -> Output {
        steps::offkey(self.dir.path(), arguments, crash_after)
    }

    pub(crate) fn accepts(&self, account: &str, value: &str) -> bool {
        let keyring = Keyring::new("keyring", self.server.address(), self.admin.clone());
        let at = Target { system: "keyring".to_owned(), locator: format!("role:{account}") };
        match wait(keyring.validate(&at, &SecretValue::from(value.to_owned()))) {
            Liveness::Live => true,
            Liveness::Dead(_) => false,
            Liveness::Unknown(why) => panic!("the keyring does not answer: {why}"),
        }
    }

    /// Every text of the stores, private files beside them included.
    pub(crate) fn stores(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(self.path("stores")).expect("folder") {
            let path = entry.expect("entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            all.insert(name, fs::read_to_string(path).expect("text"));
        }
        all
    }

    /// Whether some value that stands in the stores works for a role: words of the texts are tried as people would.
    pub(crate) fn somebody_can_log_in(&self, account: &str) -> bool {
        let words = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| w.len() >= 16).map(str::to_owned).collect()
        };
        self.stores().values().flat_map(|text| words(text)).any(|word| self.accepts(account, &word))
    }

    /// Sweeps and gives the digest of the plan.
    pub(crate) fn sweep(&self) -> String {
        let swept = self.offkey(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"], None);
        assert_eq!(swept.status.code(), Some(11), "{}", told(&swept));
        let plan = fs::read(self.path("case/plan.json")).expect("a plan");
        serde_json::from_slice::<offkey::plan::Plan>(&plan).expect("a plan").digest()
    }

    pub(crate) fn apply(&self, digest: &str) -> Output {
        self.offkey(&["apply", "--case", "case", "--digest", digest], None)
    }

    pub(crate) fn confirm(&self) -> Output {
        self.offkey(&["confirm", "--case", "case"], None)
    }

    fn check_end(&self, when: &str) {
        let stores = self.stores();
        assert_eq!(stores.len(), 3, "{when}: something is left beside the stores: {:?}", stores.keys());
        let password = |file: &str, before: &str, after: &str| {
            let text = &stores[file];
            let start = text.find(before).expect("the text before") + before.len();
            text[start..start + text[start..].find(after).expect("the text after")].to_owned()
        };
        let shop = password("shop.env", "DB_PASSWORD=", " # keep\n");
        assert_eq!(shop, password("shop.yaml", "password: '", "'  # the same\n"), "{when}: two copies differ");
        let billing = password("billing.json", "\"password\": \"", "\"\n}\n");
        for (account, new) in [("shop", &shop), ("billing", &billing)] {
            assert!(self.accepts(account, new), "{when}: the new value of {account} does not work");
        }
        for (account, old) in &self.old {
            assert!(!self.accepts(account, text(old)), "{when}: the old value of {account} lives");
        }
        let values: Vec<&str> = self.old.values().map(text).chain([shop.as_str(), &billing]).collect();
        self.check_case_has_none(&values, when);
    }

    fn check_case_has_none(&self, values: &[&str], when: &str) {
        for entry in fs::read_dir(self.path("case")).expect("folder") {
            let path = entry.expect("entry").path();
            let bytes = fs::read(&path).expect("readable");
            for value in values {
                let there = memchr::memmem::find(&bytes, value.as_bytes()).is_some();
                assert!(!there, "{when}: a value is in {}", path.display());
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

pub(crate) fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Kills `apply` after each write whose number leaves `part` when divided by [`PARTS`]; all parts together kill it after every
/// write. Each part ends with a run that is not killed.
fn killed_after_each_write_of(part: usize) {
    let office = Office::open();
    let digest = office.sweep();
    for folder in ["case", "stores"] {
        copy(&office.path(folder), &office.path(&format!("{folder}.before")));
    }
    let apply = ["apply", "--case", "case", "--digest", digest.as_str()];
    let mut last = 0;
    for writes in (1..).filter(|writes| writes % PARTS == part) {
        for folder in ["case", "stores"] {
            copy(&office.path(&format!("{folder}.before")), &office.path(folder));
        }
        office.enrol();
        let first = office.offkey(&apply, Some(writes));
        let when = format!("killed after write {writes}");
        for account in ["shop", "billing"] {
            assert!(office.somebody_can_log_in(account), "{when}: no value works for {account}");
        }
        if first.status.code().is_some() {
            assert_eq!(first.status.code(), Some(0), "{}", told(&first));
            office.check_end("never killed");
            last = writes;
            break;
        }
        // Killed once more on the way, at another distance, then left alone.
        let second = office.offkey(&apply, Some(1 + writes % 5));
        for account in ["shop", "billing"] {
            assert!(office.somebody_can_log_in(account), "{when} and again: no value works for {account}");
        }
        let third = office.offkey(&apply, None);
        assert_eq!(third.status.code(), Some(0), "{when}: {}{}", told(&second), told(&third));
        office.check_end(&when);
    }
    assert!(last > 30, "only {last} writes: the plan does not do what this test is about");
    let confirmed = office.offkey(&["confirm", "--case", "case"], None);
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
    let verified = office.offkey(&["audit", "verify", "case"], None);
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    let values: Vec<&str> = office.old.values().map(text).collect();
    office.check_case_has_none(&values, "confirmed");
    for value in values {
        assert!(!told(&confirmed).contains(value), "a value was printed");
    }
}

/// Parts of the test below: they run side by side.
const PARTS: usize = 4;

#[test]
fn killed_after_every_write_it_comes_to_the_same_end_first_part() {
    killed_after_each_write_of(1);
}

#[test]
fn killed_after_every_write_it_comes_to_the_same_end_second_part() {
    killed_after_each_write_of(2);
}

#[test]
fn killed_after_every_write_it_comes_to_the_same_end_third_part() {
    killed_after_each_write_of(3);
}

#[test]
fn killed_after_every_write_it_comes_to_the_same_end_fourth_part() {
    killed_after_each_write_of(0);
}
