//! Integrations as they are copied: the hooks that offkey installs under the real git, the real pre-commit program, and
//! the templates of pipelines, checked by their schemas and run as their servers would run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::gate::{Ground, Run, git, run, token};
use crate::lab::Lab;

fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The PATH with this build's offkey before everything else.
fn path_with_offkey() -> std::ffi::OsString {
    let offkey = Path::new(env!("CARGO_BIN_EXE_offkey")).parent().expect("a folder").to_owned();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(offkey).chain(std::env::split_paths(&rest))).expect("a PATH")
}

/// git with hooks that find offkey; `more` are settings of the environment.
fn git_with_hooks(ground: &Ground, at: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new("git");
    command.current_dir(at).args(arguments).env("PATH", path_with_offkey()).env("OFFKEY_HOME", ground.home());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.envs([("GIT_AUTHOR_NAME", "Bob Tanaka"), ("GIT_AUTHOR_EMAIL", "bob@harbourfinch.example")]);
    command.envs([("GIT_COMMITTER_NAME", "Bob Tanaka"), ("GIT_COMMITTER_EMAIL", "bob@harbourfinch.example")]);
    command.env("PRE_COMMIT_HOME", ground.home().join("pre-commit"));
    run(command, b"")
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    std::os::unix::fs::PermissionsExt::set_mode(&mut fs::metadata(path).expect("there").permissions(), 0o755);
    let mut mode = fs::metadata(path).expect("there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    fs::set_permissions(path, mode).expect("set");
}

#[test]
fn the_installed_pre_commit_hook_stops_a_commit_and_keeps_an_earlier_hook() {
    let ground = Ground::new();
    let hook = ground.repo().join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().expect("a folder")).expect("made");
    executable(&hook, "#!/bin/sh\necho called >> earlier.log\n");
    let refused = ground.offkey(&["hook", "install"]);
    assert!(refused.code == 2 && refused.err.contains("--chain"), "{}", refused.err);
    for _ in 0..2 {
        let chained = ground.offkey(&["hook", "install", "--chain"]);
        assert_eq!(chained.code, 0, "{}", chained.err);
    }
    ground.write("k.env", &format!("GITLAB_TOKEN={}\n", token("hook")));
    ground.git(&["add", "k.env"]);
    let stopped = git_with_hooks(&ground, &ground.repo(), &["commit", "-q", "-m", "leak"]);
    assert!(stopped.code != 0 && (stopped.out + &stopped.err).contains("BLOCKED"));
    ground.write("k.env", "GITLAB_TOKEN=$FROM_THE_STORE\n");
    ground.git(&["add", "k.env"]);
    let taken = git_with_hooks(&ground, &ground.repo(), &["commit", "-q", "-m", "clean"]);
    assert_eq!(taken.code, 0, "{}", taken.err);
    assert_eq!(fs::read_to_string(ground.repo().join("earlier.log")).expect("called"), "called\n".repeat(2));
    // What is not staged yet, but committed all the same: git has an index of its own for that.
    ground.write("k.env", &format!("GITLAB_TOKEN={}\n", token("all")));
    for arguments in [&["commit", "-q", "-a", "-m", "leak"][..], &["commit", "-q", "-m", "leak", "k.env"][..]] {
        let stopped = git_with_hooks(&ground, &ground.repo(), arguments);
        assert!(stopped.code != 0 && (stopped.out + &stopped.err).contains("BLOCKED"), "{arguments:?}");
    }
    // From a folder below, and in a second work tree.
    fs::create_dir(ground.repo().join("below")).expect("made");
    let stopped = git_with_hooks(&ground, &ground.repo().join("below"), &["commit", "-q", "-a", "-m", "leak"]);
    assert!(stopped.code != 0 && (stopped.out + &stopped.err).contains("BLOCKED"));
    ground.git(&["checkout", "-q", "--", "."]);
    let second = ground.home().join("second");
    fs::create_dir_all(ground.home()).expect("made");
    ground.git(&["worktree", "add", "-q", "-b", "second", second.to_str().expect("text")]);
    fs::write(second.join("k.env"), format!("GITLAB_TOKEN={}\n", token("second"))).expect("written");
    let stopped = git_with_hooks(&ground, &second, &["commit", "-q", "-a", "-m", "leak"]);
    assert!(stopped.code != 0 && (stopped.out + &stopped.err).contains("BLOCKED"));
}

