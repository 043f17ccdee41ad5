//! Micro-benches of the engine on text made here: `cargo bench --no-default-features [FILTER]`.
//!
//! They show what a change does to one part. Claims against other scanners come from `benches/rivals.sh` alone.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use divan::counter::BytesCount;
use offkey::detect::{Detector, Needle, Options};
use offkey::rule::RuleSet;
use offkey::secret::SecretValue;
use offkey::source::git::GitHistory;
use offkey::source::{Document, Progress, Sink, Source};

fn main() {
    LazyLock::force(&RULES);
    divan::main();
}

static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(RuleSet::builtin);

/// Bytes of each text.
const SIZE: usize = 1 << 20;

/// Words of a text, one after the other by a small generator.
fn text(words: &[&str], width: usize) -> String {
    let mut text = String::with_capacity(SIZE + 100);
    let (mut state, mut column) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    while text.len() < SIZE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = words[(state >> 20) as usize % words.len()];
        column += word.len() + 1;
        text.push_str(word);
        text.push(if column > width { '\n' } else { ' ' });
        column = if column > width { 0 } else { column };
    }
    text
}

fn prose() -> String {
    text(&["the", "quick", "fox", "of", "a", "summer", "evening", "went", "into", "its", "own", "garden,", "and"], 90)
}

fn code() -> String {
    text(
        &[
            "if",
            "(user.name",
            "==",
            "key)",
            "{",
            "return",
            "token;",
            "}",
            "let",
            "password",
            "=",
            "input.value;",
            "https://example.com/path",
            "const",
            "api",
            "=",
            "require('auth');",
            "//",
            "sign",
            "in",
        ],
        60,
    )
}

/// A log with a credential in every fortieth line.
fn log() -> String {
    let mut text = String::with_capacity(SIZE + 200);
    let mut line = 0_u64;
    while text.len() < SIZE {
        let id = line.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if line.is_multiple_of(40) {
            let _infallible = writeln!(text, "2026-03-02T10:00:00Z export DB_PASSWORD=kV9x{id:016x}");
        }
        let _infallible = writeln!(text, "2026-03-02T10:00:00Z INFO request {id:016x} took {} ms", id % 900);
        line += 1;
    }
    text
}

fn detector(needles: usize) -> Detector {
    let needle = |n: usize| {
        let value = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Needle { label: format!("n{n}"), value: SecretValue::new(format!("x{value:016x}kQ")) }
    };
    Detector::new(Arc::clone(&RULES), (0..needles).map(needle).collect::<Vec<_>>(), Options::default())
        .expect("because the rules are checked")
}

#[divan::bench(args = ["prose", "code", "log"])]
fn scan(bencher: Bencher<'_, '_>, kind: &str) {
    let text = match kind {
        "prose" => prose(),
        "code" => code(),
        _ => log(),
    };
    let detector = detector(0);
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let mut found = Vec::new();
        detector.scan(text.as_bytes(), None, &mut found);
        found.len()
    });
}

#[divan::bench(args = [1_000, 100_000])]
fn needles(bencher: Bencher<'_, '_>, count: usize) {
    let (text, detector) = (prose(), detector(count));
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let mut found = Vec::new();
        detector.scan(text.as_bytes(), None, &mut found);
        found.len()
    });
}

#[divan::bench]
fn start() -> Detector {
    detector(0)
}

/// Takes documents and does nothing with them.
struct Nothing;

impl Sink for Nothing {
    fn document(&self, document: &Document<'_>) {
        divan::black_box(document.bytes);
    }
}

/// Reads a history without looking at it: this repository's own, or the one that OFFKEY_BENCH_REPOSITORY names.
#[divan::bench(sample_count = 5)]
fn decode_history(bencher: Bencher<'_, '_>) {
    let named = std::env::var_os("OFFKEY_BENCH_REPOSITORY");
    let repository = named.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = Command::new("git").arg("-C").arg(&repository).args(["rev-parse", "--git-dir"]).output();
    assert!(here.is_ok_and(|output| output.status.success()), "no repository here: set OFFKEY_BENCH_REPOSITORY");
    let history = GitHistory::new(repository.as_ref());
    let read = || history.read(&Nothing, &Progress::default()).expect("because it is a repository").bytes;
    bencher.counter(BytesCount::new(read())).bench_local(read);
}
