//! The entries of the fuzzer (`fuzz/entries.rs`) on a bounded number of inputs: seeds of each format, changed at random but always in
//! the same way, must neither panic nor hang. `FUZZ_ROUNDS` sets how many changed forms of each seed are tried, and
//! `OFFKEY_CORPUS` names a folder into which the seeds are written, as the corpus of `cargo fuzz`.

use std::panic::catch_unwind;
use std::path::PathBuf;

use super::read;
use super::seeds::{self, Seed};

#[path = "../../../fuzz/entries.rs"]
mod entries;

/// Changed forms of each seed.
const ROUNDS: u64 = 100;

/// A small sequence of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

fn changed(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(out.len());
        match numbers.below(6) {
            0 => out.truncate(at.max(1)),
            1 => out[at] = numbers.below(256) as u8,
            2 => out[at] ^= 1 << numbers.below(8),
            3 => drop(out.drain(at..(at + 1 + numbers.below(20)).min(out.len()))),
            4 => {
                let part: Vec<u8> = out[at..(at + numbers.below(60)).min(out.len())].to_vec();
                let to = numbers.below(out.len());
                out.splice(to..to, part);
            }
            _ => {
                let odd: &[&[u8]] = &[
                    b"\"",
                    b"\\u0000",
                    b"{",
                    b"]",
                    b"<![CDATA[",
                    b"]]>",
                    b"&#x0;",
                    b"\xff\xfe",
                    b"\n\n",
                    b"-1",
                    b"99999999999999999999",
                    b"--b\n",
                    b"null",
                ];
                out.splice(at..at, odd[numbers.below(odd.len())].iter().copied());
            }
        }
        if out.is_empty() {
            out.push(0);
        }
    }
    out
}

fn survive(target: &str, entry: fn(&[u8]), input: &[u8], round: u64) {
    // An error is an answer; a panic is none.
    let whole = catch_unwind(|| entry(input));
    if whole.is_err() {
        let kept = std::env::temp_dir().join(format!("offkey-{target}-{round}"));
        std::fs::write(&kept, input).expect("written");
        panic!("{target} in round {round} panics on what is kept in {}", kept.display());
    }
}

/// Runs one entry on its seeds, damaged and whole.
fn bounded(target: &str) {
    let (_, entry) =
        *entries::ENTRIES.iter().find(|one| one.0 == target).unwrap_or_else(|| panic!("no entry {target}"));
    let rounds = std::env::var("FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let seeds = seeds::of(target);
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for (number, seed) in seeds.iter().enumerate() {
        corpus(target, number, seed);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ ((number as u64) << 20));
        survive(target, entry, seed, 0);
        for round in 1..=rounds {
            survive(target, entry, &changed(seed, &mut numbers), round);
        }
    }
}

/// Keeps a seed where the user wants a corpus.
fn corpus(target: &str, number: usize, seed: &[u8]) {
    let Some(folder) = std::env::var_os("OFFKEY_CORPUS") else { return };
    let folder = PathBuf::from(folder).join(target);
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join(format!("seed-{number}")), seed).expect("written");
}

/// One test a target, so that they run beside each other and the one that breaks is named.
macro_rules! targets {
    ($($target:ident)*) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),*];
        $(#[test] fn $target() { bounded(stringify!($target)); })*
    };
}

targets!(slack_day slack_dump slack_chunks mail jira_json jira_csv jira_xml confluence mapped_json mapped_csv mapped_xml any_format
    archive document encoded pack delta);

#[test]
fn every_entry_has_a_target_and_a_bounded_run() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("readable");
    let names: Vec<&str> = entries::ENTRIES.iter().map(|entry| entry.0).collect();
    assert_eq!(names, TARGETS);
    for name in names {
        let target = std::fs::read_to_string(root.join(format!("targets/{name}.rs"))).expect("readable");
        assert!(target.contains(&format!("entries::{name}(data)")), "{name}");
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
    }
}

#[test]
fn the_deltas_of_the_seed_are_applied() {
    let seed = seeds::of("delta").remove(0);
    let (index, pack) = entries::assembled(&seed);
    entries::repository(&index, &pack, |folder| {
        let seen = read(folder);
        let (found, gaps) = (seen.all("secret").len(), seen.gaps());
        assert_eq!((found, seen.all("secretinsert").len()), (3, 1), "{gaps:?}");
        assert!(gaps.iter().any(|gap| gap.contains("made for another base")), "{gaps:?}");
    });
}

#[test]
fn every_seed_is_recognised_for_what_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for Seed { name, content, .. } in seeds::exports() {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        let seen = read(&path);
        if seen.coverage[0].format == "files" || seen.pieces.iter().all(|piece| piece.item.is_none()) {
            wrong.push(format!("{name}: {}", seen.coverage[0].format));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
