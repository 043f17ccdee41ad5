//! Harbour & Finch: two people, one repository, one chat export, two stores, three credentials.

use std::path::{Path, PathBuf};

use git2::{Repository, Signature, Time};
use serde_json::json;

use crate::action::{Target, wait};
use crate::clock;
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::provider::{Keyring, KeyringServer, Provider};
use crate::secret::SecretValue;

/// A founded company with its running keyring.
pub(super) struct Company {
    dir: PathBuf,
    server: KeyringServer,
    admin: SecretValue,
    story: String,
    /// What it is, its account, and the value that must die.
    old: Vec<(&'static str, &'static str, SecretValue)>,
}

const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

impl Company {
    /// Builds everything in `dir`. All values are made up now.
    pub(super) fn found(dir: &Path) -> Result<Self> {
        let admin = clock::new_password(32, LETTERS);
        let server = KeyringServer::start(&dir.join("keyring.json"), admin.clone())?;
        // A token with a shape, a password with one, and one that no rule would take for a secret.
        let token = prefixed("ghp_", &clock::new_password(30, LETTERS));
        let database = clock::new_password(24, LETTERS);
        let billing = prefixed("finch", &clock::new_password(4, b"23456789"));
        server.enrol("alice-token", Some("amoreau"), &token)?;
        server.enrol("shop-db", None, &database)?;
        server.enrol("billing", None, &billing)?;
        let old = vec![
            ("token of Alice", "token:alice-token", token),
            ("password of the shop's database", "role:shop-db", database),
            ("password of the billing service", "role:billing", billing),
        ];
        let company = Self { dir: dir.to_owned(), server, admin, story: STORY.to_owned(), old };
        company.write().map_err(|cause| Error::user("the demo's files cannot be written").because(cause))?;
        company.commit().map_err(|cause| Error::internal("the demo's repository cannot be made").because(cause))?;
        Ok(company)
    }

    pub(super) fn story(&self) -> &str {
        &self.story
    }

    /// What is searched.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        vec![self.dir.join("shop"), self.dir.join("slack-export")]
    }

    /// Logs in with every value of before.
    pub(super) fn try_old_values(&self) -> Vec<(&'static str, Liveness)> {
        let keyring = Keyring::new("keyring", self.server.address(), self.admin.clone());
        let probe = |(what, account, value): &(&'static str, &str, SecretValue)| {
            let at = Target { system: "keyring".to_owned(), locator: (*account).to_owned() };
            (*what, wait(keyring.validate(&at, value)))
        };
        self.old.iter().map(probe).collect()
    }

    fn value(&self, number: usize) -> &str {
        self.old[number].2.expose_str().expect("because the demo's values are text")
    }

    fn write(&self) -> std::io::Result<()> {
        let put = |path: &str, text: String| {
            let path = self.dir.join(path);
            std::fs::create_dir_all(path.parent().expect("because every path has a folder"))?;
            std::fs::write(path, text)
        };
        put("alice.toml", IDENTITY.to_owned())?;
        put("admin.key", self.value_of_admin())?;
        put(
            "offkey.toml",
            format!("{CONFIG}address = \"{}\"\nadmin = {{ file = \"admin.key\" }}\n", self.server.address()),
        )?;
        put(
            "stores/shop.env",
            format!(
                "# read by the shop at start\nDB_USER=shop-db\nDB_PASSWORD={} # rotate with care\nDB_HOST=db.internal\n",
                self.value(1)
            ),
        )?;
        put(
            "stores/billing.yaml",
            format!(
                "# read by the billing job\nbilling:\n  user: billing\n  password: '{}'\n  retries: 3\n",
                self.value(2)
            ),
        )?;
        self.chat(&put)
    }

    fn value_of_admin(&self) -> String {
        self.admin.expose_str().expect("because it was drawn from letters").to_owned()
    }

    /// A Slack export: Alice pastes the database password in a channel and, in base64, the other one in a direct message.
    fn chat(&self, put: &dyn Fn(&str, String) -> std::io::Result<()>) -> std::io::Result<()> {
        let user = |id: &str, name: &str, real: &str, email: &str| {
            json!({"id": id, "name": name, "deleted": false, "is_bot": false,
                   "profile": {"email": email, "real_name": real, "display_name": name}})
        };
        let users = json!([
            user("U01BOB", "bob", "Bob Tanaka", "bob@harbourfinch.example"),
            user("U02ALICE", "alice.m", "Alice Moreau", "alice@harbourfinch.example"),
        ]);
        let members = json!(["U01BOB", "U02ALICE"]);
        let message =
            |user: &str, ts: &str, text: String| json!({"type": "message", "user": user, "ts": ts, "text": text});
        let encoded = data_encoding::BASE64.encode(format!("billing:{}", self.value(2)).as_bytes());
        let ops = json!([
            message(
                "U01BOB",
                "1767258000.000100",
                "the shop cannot reach its database &amp; I have no password here".to_owned()
            ),
            message("U02ALICE", "1767258060.000200", format!("use this for now: `DB_PASSWORD={}`", self.value(1))),
        ]);
        let direct =
            json!([message("U02ALICE", "1767344400.000300", format!("billing login for the export job: {encoded}"))]);
        put("slack-export/users.json", users.to_string())?;
        put(
            "slack-export/channels.json",
            json!([{"id": "C01OPS", "name": "ops", "is_archived": false, "members": members}]).to_string(),
        )?;
        put("slack-export/dms.json", json!([{"id": "D01AB", "members": members}]).to_string())?;
        put("slack-export/ops/2026-01-01.json", ops.to_string())?;
        put("slack-export/D01AB/2026-01-02.json", direct.to_string())
    }

    /// Alice commits a token under an old address, Bob removes it in the next commit: history keeps it.
    fn commit(&self) -> Result<(), git2::Error> {
        let repository = Repository::init(self.dir.join("shop"))?;
        let bob = Signature::new("Bob Tanaka", "bob@harbourfinch.example", &Time::new(1_767_171_600, 0))?;
        let alice = Signature::new("Alice", "a.moreau@old-harbour.example", &Time::new(1_767_175_200, 0))?;
        let mailmap = "Alice Moreau <alice@harbourfinch.example> <a.moreau@old-harbour.example>\n";
        let deploy = format!("#!/bin/sh\nexport DEPLOY_TOKEN={}\n./push-images\n", self.value(0));
        save(&repository, &bob, "Start the shop", &[("README.md", "# The shop\n"), (".mailmap", mailmap)])?;
        save(&repository, &alice, "Deploy from the pipeline", &[("deploy.sh", &deploy)])?;
        let bob = Signature::new("Bob Tanaka", "bob@harbourfinch.example", &Time::new(1_767_182_400, 0))?;
        save(&repository, &bob, "Take the token out", &[("deploy.sh", "#!/bin/sh\n./push-images\n")])
    }
}

