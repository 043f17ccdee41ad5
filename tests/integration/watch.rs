//! Looking at repositories again and again: only what came is read, only what is new is told.

use std::fs;

use offkey::ledger::State;
use serde_json::Value;

use crate::gate::{Ground, Run, git, token};

/// Path, verdict and rule of each finding of a look.
fn told(run: &Run) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    let text = |one: &Value, key: &str| one[key].as_str().expect("text").to_owned();
    let mut all: Vec<_> = report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            (text(one, "path").rsplit('/').next().expect("a name").to_owned(), text(one, "verdict"), text(one, "rule"))
        })
        .collect();
    all.sort();
    all
}

fn names(run: &Run) -> Vec<String> {
    told(run).into_iter().map(|(path, _, _)| path).collect()
}

#[test]
fn a_finding_is_told_once_and_again_when_it_goes_stale() {
    let ground = Ground::new();
    let value = token("watched");
    ground.commit("old.env", &format!("GITLAB_TOKEN={value}\n"), "one");
    ground.git(&["rm", "-q", "old.env"]);
    ground.git(&["commit", "-q", "-m", "gone"]);
    ground.remember(&token("unrelated"), State::Live, None);
    let look = || ground.offkey(&["watch", "--format", "json", "."]);
    let first = look();
    assert!(first.code == 10 && first.err.contains("everything"), "{}", first.err);
    assert_eq!(names(&first), ["old.env"]);
    let second = look();
    assert!(second.code == 0 && second.err.contains("0 new commits"), "{}{}", second.out, second.err);
    // A new branch with a value that comes and goes, and the old value in another file.
    ground.git(&["checkout", "-q", "-b", "topic"]);
    ground.commit("new.env", &format!("GITLAB_TOKEN={}\n", token("second")), "add");
    ground.git(&["rm", "-q", "new.env"]);
    ground.git(&["commit", "-q", "-m", "remove"]);
    ground.commit("copy.env", &format!("GITLAB_TOKEN={value}\n"), "copy");
    let third = look();
    assert!(third.err.contains("3 new commits"), "{}", third.err);
    assert_eq!(names(&third), ["copy.env", "new.env"]);
    assert_eq!(look().code, 0);
    // A force-push: other commits, nothing new in them.
    ground.git(&["commit", "-q", "--amend", "-m", "other words"]);
    let forced = look();
    assert!(forced.code == 0 && forced.err.contains("1 new commits"), "{}{}", forced.out, forced.err);
    // The value dies: whoever was told that it is there is told that it is stale.
    ground.remember(&value, State::Revoked, None);
    let stale = look();
    assert_eq!(stale.code, 10, "{}", stale.err);
    let verdicts: Vec<_> = told(&stale).into_iter().map(|(path, verdict, _)| (path, verdict)).collect();
    assert_eq!(verdicts, [("copy.env".to_owned(), "stale".to_owned()), ("old.env".to_owned(), "stale".to_owned())]);
    assert_eq!(look().code, 0);
}

#[test]
fn a_new_rule_alone_is_run_over_what_was_seen() {
    let ground = Ground::new();
    let value = offkey::rule::expand("shop_<<lan:18>>", "watch", None).expect("a good template");
    ground.commit("a.txt", &format!("call it {value} and go on\n"), "one");
    ground.commit("b.env", &format!("GITLAB_TOKEN={}\n", token("b")), "two");
    let first = ground.offkey(&["watch", "--format", "json", "."]);
    assert_eq!(names(&first), ["b.env"]);
    ground.write(
        "../shop.toml",
        "[[rules]]\nid = \"shop\"\nregex = '''\\b(shop_[a-z0-9]{18})\\b'''\nkeywords = [\"shop_\"]\n",
    );
    let second = ground.offkey(&["watch", "--format", "json", "--rules", "../shop.toml", "."]);
    assert!(second.err.contains("1 changed rules on everything, 0 new commits"), "{}", second.err);
    let all: Vec<_> = told(&second).into_iter().map(|(path, _, rule)| (path, rule)).collect();
    assert_eq!(all, [("a.txt".to_owned(), "gitleaks/shop".to_owned())]);
    assert_eq!(ground.offkey(&["watch", "--rules", "../shop.toml", "."]).code, 0);
}

