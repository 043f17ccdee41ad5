//! What every step must survive: seen undone, done, seen done, done again.

#![allow(dead_code, reason = "which part is used depends on the features that the tests are built with")]

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use offkey::action::{Action, ActionError, Context, Effect, Observed, Receipt, Slot, Target, ValueRef, Values, wait};
use offkey::rotation::Systems;
use offkey::secret::{Fingerprinter, SecretValue};
use offkey::store::{Held, Store, StoreStep, Supply};
use uuid::Uuid;

/// A context whose values come from `values`.
pub(crate) fn context(values: &dyn Values, op: u128) -> Context<'_> {
    Context { op: Uuid::from_u128(op), values, deadline: Duration::from_secs(10) }
}

/// Seen undone → done → seen done → done again → seen done. Gives the first receipt.
pub(crate) fn drive(action: &dyn Action, cx: &Context<'_>) -> Receipt {
    let name = action.name();
    assert_eq!(wait(action.observe(cx)), Ok(Observed::NotDone), "{name} before");
    let receipt = wait(action.apply(cx)).unwrap_or_else(|error| panic!("{name}: {error}"));
    if action.effect() != Effect::ReadOnly {
        assert!(
            matches!(wait(action.observe(cx)), Ok(Observed::Done(_))),
            "{name} after: {:?}",
            wait(action.observe(cx))
        );
        wait(action.apply(cx)).unwrap_or_else(|error| panic!("{name} again: {error}"));
        assert!(matches!(wait(action.observe(cx)), Ok(Observed::Done(_))), "{name} after the second time");
    }
    receipt
}

/// What a step that must fail says.
pub(crate) fn refusal(action: &dyn Action, cx: &Context<'_>) -> ActionError {
    match wait(action.apply(cx)) {
        Err(error) => error,
        Ok(receipt) => panic!("{} must not work: {receipt:?}", action.name()),
    }
}

/// Stages a generated value.
pub(crate) fn generate() -> StoreStep {
    StoreStep::Stage(Supply::Generate { length: 24, alphabet: "abcdefghjkmnpqrstuvwxyz23456789".to_owned() })
}

/// Fingerprints of tests.
pub(crate) fn fingerprinter() -> Fingerprinter {
    Fingerprinter::new(&SecretValue::new("tests only"))
}

/// Values that actions can read, as if they had been found in text.
pub(crate) fn values(all: &[&str]) -> (Systems, Vec<ValueRef>) {
    let mut found = HashMap::new();
    let mut refs = Vec::new();
    for value in all {
        let print = fingerprinter().fingerprint(value.as_bytes());
        found.insert(print, SecretValue::new(*value));
        refs.push(ValueRef::found(&print));
    }
    (Systems { found, ..Systems::default() }, refs)
}

/// Everything that a store holds, and nothing left out.
pub(crate) fn inventory(store: &dyn Store) -> Vec<Held> {
    let mut held = Vec::new();
    let coverage = wait(store.inventory(&mut |one| {
        held.push(one);
        ControlFlow::Continue(())
    }));
    assert!(!coverage.expect("readable").is_partial());
    held
}

/// The version that consumers of a place read now.
pub(crate) fn version_of(store: &dyn Store, at: &Target) -> String {
    let held = inventory(store);
    held.into_iter().find(|one| one.at == *at && one.slot == Slot::Current).expect("held").version
}

/// Text of a value.
pub(crate) fn text(value: &SecretValue) -> String {
    value.expose_str().expect("text").to_owned()
}

/// Runs offkey in a folder that keeps its `home`; dies after so many writes of its journal when told to.
pub(crate) fn offkey(folder: &Path, arguments: &[&str], crash_after: Option<usize>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
    command.args(arguments).current_dir(folder).env("OFFKEY_HOME", folder.join("home"));
    command.env_remove("OFFKEY_CRASH_AFTER_WRITE");
    if let Some(writes) = crash_after {
        command.env("OFFKEY_CRASH_AFTER_WRITE", writes.to_string());
    }
    command.output().expect("offkey starts")
}

/// Makes a repository of the folder, with one commit of one file by Alice.
pub(crate) fn alice_commits(folder: &Path, file: &str, message: &str) {
    let repository = git2::Repository::init(folder).expect("a repository");
    let mut index = repository.index().expect("an index");
    index.add_path(Path::new(file)).expect("added");
    let tree = repository.find_tree(index.write_tree().expect("written")).expect("a tree");
    let alice = git2::Signature::now("Alice Moreau", "alice@harbourfinch.example").expect("a signature");
    let parent = repository.head().ok().map(|head| head.peel_to_commit().expect("a commit"));
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &alice, &alice, message, &tree, &parents).expect("committed");
}

/// The bytes of every file below a folder.
pub(crate) fn collect(dir: &Path, into: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, into) } else { into.push(std::fs::read(path).expect("readable")) }
    }
}
