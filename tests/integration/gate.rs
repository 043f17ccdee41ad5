//! `offkey gate` on repositories that the git command line builds, run as a developer, a pipeline and a server run it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use offkey::ledger::{Entry, Ledger, State};
use offkey::secret::{Fingerprinter, SecretValue};

/// A folder with a repository and offkey's own folder beside it.
pub(crate) struct Ground {
    dir: tempfile::TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let ground = Self { dir: tempfile::tempdir().expect("a folder") };
        fs::create_dir(ground.repo()).expect("made");
        ground.git(&["init", "-q", "-b", "main"]);
        ground.commit("README", "nothing here\n", "start");
        ground
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("own")
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.repo(), arguments)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.repo().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// Writes, adds and commits one file; gives the commit.
    pub(crate) fn commit(&self, path: &str, text: &str, message: &str) -> String {
        self.write(path, text);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn offkey(&self, arguments: &[&str]) -> Run {
        self.offkey_with(arguments, b"")
    }

    pub(crate) fn offkey_with(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
        command.current_dir(self.repo()).args(arguments).env("OFFKEY_HOME", self.home());
        command.env_remove("OFFKEY_FINGERPRINT_KEY").env_remove("OFFKEY_LEDGER");
        run(command, input)
    }

    /// Puts a value into the ledger, as a sweep and an apply would.
    pub(crate) fn remember(&self, value: &str, state: State, departed: Option<&str>) {
        fs::create_dir_all(self.home()).expect("made");
        fs::write(self.home().join("fingerprint.key"), "5a".repeat(32)).expect("written");
        let fingerprint = Fingerprinter::new(&SecretValue::new([0x5a; 32])).fingerprint(value.as_bytes());
        let mut ledger = Ledger::open(&self.home().join("ledger.db")).expect("opens");
        let entry = Entry {
            fingerprint,
            kind: "token".to_owned(),
            label: "GitLab personal access token".to_owned(),
            owner: "Alice Moreau".to_owned(),
            state,
            since: "2026-03-01T09:00:00Z".to_owned(),
            departed: departed.map(str::to_owned),
            until: None,
            first_seen: "2026-02-01T09:00:00Z".to_owned(),
            case: "case-1".to_owned(),
            guessable: offkey::ledger::guessable(value.as_bytes()),
        };
        ledger.record(&[entry]).expect("recorded");
    }
}

pub(crate) fn git(at: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(at)
        .args(["-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "Bob Tanaka"), ("GIT_AUTHOR_EMAIL", "bob@harbourfinch.example")])
        .envs([("GIT_COMMITTER_NAME", "Bob Tanaka"), ("GIT_COMMITTER_EMAIL", "bob@harbourfinch.example")])
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// How a run of offkey ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(mut command: Command, input: &[u8]) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("written");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("ends");
    Run {
        code: status.code().expect("no signal"),
        out: String::from_utf8(stdout).expect("text"),
        err: String::from_utf8(stderr).expect("text"),
    }
}

/// A token that a rule knows; different seeds give different ones.
pub(crate) fn token(seed: &str) -> String {
    offkey::rule::expand("glpat-<<an:20>>", seed, None).expect("a good template")
}

#[test]
fn a_staged_token_blocks_and_its_value_is_not_shown() {
    let ground = Ground::new();
    assert_eq!(ground.offkey(&["gate", "--staged"]).code, 0);
    let value = token("staged");
    ground.write("deploy.sh", &format!("#!/bin/sh\n# deploys\nexport GITLAB_TOKEN={value}\n"));
    assert_eq!(ground.offkey(&["gate", "--staged"]).code, 0, "what is not staged is not judged");
    ground.git(&["add", "-A"]);
    let run = ground.offkey(&["gate", "--staged"]);
    assert_eq!(run.code, 10, "{}{}", run.out, run.err);
    assert!(run.out.contains("deploy.sh:3:") && run.out.contains("BLOCKED  new"), "{}", run.out);
    assert!(!run.out.contains(&value) && !run.err.contains(&value));
}

#[test]
fn only_added_lines_count_and_a_move_adds_none() {
    let ground = Ground::new();
    let old = format!("a = 1\ntoken = \"{}\"\nb = 2\n", token("old"));
    ground.commit("settings.py", &old, "settings");
    ground.write("settings.py", &old.replace("b = 2", "b = 3"));
    ground.git(&["add", "-A"]);
    assert_eq!(ground.offkey(&["gate", "--staged"]).code, 0);
    ground.git(&["mv", "settings.py", "conf.py"]);
    ground.git(&["add", "-A"]);
    assert_eq!(ground.offkey(&["gate", "--staged"]).code, 0);
}

#[test]
fn added_then_removed_is_seen_in_a_merge_request_and_in_a_range() {
    let ground = Ground::new();
    ground.git(&["checkout", "-q", "-b", "feature"]);
    let added = ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("gone")), "add");
    ground.git(&["rm", "-q", "k.env"]);
    ground.git(&["commit", "-q", "-m", "remove"]);
    for arguments in [["gate", "--base", "main"], ["gate", "--range", "main..HEAD"]] {
        let run = ground.offkey(&arguments);
        assert_eq!(run.code, 10, "{}{}", run.out, run.err);
        assert!(run.out.contains(&added[..10]) && run.out.contains("Bob Tanaka"), "{}", run.out);
    }
}

