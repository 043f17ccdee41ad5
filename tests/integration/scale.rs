//! Many shared passwords in one case, over OpenBao, Secrets Manager and PostgreSQL, with the program killed again and again.
//!
//! `OFFKEY_SCALE=500 OFFKEY_SCALE_KILLS=10` makes a bench of it: benches/rotate.sh.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::departure::said;
use crate::lab::{Aws, Lab, Postgres, PrivateVault, unique};
use crate::steps::{alice_commits, collect, offkey};

/// A role, its password, and whether OpenBao keeps it (Secrets Manager otherwise).
struct Shared {
    role: String,
    old: String,
    in_bao: bool,
}

struct Company {
    dir: tempfile::TempDir,
    bao: PrivateVault,
    pg: Postgres,
    aws: Aws,
    prefix: String,
    all: Vec<Shared>,
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

impl Company {
    fn with(count: usize) -> Self {
        let lab = Lab::require();
        let (bao, pg, aws) = (PrivateVault::start(), lab.postgres(), lab.ministack());
        let prefix = unique("scale");
        let shared =
            |n: usize| Shared { role: format!("{prefix}_{n}"), old: unique("Harbour-Pw"), in_bao: n.is_multiple_of(2) };
        let all: Vec<Shared> = (0..count).map(shared).collect();
        let create = |one: &Shared| format!("CREATE ROLE {} LOGIN PASSWORD '{}';\n", one.role, one.old);
        pg.sql(&all.iter().map(create).collect::<String>());
        let text =
            |one: &Shared| json!({ "username": one.role, "password": one.old, "host": pg.host, "port": pg.port });
        let mut script = "sm = client('secretsmanager')\n".to_owned();
        for one in &all {
            if one.in_bao {
                let path = format!("secret/data/{prefix}/{}", one.role);
                bao.vault.must("POST", &path, Some(&json!({ "data": text(one) })));
            } else {
                script +=
                    &format!("sm.create_secret(Name='{prefix}/{}', SecretString='''{}''')\n", one.role, text(one));
            }
        }
        aws.must(&script);
        let company = Self { dir: tempfile::tempdir().expect("a folder"), bao, pg, aws, prefix, all };
        company.files();
        company
    }

    fn files(&self) {
        let put = |name: &str, text: &str| std::fs::write(self.dir.path().join(name), text).expect("written");
        put("alice.toml", "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\n");
        put("bao.token", &self.bao.vault.token);
        put("pg.password", &self.pg.password);
        put("aws.key", &self.aws.key);
        let (bao, pg, aws) = (&self.bao.vault, &self.pg, &self.aws);
        put(
            "offkey.toml",
            &format!(
                "[[store]]\nname = \"bao\"\ntype = \"vault-kv\"\naddress = \"{}\"\ntoken = {{ file = \"bao.token\" }}\n\n\
                 [[store]]\nname = \"aws\"\ntype = \"aws-secrets\"\nprefixes = [\"{}/\"]\nregion = \"{}\"\nendpoint = \"{}\"\n\
                 key_id = \"{}\"\nkey = {{ file = \"aws.key\" }}\n\n\
                 [[provider]]\nname = \"db\"\ntype = \"postgres\"\nhost = \"{}\"\nport = {}\nuser = \"{}\"\n\
                 password = {{ file = \"pg.password\" }}\n\n[policy]\ncap = {}\n",
                bao.addr,
                self.prefix,
                aws.region,
                aws.url,
                aws.key_id,
                pg.host,
                pg.port,
                pg.user,
                self.all.len()
            ),
        );
        let repo = self.dir.path().join("repo");
        std::fs::create_dir(&repo).expect("made");
        let line = |one: &Shared| format!("connect(user=\"{}\", password=\"{}\")\n", one.role, one.old);
        std::fs::write(repo.join("all.py"), self.all.iter().map(line).collect::<String>()).expect("written");
        alice_commits(&repo, "all.py", "connect");
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
        command.args(arguments).current_dir(self.dir.path()).env("OFFKEY_HOME", self.dir.path().join("home"));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("offkey starts")
    }

