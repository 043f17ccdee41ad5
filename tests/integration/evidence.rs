//! What is kept of a case: it can be read, exported and checked after a crash, and a changed file is never reported on.

use std::fs;

use crate::crash::{Office, told};

#[test]
fn a_log_is_read_exported_and_checked_right_after_a_crash() {
    let office = Office::open();
    let digest = office.sweep();
    let killed = office.offkey(&["apply", "--case", "case", "--digest", &digest], Some(9));
    assert_eq!(killed.status.code(), None, "{}", told(&killed));
    let verified = office.offkey(&["audit", "verify", "case"], None);
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    assert!(told(&verified).contains("case.json, findings.json, plan.json"), "{}", told(&verified));

    let shown = office.offkey(&["audit", "show", "case"], None);
    assert_eq!(shown.status.code(), Some(0), "{}", told(&shown));
    assert!(told(&shown).contains("case-opened") && told(&shown).contains("identity Alice Moreau"), "{}", told(&shown));
    let one = office.offkey(&["audit", "show", "case", "--item", "c1"], None);
    let lines = String::from_utf8_lossy(&one.stdout).into_owned();
    assert!(!lines.is_empty() && lines.lines().all(|line| line.contains("c1.")), "{lines}");

    let exported = office.offkey(&["audit", "show", "case", "--json"], None);
    fs::create_dir(office.path("export")).expect("made");
    fs::write(office.path("export/log.jsonl"), &exported.stdout).expect("written");
    fs::copy(office.path("case/checkpoint.txt"), office.path("export/checkpoint.txt")).expect("copied");
    let verified = office.offkey(&["audit", "verify", "export/log.jsonl"], None);
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
}

#[test]
fn a_case_with_a_changed_file_is_not_reported_on_and_not_carried_out() {
    for (file, from, to) in [
        ("findings.json", "config.ini", "another.ini"),
        ("case.json", "Alice Moreau", "Bob Tanaka"),
        ("checkpoint.txt", "offkey-log/1\n", "offkey-log/1\n9"),
    ] {
        let office = Office::open();
        let digest = office.sweep();
        let path = office.path("case").join(file);
        let text = fs::read_to_string(&path).expect("text");
        assert!(text.contains(from), "{file} has nothing to change");
        fs::write(&path, text.replace(from, to)).expect("written");
        let before = office.stores();
        for arguments in
            [&["audit", "verify", "case"][..], &["report", "--case", "case"], &["status", "--case", "case"]]
        {
            let refused = office.offkey(arguments, None);
            assert_eq!(refused.status.code(), Some(30), "{file} {arguments:?}: {}", told(&refused));
        }
        if file != "checkpoint.txt" {
            let applied = office.apply(&digest);
            assert_eq!(applied.status.code(), Some(30), "{file}: {}", told(&applied));
        }
        assert_eq!(office.stores(), before, "{file}");
    }
}