#[test]
fn the_ledger_tells_stale_from_known_and_no_excuse_hides_stale() {
    let ground = Ground::new();
    let (dead, left, live) = (token("dead"), token("left"), token("live"));
    ground.remember(&dead, State::Revoked, None);
    ground.remember(&left, State::Live, Some("2026-03-01T00:00:00Z"));
    ground.remember(&live, State::Live, None);
    let allow = "# offkey:allow reason=\"mine\"";
    ground.write("a.env", &format!("GITLAB_TOKEN={dead} {allow}\n"));
    ground.write("b.env", &format!("GITLAB_TOKEN={left} {allow}\n"));
    ground.write("c.env", &format!("GITLAB_TOKEN={live}\n"));
    ground.git(&["add", "-A"]);
    let run = ground.offkey(&["gate", "--staged", "--format", "json"]);
    assert_eq!(run.code, 10, "{}", run.err);
    let report: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let mut verdicts: Vec<(String, String, String)> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            (text("path"), text("verdict"), text("why"))
        })
        .collect();
    verdicts.sort();
    let words: Vec<_> = verdicts.iter().map(|(path, verdict, _)| (path.as_str(), verdict.as_str())).collect();
    assert_eq!(words, [("a.env", "stale"), ("b.env", "stale"), ("c.env", "known")]);
    assert!(verdicts[0].2.contains("revoked since 2026-03-01"), "{}", verdicts[0].2);
    assert!(verdicts[1].2.contains("Alice Moreau, who could use it, left on 2026-03-01"), "{}", verdicts[1].2);
}

#[test]
fn an_allowance_needs_a_reason() {
    let ground = Ground::new();
    ground.write("a.env", &format!("GITLAB_TOKEN={} # offkey:allow\n", token("one")));
    ground.git(&["add", "-A"]);
    let run = ground.offkey(&["gate", "--staged"]);
    assert!(run.code == 10 && run.out.contains("without a reason"), "{}", run.out);
    ground.write("a.env", &format!("GITLAB_TOKEN={} # offkey:allow reason=\"dead fixture\"\n", token("one")));
    ground.git(&["add", "-A"]);
    let run = ground.offkey(&["gate", "--staged"]);
    assert!(run.code == 0 && run.out.contains("dead fixture"), "{}", run.out);
}

#[test]
fn policy_comes_from_the_base_and_never_from_the_change() {
    let ground = Ground::new();
    ground.git(&["checkout", "-q", "-b", "hostile"]);
    ground.commit("offkey.toml", "[gate]\nblock = []\nexclude = [\"*.env\"]\n", "be kind");
    ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("hostile")), "add");
    assert_eq!(ground.offkey(&["gate", "--base", "main"]).code, 10);
    ground.git(&["checkout", "-q", "main"]);
    ground.commit("offkey.toml", "[gate]\nblock = [\"stale\"]\n", "decided");
    ground.git(&["checkout", "-q", "-b", "kind"]);
    ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("hostile")), "add");
    let run = ground.offkey(&["gate", "--base", "main"]);
    assert!(run.code == 0 && run.err.contains("policy: offkey.toml of"), "{}{}", run.out, run.err);
}

