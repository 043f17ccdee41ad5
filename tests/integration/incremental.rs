//! The second scan of a history reads only what is new, and still finds everything.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use offkey::detect::{Detector, Options, run};
use offkey::rule::RuleSet;
use offkey::source::git::GitHistory;
use offkey::source::{Coverage, Progress, Seen, Source};

fn git(at: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(at).args(["-c", "init.defaultBranch=main", "-c", "user.name=Alice Moreau"]);
    command.args(["-c", "user.email=alice@harbourfinch.example", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"]);
    command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(command.status().expect("git runs").success(), "git {arguments:?}");
}

fn commit(at: &Path, content: &str) {
    std::fs::write(at.join("settings.py"), content).expect("writes");
    git(at, &["add", "."]);
    git(at, &["commit", "-qm", "settings"]);
}

/// Places of the findings of a scan, incremental if there is a folder for what was seen.
fn scan(at: &Path, state: Option<&Path>) -> (Vec<String>, Coverage) {
    let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::from(0.2)).expect("builds");
    let digest = detector.digest().expect("no needles");
    let seen = state.map(|state| Arc::new(Seen::open(state, digest).expect("opens")));
    let sources: Vec<Box<dyn Source>> = vec![Box::new(GitHistory::new(at).incremental(seen.clone()))];
    let (hits, mut coverage) = run(&detector, &sources, &Progress::default(), Some(2)).expect("scans");
    if let Some(seen) = seen {
        seen.save(hits.iter().filter_map(|hit| hit.provenance.object())).expect("saves");
    }
    let places = hits.iter().map(|hit| format!("{} {} {:?}", hit.provenance, hit.found.rule, hit.lines)).collect();
    (places, coverage.remove(0))
}

#[test]
fn a_second_scan_reads_what_is_new_and_what_had_findings() {
    let folder = tempfile::tempdir().expect("folder");
    let (repo, state) = (folder.path().join("shop"), folder.path().join("state"));
    std::fs::create_dir(&repo).expect("folder");
    git(&repo, &["init", "-q"]);
    let token = |n: u8| format!("{}Z7QX3MPLW5RT2KV{}", concat!("AK", "IA"), char::from(b'A' + n));
    let text: String = (0..200).map(|n| format!("line_{n} = {}\n", n * 37)).collect();
    for round in 0..12 {
        commit(&repo, &format!("{text}round = {round}\n"));
    }
    commit(&repo, &format!("{text}token = \"{}\"\n", token(1)));
    for repacked in [false, true] {
        if repacked {
            git(&repo, &["repack", "-qadf", "--depth=50"]);
        }
        let (full, whole) = scan(&repo, None);
        assert_eq!(full.len(), 1, "{full:?}");
        let (first, _) = scan(&repo, Some(&state));
        let (second, little) = scan(&repo, Some(&state));
        assert_eq!((&first, &second), (&full, &full), "an incremental scan finds the same");
        assert_eq!(little.documents, 1, "only the file with the finding is read again");
        let left_out: u64 =
            little.counts.iter().filter(|(why, _)| why.contains("scanned before")).map(|(_, n)| n).sum();
        assert_eq!(left_out + little.documents, whole.documents);
    }
    commit(&repo, &format!("{text}token = \"{}\"\n", token(2)));
    let (third, little) = scan(&repo, Some(&state));
    assert_eq!(third, scan(&repo, None).0);
    assert_eq!(
        (third.len(), little.documents),
        (2, 3),
        "the new blob and commit, and the old finding: {:?}",
        little.counts
    );
}
