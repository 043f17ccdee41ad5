//! Every step observed before and after, repeated, and met with foreign changes.

use super::*;
use crate::action::{ValueRef, Values, wait};
use crate::store::Supply;

struct NoValues;

impl Values for NoValues {
    fn read<'a>(&'a self, _: &'a ValueRef) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async { Ok(None) })
    }
    fn stage<'a>(&'a self, _: &'a ValueRef, _: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async { Err(ActionError::Refused("no".to_owned())) })
    }
}

fn store(text: &str) -> (tempfile::TempDir, FileStore, Target) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(".env");
    fs::write(&path, text).expect("written");
    let at = Target { system: "files".to_owned(), locator: format!("{}#DB_PASSWORD", path.display()) };
    (dir, FileStore::new("files", vec![path], Fingerprinter::new(&SecretValue::new("k"))), at)
}

fn context(values: &NoValues) -> Context<'_> {
    Context { op: Uuid::from_u128(7), values, deadline: std::time::Duration::from_secs(1) }
}

fn generate() -> StoreStep {
    StoreStep::Stage(Supply::Generate { length: 20, alphabet: "abc123".to_owned() })
}

const TEXT: &str = "# keep\nDB_USER=shop\nDB_PASSWORD=old-value # why\n";

#[test]
fn a_value_goes_through_stage_promote_and_retire_each_once() {
    let (dir, store, at) = store(TEXT);
    let version = store.version("old-value");
    let values = NoValues;
    let cx = context(&values);
    for step in
        [generate(), StoreStep::Promote { expect: version.clone() }, StoreStep::Retire { replaced: version.clone() }]
    {
        let action = store.action(&at, step);
        assert_eq!(wait(action.observe(&cx)), Ok(Observed::NotDone), "{}", action.name());
        wait(action.apply(&cx)).expect("applies");
        assert!(matches!(wait(action.observe(&cx)), Ok(Observed::Done(_))), "{}", action.name());
        if action.name().0 == "file.promote" {
            let old = wait(store.read(&at, &Slot::Version(version.clone()))).expect("readable");
            assert_eq!(old.expect("kept until retired").expose(), b"old-value");
        }
    }
    let text = fs::read_to_string(dir.path().join(".env")).expect("there");
    assert!(text.starts_with("# keep\nDB_USER=shop\nDB_PASSWORD=") && text.ends_with(" # why\n"), "{text}");
    assert!(!text.contains("old-value"));
    assert_eq!(fs::read_dir(dir.path()).expect("folder").count(), 1, "nothing is left beside the file");
}

#[test]
fn a_foreign_change_is_a_conflict_and_stays() {
    let (dir, store, at) = store(TEXT);
    let values = NoValues;
    let cx = context(&values);
    let version = store.version("old-value");
    wait(store.action(&at, generate()).apply(&cx)).expect("staged");
    fs::write(dir.path().join(".env"), TEXT.replace("old-value", "somebody-elses")).expect("written");
    let promote = store.action(&at, StoreStep::Promote { expect: version });
    assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Conflict(_))));
}

#[test]
fn staging_can_be_taken_back_and_is_private() {
    let (dir, store, at) = store(TEXT);
    let values = NoValues;
    let cx = context(&values);
    let stage = store.action(&at, generate());
    wait(stage.apply(&cx)).expect("staged");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.path().join(".env.offkey")).expect("sidecar").permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    wait(stage.undo(&cx)).expect("undone");
    assert_eq!(wait(stage.observe(&cx)), Ok(Observed::NotDone));
}

#[test]
fn an_inventory_says_what_a_value_is_for() {
    let (_dir, store, _) = store(TEXT);
    let mut seen = Vec::new();
    wait(store.inventory(&mut |held| {
        seen.push((held.at.locator.rsplit('#').next().unwrap_or("").to_owned(), held.hints));
        ControlFlow::Continue(())
    }))
    .expect("reads");
    assert_eq!(seen[1], ("DB_PASSWORD".to_owned(), vec![("user".to_owned(), "shop".to_owned())]));
}

#[test]
fn a_file_outside_of_the_store_is_refused() {
    let (_dir, store, _) = store(TEXT);
    let at = Target { system: "files".to_owned(), locator: "/etc/shadow#root".to_owned() };
    assert!(matches!(wait(store.read(&at, &Slot::Current)), Err(ActionError::Refused(_))));
}

#[test]
fn what_stands_for_a_value_or_is_gone_is_refused_before_the_first_change() {
    let (_dir, whole, at) = store(TEXT);
    assert_eq!(wait(whole.preflight(&at)), Ok(()));
    for (text, why) in [("DB_PASSWORD=********\n", "masked"), ("DB_PASSWORD=\n", "empty"), ("DB_USER=a\n", "not there")]
    {
        let (_dir, store, at) = store(text);
        let refused = wait(store.preflight(&at)).expect_err(text).to_string();
        assert!(refused.contains(why), "{refused}");
    }
}