#[test]
fn a_patch_is_judged_by_its_added_lines_with_the_lines_of_the_file() {
    let ground = Ground::new();
    ground.commit("a.py", "one\ntwo\nthree\n", "text");
    ground.write("a.py", &format!("one\ntwo\nTOKEN = \"{}\"\nthree\n", token("patch")));
    let patch = ground.git(&["diff"]) + "\n";
    let run = ground.offkey_with(&["gate", "--patch", "-"], patch.as_bytes());
    assert!(run.code == 10 && run.out.contains("a.py:3:"), "{}{}", run.out, run.err);
    ground.git(&["add", "-A"]);
    ground.git(&["commit", "-q", "-m", "in"]);
    ground.write("a.py", "one\ntwo\nthree\n");
    let patch = ground.git(&["diff"]) + "\n";
    assert_eq!(ground.offkey_with(&["gate", "--patch", "-"], patch.as_bytes()).code, 0, "removing is no finding");
}

#[test]
fn a_missing_base_falls_back_and_says_partial_and_no_base_at_all_is_an_error() {
    let ground = Ground::new();
    let none = ground.offkey(&["gate", "--base", "origin/gone"]);
    assert!(none.code == 2 && none.err.contains("origin/gone"), "{}{}", none.code, none.err);
    let clone = ground.dir.path().join("clone");
    git(ground.dir.path(), &["clone", "-q", "shop", "clone"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
    command.current_dir(&clone).args(["gate", "--base", "origin/renamed"]).env("OFFKEY_HOME", ground.home());
    let other = run(command, b"");
    assert!(other.code == 12 && other.err.contains("not in this clone"), "{} {}{}", other.code, other.out, other.err);
}

#[test]
fn a_shallow_clone_is_partial_and_still_finds_what_it_can() {
    let ground = Ground::new();
    ground.commit("x", "1\n", "more");
    ground.git(&["checkout", "-q", "-b", "feature"]);
    ground.commit("y", "1\n", "first");
    ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("shallow")), "second");
    ground.git(&["checkout", "-q", "main"]);
    ground.commit("z", "1\n", "main goes on");
    let clone = ground.dir.path().join("clone");
    let url = format!("file://{}", ground.repo().display());
    git(ground.dir.path(), &["clone", "-q", "--depth", "1", "--no-single-branch", &url, "clone"]);
    let gate = |base: &str, head: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
        command.current_dir(&clone).args(["gate", "--base", base, "--head", head]).env("OFFKEY_HOME", ground.home());
        run(command, b"")
    };
    let found = gate("origin/main", "origin/feature");
    assert!(found.code == 10 && found.err.contains("shallow"), "{} {}{}", found.code, found.out, found.err);
    assert!(found.out.contains("not read"), "{}", found.out);
    let clean = gate("origin/feature", "origin/main");
    assert_eq!(clean.code, 12, "{}{}", clean.out, clean.err);
}

#[test]
fn a_server_refuses_a_push_through_its_hook_and_takes_a_clean_one() {
    let ground = Ground::new();
    let server = ground.dir.path().join("server.git");
    git(ground.dir.path(), &["clone", "-q", "--bare", "shop", "server.git"]);
    let hook = server.join("hooks/pre-receive");
    let script = format!(
        "#!/bin/sh\nexport OFFKEY_HOME='{}'\nexec '{}' gate --pre-receive\n",
        ground.home().display(),
        env!("CARGO_BIN_EXE_offkey")
    );
    fs::write(&hook, script).expect("written");
    let mut mode = fs::metadata(&hook).expect("there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    fs::set_permissions(&hook, mode).expect("set");
    let push = |branch: &str, force: bool| {
        let mut command = Command::new("git");
        command.current_dir(ground.repo()).args(["push", "-q"]);
        if force {
            command.arg("--force");
        }
        command.arg(&server).arg(format!("HEAD:refs/heads/{branch}")).env("GIT_CONFIG_GLOBAL", "/dev/null");
        run(command, b"")
    };
    ground.commit("fine", "x\n", "fine");
    let clean = push("main", false);
    assert_eq!(clean.code, 0, "{}", clean.err);
    ground.git(&["checkout", "-q", "-b", "topic"]);
    ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("pushed")), "add");
    ground.git(&["rm", "-q", "k.env"]);
    ground.git(&["commit", "-q", "-m", "remove"]);
    let refused = push("topic", false);
    assert!(refused.code != 0 && refused.err.contains("BLOCKED"), "{}", refused.err);
    assert!(git(&server, &["for-each-ref"]).lines().count() == 1, "the ref was not made");
    // A force-push that leaves the commits behind is clean.
    ground.git(&["reset", "-q", "--hard", "main"]);
    ground.git(&["commit", "-q", "--amend", "-m", "other words"]);
    let forced = push("main", true);
    assert_eq!(forced.code, 0, "{}", forced.err);
}

