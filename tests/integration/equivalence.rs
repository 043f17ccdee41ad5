//! Scanning only what a delta adds gives the findings of scanning every blob whole: compared finding by finding on
//! histories whose edits fall before, behind and inside of secrets, and on real histories where some are at hand.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use offkey::detect::{Detector, Needle, Options, run};
use offkey::rule::RuleSet;
use offkey::secret::SecretValue;
use offkey::source::git::GitHistory;
use offkey::source::{Progress, Source};

/// A small generator of our own, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| letters[self.roll(letters.len())]).collect()
    }
}

const ALL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A line that holds a made-up secret of some kind, or near misses and ordinary text.
fn line(dice: &mut Dice) -> String {
    match dice.roll(14) {
        0 => format!("aws_key = \"{}{}\"\n", concat!("AK", "IA"), dice.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        1 => format!("token: {}{}\n", concat!("gh", "p_"), dice.text(ALL, 36)),
        2 => format!("DB_PASSWORD={}\n", dice.text("abcdefghkmnXYZ23456789!#", 14)),
        3 => format!("url = postgres://shop:{}@db.internal:5432/shop\n", dice.text(ALL, 12)),
        4 => {
            let body: String = (0..3).map(|_| dice.text(ALL, 64) + "\n").collect();
            format!(
                "{}\n{body}{}\n",
                concat!("-----BEGIN RSA PRI", "VATE KEY-----"),
                concat!("-----END RSA PRI", "VATE KEY-----")
            )
        }
        5 => format!("slack {}{}-{}\n", concat!("xo", "xb-"), dice.text("0123456789", 12), dice.text(ALL, 24)),
        6 => format!("const secret = '{}'; // key key key\n", dice.text(ALL, 20)),
        7 => format!("curl -u admin:{} https://host.example/api\n", dice.text(ALL, 10)),
        8 => "needle value-of-the-store-77 here\n".to_owned(),
        9 => format!("if (api_key == other.token) {{ return password; }} {}\n", dice.text("ab ", 20)),
        _ => {
            let words = dice.text("etaoin shrdlu .,;(){}=", 40);
            format!("{words}\n")
        }
    }
}

/// Changes a file at one or two places, often within a line.
fn edit(dice: &mut Dice, text: &mut String) {
    for _ in 0..=dice.roll(2) {
        let at = dice.roll(text.len());
        let length = [0, 1, 3, 40][dice.roll(4)].min(text.len() - at);
        let new = match dice.roll(4) {
            0 => line(dice),
            1 => dice.text(ALL, 5),
            2 => "\n".to_owned(),
            _ => String::new(),
        };
        text.replace_range(at..at + length, &new);
    }
}

/// A repository of some files with many revisions each, packed with long delta chains.
fn history(at: &Path, seed: u64) {
    let dice = &mut Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(at).args(["-c", "init.defaultBranch=main"]).args(arguments);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    };
    assert!(git(&["init", "-q"]).status().expect("git runs").success());
    let mut import = git(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git runs");
    {
        let mut stream = import.stdin.take().expect("a pipe");
        let mut files: Vec<String> = (0..3).map(|_| (0..60).map(|_| line(dice)).collect()).collect();
        for round in 0..120 {
            let file = dice.roll(files.len());
            edit(dice, &mut files[file]);
            let text = &files[file];
            write!(
                stream,
                "commit refs/heads/main\ncommitter A <a@harbourfinch.example> {} +0000\ndata 5\nround\n\
                 M 100644 inline f{file}.txt\ndata {}\n{text}\n",
                1_700_000_000 + round,
                text.len()
            )
            .expect("git reads");
        }
    }
    assert!(import.wait().expect("git ends").success());
    assert!(git(&["repack", "-q", "-adf", "--depth=250", "--window=250"]).status().expect("git runs").success());
}

/// Every finding of a history as text, without the secret itself.
fn findings(detector: &Detector, at: &Path, naive: bool) -> Vec<String> {
    let sources: Vec<Box<dyn Source>> = vec![Box::new(GitHistory::new(at).naive(naive))];
    let (hits, coverage) = run(detector, &sources, &Progress::default(), Some(2)).expect("scans");
    assert!(!coverage[0].is_partial(), "{:?}", coverage[0].gaps);
    let mut lines: Vec<String> = hits
        .iter()
        .map(|hit| {
            let found = &hit.found;
            let place = (&hit.lines, &hit.columns, &found.span);
            format!(
                "{} {place:?} {} {:.4} {:?} {:?}",
                hit.provenance, found.rule, found.confidence, found.notes, found.encodings
            )
        })
        .collect();
    lines.sort();
    lines
}

fn same(detector: &Detector, at: &Path, name: &str) -> usize {
    let (whole, parts) = (findings(detector, at, true), findings(detector, at, false));
    for (a, b) in whole.iter().zip(&parts) {
        assert_eq!(a, b, "the first difference on {name} (whole, then by deltas)");
    }
    assert_eq!(whole.len(), parts.len(), "{name}");
    whole.len()
}

#[test]
fn scanning_deltas_finds_what_scanning_blobs_finds() {
    let needle = Needle { label: "store".to_owned(), value: SecretValue::new("value-of-the-store-77") };
    let detector = Detector::new(RuleSet::builtin(), vec![needle], Options::from(0.02)).expect("builds");
    let mut total = 0;
    for seed in 1..=8 {
        let folder = tempfile::tempdir().expect("folder");
        history(folder.path(), seed);
        total += same(&detector, folder.path(), &format!("seed {seed}"));
    }
    assert!(total > 5000, "only {total} findings: the test compares too little");
}

/// Real histories: `OFFKEY_HISTORIES=folder-of-bare-repositories cargo nextest run --run-ignored all real_histories`.
#[test]
#[ignore = "takes real repositories from the folder that OFFKEY_HISTORIES names, and minutes"]
fn scanning_deltas_finds_the_same_on_real_histories() {
    let folder = std::env::var_os("OFFKEY_HISTORIES").expect("OFFKEY_HISTORIES names a folder of bare repositories");
    let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::default()).expect("builds");
    let mut total = 0;
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.join("objects").is_dir() {
            total += same(&detector, &path, &path.display().to_string());
        }
    }
    assert!(total > 0, "no findings to compare");
}