    /// What each store keeps now.
    fn kept(&self) -> Vec<String> {
        let script = format!(
            "import json\nsm = client('secretsmanager')\nfor n in range(1, {}, 2):\n  \
             print(json.loads(sm.get_secret_value(SecretId=f'{p}/{p}_{{n}}')['SecretString'])['password'])",
            self.all.len(),
            p = self.prefix
        );
        let cloud = self.aws.must(&script);
        let mut cloud = cloud.lines().map(str::to_owned);
        let of_bao = |one: &Shared| {
            let entry: Value = self.bao.vault.must("GET", &format!("secret/data/{}/{}", self.prefix, one.role), None);
            entry["data"]["data"]["password"].as_str().expect("a password").to_owned()
        };
        self.all.iter().map(|one| if one.in_bao { of_bao(one) } else { cloud.next().expect("as many") }).collect()
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "the bench reads it")]
fn many_secrets_are_rotated_although_the_program_is_killed_again_and_again() {
    let (count, kills) = (number("OFFKEY_SCALE", 24), number("OFFKEY_SCALE_KILLS", 3));
    let company = Company::with(count);
    let run = |arguments: &[&str]| offkey(company.dir.path(), arguments, None);
    let begun = Instant::now();
    let swept = run(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"]);
    assert_eq!(swept.status.code(), Some(11), "{}", said(&swept));
    let sweep = begun.elapsed();
    let plan = std::fs::read(company.dir.path().join("case/plan.json")).expect("a plan");
    let plan: offkey::plan::Plan = serde_json::from_slice(&plan).expect("a plan");
    let digest = plan.digest();
    let begun = Instant::now();
    let mut killed = 0;
    // Five to seven steps are done for each secret: killed at any of them, the places spread by a small generator.
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ std::process::id() as u64;
    for _ in 0..kills {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let lines = 1 + (state >> 33) as usize % (count * 6 / kills.max(1));
        let mut child = company.start(&["apply", "--case", "case", "--digest", &digest]);
        let steps = BufReader::new(child.stderr.take().expect("a pipe")).lines().take(lines).count();
        child.kill().expect("SIGKILL");
        killed += usize::from(steps == lines && child.wait().expect("ended").code().is_none());
    }
    assert!(killed > 0, "the program was killed at work at least once");
    let applied = run(&["apply", "--case", "case", "--digest", &digest]);
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));
    let apply = begun.elapsed();

    let kept = company.kept();
    for (one, new) in company.all.iter().zip(&kept) {
        assert_ne!(one.old, *new, "{}", one.role);
        company.pg.login(&one.role, new).expect("what consumers read works");
        assert!(company.pg.login(&one.role, &one.old).is_err(), "the old password of {} is dead", one.role);
    }
    let begun = Instant::now();
    let confirmed = run(&["confirm", "--case", "case"]);
    assert_eq!(confirmed.status.code(), Some(0), "{}", said(&confirmed));
    let confirm = begun.elapsed();
    let asked = std::fs::read_to_string(&company.bao.vault.audit_log).expect("a log");
    let asked =
        asked.lines().filter(|line| line.contains("\"type\":\"request\"") && line.contains(&company.prefix)).count();
    println!(
        "{count} secrets, killed {killed} times: sweep {sweep:.1?}, apply {apply:.1?}, confirm {confirm:.1?}, \
         {:.1} calls of OpenBao for each of its secrets",
        asked as f64 / (count as f64 / 2.0)
    );
    let mut texts =
        vec![swept.stdout, swept.stderr, applied.stdout, applied.stderr, confirmed.stdout, confirmed.stderr];
    collect(&company.dir.path().join("case"), &mut texts);
    for value in company.all.iter().map(|one| &one.old).chain(&kept) {
        let leaked = texts.iter().any(|text| memchr::memmem::find(text, value.as_bytes()).is_some());
        assert!(!leaked, "a value leaked");
    }
}