#[test]
fn a_departure_teaches_the_ledger_and_the_gate_stops_its_dead_values() {
    let dir = tempfile::tempdir().expect("a folder");
    let demo = dir.path().join("demo");
    let offkey = |at: &Path, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
        command.current_dir(at).args(arguments).env("OFFKEY_HOME", demo.join("home"));
        command.env_remove("OFFKEY_FINGERPRINT_KEY").env_remove("OFFKEY_LEDGER");
        run(command, b"")
    };
    let story = offkey(dir.path(), &["demo", "--dir", demo.to_str().expect("text")]);
    assert!([0, 11].contains(&story.code), "{}{}", story.out, story.err);
    // A value in base64 in a message of an export, which no rule knows and no store keeps any more, is still seen there.
    let stands = |line: &str| line.starts_with("c2 ") && line.contains("the dead value still stands in one place");
    assert!(story.out.lines().any(stands), "{}", story.out);
    let known = offkey(dir.path(), &["ledger", "list", "--format", "jsonl"]);
    let entries: Vec<serde_json::Value> =
        known.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let dead = |entry: &&serde_json::Value| entry["state"] == "revoked" || entry["state"] == "rotated";
    assert!(entries.iter().filter(dead).count() >= 2, "{}", known.out);
    // A value of the company's repository comes back in a new commit: the gate knows that it is dead, and whose it was.
    let shop = fs::read_dir(&demo).expect("readable").filter_map(|entry| Some(entry.ok()?.path()));
    let shop = shop.filter(|path| path.join(".git").exists()).min().expect("the company has a repository");
    let scan = offkey(&shop, &["scan", "--reveal", "--format", "jsonl", "."]);
    let dead: Vec<String> =
        entries.iter().filter(dead).map(|e| e["fingerprint"].as_str().expect("text").to_owned()).collect();
    let line =
        scan.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")).find(|one| {
            let rule = one["rule"].as_str().expect("text");
            !rule.starts_with("generic") && dead.iter().any(|dead| one["fingerprint"] == dead.as_str())
        });
    let value = line.expect("a dead value stands in the repository")["secret"].as_str().expect("revealed").to_owned();
    fs::write(shop.join("again.env"), format!("TOKEN={value}\n")).expect("written");
    git(&shop, &["add", "-A"]);
    let gate = offkey(&shop, &["gate", "--staged"]);
    assert!(gate.code == 10 && gate.out.contains("BLOCKED  stale"), "{}{}", gate.out, gate.err);
    assert!(gate.out.contains("Alice Moreau") && !gate.out.contains(&value), "{}", gate.out);
}

/// Runs the gate as a pipeline does: no folder of its own, the key in a variable.
fn pipeline(ground: &Ground, ledger: &Path, key: Option<&str>, more: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
    command.current_dir(ground.repo()).args(["gate", "--staged"]).args(more);
    command.env("OFFKEY_HOME", ground.dir.path().join("nothing")).env("OFFKEY_LEDGER", ledger);
    command.env_remove("OFFKEY_FINGERPRINT_KEY");
    if let Some(key) = key {
        command.env("OFFKEY_FINGERPRINT_KEY", key);
    }
    run(command, b"")
}