#[test]
fn the_installed_pre_push_hook_judges_only_what_the_remote_does_not_have() {
    let ground = Ground::new();
    ground.commit("old.env", &format!("GITLAB_TOKEN={}\n", token("old")), "an old sin");
    let server = ground.home().join("server.git");
    fs::create_dir_all(ground.home()).expect("made");
    git(&ground.home(), &["clone", "-q", "--bare", ground.repo().to_str().expect("text"), "server.git"]);
    ground.git(&["remote", "add", "origin", server.to_str().expect("text")]);
    ground.git(&["fetch", "-q", "origin"]);
    assert_eq!(ground.offkey(&["hook", "install", "pre-push"]).code, 0);
    ground.commit("fine", "x\n", "fine");
    let clean = git_with_hooks(&ground, &ground.repo(), &["push", "-q", "origin", "main"]);
    assert_eq!(clean.code, 0, "{}{}", clean.out, clean.err);
    ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("pushed")), "add");
    ground.git(&["rm", "-q", "k.env"]);
    ground.git(&["commit", "-q", "-m", "remove"]);
    let stopped = git_with_hooks(&ground, &ground.repo(), &["push", "-q", "origin", "HEAD:refs/heads/topic"]);
    assert!(
        stopped.code != 0 && (stopped.out.clone() + &stopped.err).contains("k.env:1"),
        "{}{}",
        stopped.out,
        stopped.err
    );
    let removed = git_with_hooks(&ground, &ground.repo(), &["push", "-q", "origin", ":refs/heads/nothing"]);
    assert!(!removed.err.contains("BLOCKED"), "removing a ref brings nothing: {}", removed.err);
    // To a bare address, without a name.
    let address = server.to_str().expect("text");
    let stopped = git_with_hooks(&ground, &ground.repo(), &["push", "-q", address, "HEAD:refs/heads/topic"]);
    assert!(stopped.code != 0 && (stopped.out + &stopped.err).contains("BLOCKED"));
}