/// Commits files on top of what is there.
fn save(
    repository: &Repository,
    who: &Signature<'_>,
    message: &str,
    files: &[(&str, &str)],
) -> Result<(), git2::Error> {
    let mut index = repository.index()?;
    let folder = repository.workdir().expect("because the demo's repository has a work tree");
    for (name, text) in files {
        std::fs::write(folder.join(name), text).map_err(|error| git2::Error::from_str(&error.to_string()))?;
        index.add_path(Path::new(name))?;
    }
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let parent = repository.head().and_then(|head| head.peel_to_commit()).ok();
    repository.commit(Some("HEAD"), who, who, message, &tree, &parent.iter().collect::<Vec<_>>()).map(drop)
}

fn prefixed(prefix: &str, random: &SecretValue) -> SecretValue {
    let mut value = prefix.as_bytes().to_vec();
    value.extend_from_slice(random.expose());
    if prefix == "ghp_" {
        // The token's shape has a checksum; the embedded keyring issues it, no code host knows it.
        let sum = crate::rule::Structure::GithubCrc32.sum(&value).expect("because the check has a sum");
        value.extend_from_slice(sum.as_bytes());
    }
    SecretValue::new(value)
}

const IDENTITY: &str = "\
name = \"Alice Moreau\"
emails = [\"alice@harbourfinch.example\"]
logins = [\"amoreau\"]
";

const CONFIG: &str = "\
[[store]]
name = \"files\"
type = \"files\"
paths = [\"stores/shop.env\", \"stores/billing.yaml\"]

[[provider]]
name = \"keyring\"
type = \"keyring\"
";

const STORY: &str = "\
Harbour & Finch runs a shop. Bob Tanaka and Alice Moreau work there.
  - Alice committed a deploy token of her own to the repository, under an old address; Bob took it out, history kept it.
  - The shop's database password lies in stores/shop.env; Alice pasted it in the channel #ops.
  - The billing password lies in stores/billing.yaml. It looks like no secret, and Alice sent it to Bob in base64:
    no rule finds that; the value itself, read from the store, does.
A keyring service on this machine accepts these values, and only these.";