#[test]
fn a_pipeline_asks_an_exported_ledger_and_refuses_a_forged_one() {
    let ground = Ground::new();
    let dead = token("exported");
    ground.remember(&dead, State::Rotated, Some("2026-02-27T00:00:00Z"));
    // A password of a person: in the export it stands behind the slow hash.
    let weak = ["Harb0ur", "&", "2024x"].concat();
    ground.remember(&weak, State::Revoked, None);
    let file = ground.dir.path().join("ledger.offkey");
    let export = ground.offkey(&["ledger", "export", "-o", file.to_str().expect("text")]);
    assert_eq!(export.code, 0, "{}", export.err);
    let signer = export.err.split("signed by ").nth(1).and_then(|rest| rest.split(':').next()).expect("a key id");
    ground.write("a.env", &format!("GITLAB_TOKEN={dead}\n"));
    ground.write("b.env", &format!("DATABASE_PASSWORD={weak}\n"));
    ground.git(&["add", "-A"]);
    let key = "5a".repeat(32);
    let found = pipeline(&ground, &file, Some(&key), &["--ledger-key", signer]);
    assert_eq!(found.code, 10, "{}{}", found.out, found.err);
    assert!(found.out.contains("rotated since 2026-03-01; it was Alice Moreau's, who left"), "{}", found.out);
    assert_eq!(found.out.matches("BLOCKED  stale").count(), 2, "{}", found.out);
    // Without the key the rules still run, and what could not be asked is said.
    let unkeyed = pipeline(&ground, &file, None, &[]);
    assert!(unkeyed.code == 10 && unkeyed.out.contains("BLOCKED  new"), "{}{}", unkeyed.out, unkeyed.err);
    assert!(unkeyed.err.contains("the ledger was not asked"), "{}", unkeyed.err);
    for (more, key, why) in
        [(&["--ledger-key", "0123456789abcdef"][..], "5a", "signed by"), (&[][..], "5b", "another key")]
    {
        let refused = pipeline(&ground, &file, Some(&key.repeat(32)), more);
        assert!(refused.code == 30 && refused.err.contains(why), "{} {}", refused.code, refused.err);
    }
    let mut bytes = fs::read(&file).expect("readable");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).expect("written");
    let forged = pipeline(&ground, &file, Some(&key), &[]);
    assert!(forged.code == 30 && forged.err.contains("changed after it was signed"), "{} {}", forged.code, forged.err);
    bytes[14] = b'7';
    fs::write(&file, &bytes).expect("written");
    let newer = pipeline(&ground, &file, None, &[]);
    assert!(newer.code == 30 && newer.err.contains("another version"), "{} {}", newer.code, newer.err);
}

#[test]
fn a_waiver_counts_from_the_base_until_its_day_and_a_branch_cannot_write_its_own() {
    let ground = Ground::new();
    let value = token("waived");
    ground.remember(&token("unrelated"), State::Live, None);
    let fingerprint = Fingerprinter::new(&SecretValue::new([0x5a; 32])).fingerprint(value.as_bytes());
    let waiver = |until: &str| {
        format!(
            "[[waiver]]\nid = \"w-1\"\nfingerprint = \"{fingerprint}\"\nowner = \"bob@harbourfinch.example\"\n\
             reason = \"the vendor is slow\"\nuntil = \"{until}\"\n"
        )
    };
    ground.git(&["checkout", "-q", "-b", "hostile"]);
    ground.commit("offkey.toml", &waiver("2999-12-31"), "excuse me");
    ground.commit(".offkey-baseline.json", "{\"this\": \"is no baseline\"}\n", "and me");
    ground.commit("k.env", &format!("GITLAB_TOKEN={value}\n"), "add");
    let hostile = ground.offkey(&["gate", "--base", "main"]);
    assert!(hostile.code == 10 && hostile.out.contains("BLOCKED  new"), "{}{}", hostile.out, hostile.err);
    for (until, code, said) in [("2999-12-31", 0, "waiver w-1"), ("2026-01-01", 10, "ended on 2026-01-01")] {
        ground.git(&["checkout", "-q", "main"]);
        ground.commit("offkey.toml", &waiver(until), "decided");
        ground.git(&["checkout", "-q", "-B", "kind"]);
        ground.commit("k.env", &format!("GITLAB_TOKEN={value}\n"), "add");
        let kind = ground.offkey(&["gate", "--base", "main"]);
        assert_eq!(kind.code, code, "{}{}", kind.out, kind.err);
        assert!((kind.out + &kind.err).contains(said), "{until}");
        ground.git(&["checkout", "-q", "main"]);
    }
}

#[test]
fn binary_content_is_looked_at_as_far_as_it_is_text_and_counted() {
    let ground = Ground::new();
    let value = token("binary");
    ground.commit("a.dat", "x\n", "text");
    fs::write(ground.repo().join("a.dat"), [b"\x89PNG\0\0\x01", value.as_bytes(), b"\0\xff\xfe"].concat())
        .expect("written");
    ground.write("b.env", &format!("GITLAB_TOKEN={}\n", token("beside")));
    ground.git(&["add", "-A"]);
    let run = ground.offkey(&["gate", "--staged", "--format", "json"]);
    assert_eq!(run.code, 10, "{}", run.err);
    let report: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let paths: Vec<_> = report["findings"].as_array().expect("a list").iter().map(|one| &one["path"]).collect();
    let counted = report["coverage"][0]["counts"].to_string();
    assert!(paths.iter().any(|path| *path == "b.env"), "{paths:?}");
    assert!(paths.iter().any(|path| *path == "a.dat") || counted.contains("binary"), "{paths:?} {counted}");
}