#[test]
fn the_real_pre_commit_program_runs_the_hook() {
    let program = Lab::require().programs().join("pre-commit");
    let ground = Ground::new();
    // A repository of hooks as somebody's .pre-commit-config.yaml names it.
    let hooks = ground.home().join("offkey");
    fs::create_dir_all(&hooks).expect("made");
    fs::copy(source().join(".pre-commit-hooks.yaml"), hooks.join(".pre-commit-hooks.yaml")).expect("copied");
    git(&hooks, &["init", "-q", "-b", "main"]);
    git(&hooks, &["add", "-A"]);
    git(&hooks, &["commit", "-q", "-m", "hooks"]);
    git(&hooks, &["tag", "v0.1.0"]);
    let config =
        format!("repos:\n  - repo: {}\n    rev: v0.1.0\n    hooks:\n      - id: offkey-system\n", hooks.display());
    ground.commit(".pre-commit-config.yaml", &config, "hooks");
    let pre_commit = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(ground.repo()).args(arguments).env("PATH", path_with_offkey());
        command.env("OFFKEY_HOME", ground.home()).env("PRE_COMMIT_HOME", ground.home().join("pre-commit"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        run(command, b"")
    };
    let valid = pre_commit(&["validate-manifest", source().join(".pre-commit-hooks.yaml").to_str().expect("text")]);
    assert_eq!(valid.code, 0, "{}{}", valid.out, valid.err);
    let installed = pre_commit(&["install"]);
    assert_eq!(installed.code, 0, "{}{}", installed.out, installed.err);
    let value = token("pre-commit");
    ground.write("k.env", &format!("GITLAB_TOKEN={value}\n"));
    ground.git(&["add", "-A"]);
    let stopped = git_with_hooks(&ground, &ground.repo(), &["commit", "-q", "-m", "leak"]);
    let said = stopped.out + &stopped.err;
    assert!(stopped.code != 0 && said.contains("k.env:1") && said.contains("BLOCKED"), "{said}");
    assert!(!said.contains(&value), "{said}");
    ground.write("k.env", "nothing\n");
    ground.git(&["add", "-A"]);
    let taken = git_with_hooks(&ground, &ground.repo(), &["commit", "-q", "-m", "clean"]);
    assert_eq!(taken.code, 0, "{}{}", taken.out, taken.err);
}

#[test]
fn the_templates_are_valid_by_the_schemas_of_their_servers() {
    let program = Lab::require().programs().join("check-jsonschema");
    for (schema, file) in [
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", "docs/ci/github.yml"),
        ("vendor.gitlab-ci", "docs/ci/gitlab.yml"),
    ] {
        let mut command = Command::new(&program);
        command.args(["--builtin-schema", schema]).arg(source().join(file));
        let checked = run(command, b"");
        assert_eq!(checked.code, 0, "{file}: {}{}", checked.out, checked.err);
    }
}

/// A repository as a server hands it to a job: a clone whose origin has the target branch.
fn job(ground: &Ground) -> PathBuf {
    let job = ground.home().join("job");
    fs::create_dir_all(ground.home()).expect("made");
    git(&ground.home(), &["clone", "-q", ground.repo().to_str().expect("text"), "job"]);
    job
}

/// The lines of a template that run the gate.
fn line_of(file: &str, start: &str) -> String {
    let text = fs::read_to_string(source().join(file)).expect("readable");
    let line = text.lines().find_map(|line| line.trim().strip_prefix(start).filter(|rest| rest.contains("gate --ci")));
    line.unwrap_or_else(|| panic!("{file} does not run the gate")).trim_end_matches('\'').to_owned()
}

/// Variables of an environment.
type Variables<'a> = Vec<(&'a str, &'a str)>;

/// Runs a template's line as its server does.
fn step(ground: &Ground, at: &Path, line: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new("bash");
    command.current_dir(at).args(["-eo", "pipefail", "-c", line]).env_clear().env("PATH", path_with_offkey());
    command.env("OFFKEY_HOME", ground.home().join("none")).env("HOME", ground.home()).envs(variables.iter().copied());
    run(command, b"")
}

#[test]
fn the_templates_block_a_merge_request_as_their_servers_run_them() {
    let ground = Ground::new();
    ground.git(&["checkout", "-q", "-b", "feature"]);
    let first = ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("merge")), "add");
    ground.git(&["rm", "-q", "k.env"]);
    ground.git(&["commit", "-q", "-m", "remove"]);
    let head = ground.git(&["rev-parse", "HEAD"]);
    let base = ground.git(&["rev-parse", "main"]);
    ground.git(&["checkout", "-q", "main"]);
    let job = job(&ground);
    git(&job, &["checkout", "-q", &head]);
    let servers: [(&str, String, Variables<'_>); 3] = [
        (
            "offkey.sarif",
            line_of("action.yml", ""),
            vec![
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_SHA", &head),
                ("GITHUB_BASE_REF", "main"),
                ("OFFKEY_SARIF", "offkey.sarif"),
                ("OFFKEY_LEDGER", ""),
                ("OFFKEY_LEDGER_SIGNER", ""),
                ("OFFKEY_FINGERPRINT_KEY", ""),
            ],
        ),
        (
            "gl-secret-detection-report.json",
            line_of("docs/ci/gitlab.yml", "- "),
            vec![("GITLAB_CI", "true"), ("CI_COMMIT_SHA", &head), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &base)],
        ),
        (
            "offkey.xml",
            line_of("docs/ci/Jenkinsfile", "sh '"),
            vec![("JENKINS_URL", "http://127.0.0.1"), ("GIT_COMMIT", &head), ("CHANGE_TARGET", "main")],
        ),
    ];
    for (report, line, variables) in servers {
        let ended = step(&ground, &job, &line, &variables);
        assert_eq!(ended.code, 10, "{line}: {}{}", ended.out, ended.err);
        assert!(ended.out.contains("k.env"), "{line}: {}", ended.out);
        let report = fs::read_to_string(job.join(report)).expect("the template's report");
        assert!(report.contains("k.env"), "{line}: {report}");
    }
    // The push of the merge: what came since the commit before, as GitHub's event says.
    let event = ground.home().join("event.json");
    fs::write(&event, format!("{{\"before\": \"{first}\", \"repository\": {{\"default_branch\": \"main\"}}}}"))
        .expect("written");
    let event = event.to_str().expect("text");
    let push = [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", head.as_str()), ("GITHUB_EVENT_PATH", event)];
    let clean = step(&ground, &job, "offkey gate --ci", &push);
    assert_eq!(clean.code, 0, "{}{}", clean.out, clean.err);
}

#[test]
fn init_writes_a_policy_that_the_gate_reads() {
    let ground = Ground::new();
    let made = ground.offkey(&["init"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let again = ground.offkey(&["init"]);
    assert!(again.code == 2 && again.err.contains("not touched"), "{}", again.err);
    ground.git(&["add", "-A"]);
    ground.git(&["commit", "-q", "-m", "policy"]);
    let clean = ground.offkey(&["gate", "--staged"]);
    assert!(clean.code == 0 && clean.err.contains("policy: offkey.toml"), "{}", clean.err);
}
