//! Status, resume and undo: what a person types at 3 a.m. after something went wrong on the way.

use crate::crash::{Office, text, told};

#[test]
fn status_names_the_next_command_and_resume_goes_on_without_a_digest() {
    let office = Office::open();
    let digest = office.sweep();
    let run = |arguments: &[&str], crash: Option<usize>| office.offkey(arguments, crash);
    let planned = run(&["status", "--case", "case"], None);
    assert_eq!(planned.status.code(), Some(11), "{}", told(&planned));
    assert!(told(&planned).contains(&format!("next: offkey apply --case case --digest {}", &digest[..12])));
    let early = run(&["resume", "--case", "case"], None);
    assert_eq!(early.status.code(), Some(2), "nothing was approved yet: {}", told(&early));
    let killed = run(&["apply", "--case", "case", "--digest", &digest], Some(9));
    assert_eq!(killed.status.code(), None, "{}", told(&killed));
    let status = run(&["status", "--case", "case"], None);
    assert!(told(&status).contains("next: offkey resume --case case"), "{}", told(&status));
    let resumed = run(&["resume", "--case", "case"], None);
    assert_eq!(resumed.status.code(), Some(0), "{}", told(&resumed));
    let done = run(&["status", "--case", "case"], None);
    assert!(told(&done).contains("next: offkey confirm --case case"), "{}", told(&done));
    assert_eq!(office.confirm().status.code(), Some(0));
    let closed = run(&["status", "--case", "case", "--json"], None);
    assert_eq!(closed.status.code(), Some(0), "{}", told(&closed));
    let lines = String::from_utf8_lossy(&closed.stdout).into_owned();
    let words: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(words.len() == 3 && words.iter().all(|line| line["state"] == "closed"), "{lines}");
}

/// Killed after every second write and taken back: everything is as it was, or the program says why it has to go on.
#[test]
fn undo_brings_back_what_no_consumer_has_seen_and_refuses_the_rest() {
    let (mut clean, mut too_far, mut brought_back) = (0, 0, 0);
    for writes in (2..40).step_by(2) {
        let office = Office::open();
        let digest = office.sweep();
        let before = office.stores();
        let killed = office.offkey(&["apply", "--case", "case", "--digest", &digest], Some(writes));
        if killed.status.code().is_some() {
            break;
        }
        let undone = office.offkey(&["undo", "--case", "case"], None);
        let when = format!("killed after write {writes}, then undone: {}", told(&undone));
        assert!(!told(&undone).contains("was refused"), "{when}: nothing was");
        let stores = office.stores();
        for (account, file) in [("shop", "shop.env"), ("billing", "billing.json")] {
            let old = text(&office.old[account]);
            assert!(office.somebody_can_log_in(account), "{when}: no value works for {account}");
            if told(&undone).lines().any(|line| line.contains(file) && line.contains("is as it was before")) {
                assert_eq!(stores[file], before[file], "{when}");
                assert!(office.accepts(account, old), "{when}: the old value of {account} is gone");
                brought_back += 1;
            }
        }
        match undone.status.code() {
            // The leaver's own token may be dead by then: nobody brings it back, and the program says so.
            Some(0) => {
                clean += 1;
                assert_eq!(stores, before, "{when}");
            }
            Some(11) => {
                too_far += 1;
                assert!(told(&undone).contains("it can only go on"), "{when}");
            }
            other => panic!("{when}: {other:?}"),
        }
        let resumed = office.offkey(&["resume", "--case", "case"], None);
        assert!(matches!(resumed.status.code(), Some(0 | 11)), "{when}{}", told(&resumed));
        if undone.status.code() == Some(0) && writes > 3 {
            assert_eq!(office.stores(), before, "what a person took back stays so: {when}");
            let status = office.offkey(&["status", "--case", "case"], None);
            assert!(
                told(&status).contains(&format!("--digest {} carries it out after all", &digest[..12])),
                "{}",
                told(&status)
            );
        }
        let again = office.apply(&digest);
        assert_eq!(again.status.code(), Some(0), "{when}{}", told(&again));
        assert!(!office.accepts("shop", text(&office.old["shop"])), "{when}");
    }
    assert!(
        clean > 0 && too_far > 0 && brought_back > 2,
        "{clean} clean, {too_far} too far, {brought_back} brought back"
    );
}

#[test]
fn one_item_can_be_taken_back_by_its_name() {
    let office = Office::open();
    let digest = office.sweep();
    let none = office.offkey(&["undo", "--case", "case"], None);
    assert_eq!(none.status.code(), Some(0), "{}", told(&none));
    assert!(told(&none).contains("Nothing was begun"), "{}", told(&none));
    let wrong = office.offkey(&["undo", "--case", "case", "c99"], None);
    assert_eq!(wrong.status.code(), Some(2), "{}", told(&wrong));
    assert_eq!(office.apply(&digest).status.code(), Some(0));
    let late = office.offkey(&["undo", "--case", "case", "c2"], None);
    assert_eq!(late.status.code(), Some(11), "{}", told(&late));
    assert!(told(&late).contains("c2") && told(&late).contains("it can only go on"), "{}", told(&late));
}

/// A hook of the shop that presses Ctrl-C: the moment is the same on every machine.
fn interrupting(office: &Office, script: &str) {
    let config = office.path("offkey.toml");
    let mut text = std::fs::read_to_string(&config).expect("text");
    text.push_str(&format!(
        "[[policy.hook]]\nname = \"impatience\"\ntargets = [\"keyring:role:shop\"]\nexec = [\"sh\", \"-c\", \"{script}\"]\n"
    ));
    std::fs::write(config, text).expect("written");
}

#[test]
fn ctrl_c_ends_a_run_where_every_consumer_works_and_names_the_next_command() {
    let office = Office::open();
    interrupting(&office, "[ -e pressed ] || kill -INT $PPID; touch pressed");
    let stopped = office.apply(&office.sweep());
    assert_eq!(stopped.status.code(), Some(11), "{}", told(&stopped));
    assert!(told(&stopped).contains("Stopping: nothing new is begun"), "{}", told(&stopped));
    assert!(told(&stopped).contains("Next: offkey resume --case case"), "{}", told(&stopped));
    for account in ["shop", "billing"] {
        assert!(office.somebody_can_log_in(account), "{}", told(&stopped));
    }
    let status = told(&office.offkey(&["status", "--case", "case"], None));
    assert!(status.contains("next: offkey resume --case case"), "what comes after the hook was not begun: {status}");
    let resumed = office.offkey(&["resume", "--case", "case"], None);
    assert_eq!(resumed.status.code(), Some(0), "{}", told(&resumed));
    assert_eq!(office.confirm().status.code(), Some(0));
}

#[test]
fn ctrl_c_twice_ends_a_run_at_once_and_names_the_next_command() {
    let office = Office::open();
    interrupting(&office, "[ -e pressed ] && exit; touch pressed; while kill -INT $PPID; do sleep 0.1; done");
    let stopped = office.apply(&office.sweep());
    assert_eq!(stopped.status.code(), None, "{}", told(&stopped));
    assert!(told(&stopped).contains("Stopped at once. Next: offkey resume --case case"), "{}", told(&stopped));
    assert!(office.somebody_can_log_in("shop"), "{}", told(&stopped));
    let resumed = office.offkey(&["resume", "--case", "case"], None);
    assert_eq!(resumed.status.code(), Some(0), "{}", told(&resumed));
}