#[test]
fn many_repositories_are_fetched_and_one_that_fails_keeps_no_other_back() {
    let ground = Ground::new();
    let mirrors = ground.home().join("mirrors");
    fs::create_dir_all(&mirrors).expect("made");
    let address = ground.repo().display().to_string();
    git(&mirrors, &["clone", "-q", "--mirror", &address, "shop.git"]);
    git(&mirrors, &["clone", "-q", "--mirror", &address, "lost.git"]);
    git(&mirrors.join("lost.git"), &["remote", "set-url", "origin", "/nowhere"]);
    let mirrors = mirrors.display().to_string();
    ground.commit("k.env", &format!("GITLAB_TOKEN={}\n", token("fetched")), "add");
    let look = || ground.offkey(&["watch", "--fetch", "--format", "json", &mirrors]);
    let first = look();
    assert_eq!(first.code, 10, "{}{}", first.out, first.err);
    assert!(
        first.err.contains("lost.git could not be fetched") && first.out.contains("shop.git/k.env"),
        "{}",
        first.out
    );
    let second = look();
    assert!(second.code == 12 && told(&second).is_empty(), "{} {}", second.code, second.out);
}

#[test]
fn what_cannot_be_read_is_told_at_every_look_and_tried_again_when_it_changed() {
    let ground = Ground::new();
    ground.commit("old.env", &format!("GITLAB_TOKEN={}\n", token("missing")), "one");
    let blob = ground.git(&["rev-parse", "HEAD:old.env"]);
    ground.git(&["rm", "-q", "old.env"]);
    ground.commit("b.env", &format!("GITLAB_TOKEN={}\n", token("b")), "two");
    let object = ground.repo().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let whole = fs::read(&object).expect("a loose object");
    make_writable(&object);
    fs::write(&object, &whole[..8]).expect("damaged");
    let look = || ground.offkey(&["watch", "--format", "json", "."]);
    let first = look();
    assert!(first.code == 10 && first.err.contains("everything"), "{}", first.err);
    assert_eq!(names(&first), ["b.env"]);
    // The gap stays a gap; nothing is read again for it.
    for _ in 0..2 {
        let next = look();
        assert!(next.code == 12 && next.out.contains(&blob), "{}{}", next.out, next.err);
        assert!(next.err.contains("0 new commits") && !next.err.contains("everything"), "{}", next.err);
    }
    ground.commit("c.env", &format!("GITLAB_TOKEN={}\n", token("c")), "three");
    let new = look();
    assert!(new.code == 10 && new.err.contains("1 new commits") && new.out.contains(&blob), "{}", new.err);
    assert_eq!(names(&new), ["c.env"]);
    // The object comes back: everything is read, and only what was hidden is told.
    fs::write(&object, &whole).expect("whole again");
    let healed = look();
    assert!(healed.code == 10 && healed.err.contains("everything"), "{}", healed.err);
    assert_eq!(names(&healed), ["old.env"]);
    assert_eq!(look().code, 0);
}

#[test]
fn an_allowance_counts_at_the_first_look_too() {
    let ground = Ground::new();
    ground.commit("a.env", &format!("GITLAB_TOKEN={} # offkey:allow reason=\"a fixture\"\n", token("allowed")), "one");
    let first = ground.offkey(&["watch", "--format", "json", "."]);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    assert_eq!(told(&first).into_iter().map(|(_, verdict, _)| verdict).collect::<Vec<_>>(), ["waived"]);
}

fn make_writable(file: &std::path::Path) {
    let mut rights = fs::metadata(file).expect("there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o644);
    fs::set_permissions(file, rights).expect("writable");
}