#[test]
fn a_change_of_a_hundred_thousand_files_is_judged() {
    let ground = Ground::new();
    // By fast-import: a work tree of that size would take longer than everything else.
    let mut stream = String::from("blob\nmark :1\ndata 2\nx\n\n");
    let value = format!("GITLAB_TOKEN={}\n", token("needle"));
    stream.push_str(&format!("blob\nmark :2\ndata {}\n{value}\n", value.len()));
    stream.push_str(
        "commit refs/heads/large\ncommitter Bob Tanaka <bob@harbourfinch.example> 1767225600 +0000\ndata 5\nlarge\n",
    );
    stream.push_str("from refs/heads/main^0\n");
    for at in 0..100_000 {
        let mark = if at == 77_777 { 2 } else { 1 };
        stream.push_str(&format!("M 100644 :{mark} d{}/f{at}.txt\n", at % 300));
    }
    let mut import = Command::new("git");
    import.current_dir(ground.repo()).args(["fast-import", "--quiet"]).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let imported = run(import, stream.as_bytes());
    assert_eq!(imported.code, 0, "{}", imported.err);
    let gate = ground.offkey(&["gate", "--base", "main", "--head", "large", "--format", "json"]);
    assert_eq!(gate.code, 10, "{}", gate.err);
    let report: serde_json::Value = serde_json::from_str(&gate.out).expect("JSON");
    let found = report["findings"].as_array().expect("a list");
    assert!(found.len() == 1 && found[0]["path"] == "d77/f77777.txt", "{}", report["findings"]);
    let documents = report["coverage"][0]["documents"].as_u64().expect("a number");
    assert_eq!(documents, 100_001, "every file and the message");
}

#[test]
fn branches_without_a_common_commit_are_said_and_judged_whole() {
    let ground = Ground::new();
    ground.git(&["checkout", "-q", "--orphan", "other"]);
    ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("orphan")), "begin anew");
    let gate = ground.offkey(&["gate", "--base", "main"]);
    assert!(gate.code == 10 && gate.err.contains("share no history"), "{} {}{}", gate.code, gate.out, gate.err);
}

/// A policy that cannot be read would stop every later change, the one that mends it included: it is refused while it is a change.
#[test]
fn a_change_that_breaks_the_policy_is_refused_and_a_broken_base_says_how_to_go_on() {
    let ground = Ground::new();
    ground.write("offkey.toml", "[gate]\nblok = [\"stale\"]\n");
    ground.git(&["add", "-A"]);
    let staged = ground.offkey(&["gate", "--staged"]);
    assert_eq!(staged.code, 2, "{}", staged.err);
    assert!(staged.err.contains("the offkey.toml of this change, line 2 is not valid"), "{}", staged.err);
    ground.git(&["commit", "-q", "-m", "broken"]);
    let committed = ground.offkey(&["gate", "--range", "HEAD~1..HEAD"]);
    assert!(committed.code == 2 && committed.err.contains("of this change"), "{}", committed.err);
    ground.write("offkey.toml", "[gate]\nblock = [\"stale\"]\n");
    ground.git(&["add", "-A"]);
    let mending = ground.offkey(&["gate", "--staged"]);
    assert!(mending.code == 2 && mending.err.contains("the offkey.toml of the base"), "{}", mending.err);
    assert!(mending.err.contains("--no-verify") && mending.err.contains("--config"), "{}", mending.err);
    assert_eq!(ground.offkey(&["gate", "--staged", "--config", "offkey.toml"]).code, 0);
}

#[test]
fn a_repository_of_another_form_is_named_and_its_changes_are_judged_as_a_patch() {
    let ground = Ground::new();
    fs::remove_dir_all(ground.repo()).expect("removed");
    fs::create_dir(ground.repo()).expect("made");
    ground.git(&["init", "-q", "-b", "main", "--object-format=sha256"]);
    ground.commit("README", "nothing here\n", "start");
    ground.commit("deploy.sh", &format!("token={}\n", token("form")), "deploy");
    let refused = ground.offkey(&["gate", "--range", "HEAD~1..HEAD"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("cannot be read") && refused.err.contains("--patch -"), "{}", refused.err);
    let patch = ground.git(&["diff", "HEAD~1..HEAD"]) + "\n";
    assert_eq!(ground.offkey_with(&["gate", "--patch", "-"], patch.as_bytes()).code, 10);
    assert_eq!(ground.offkey(&["scan", "."]).code, 10, "a scan reads it");
}
