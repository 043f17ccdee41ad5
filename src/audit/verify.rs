//! Checks a log without configuration and without the writer's code: its own hashing, its own reading of the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use sha2::{Digest, Sha256};

use super::checkpoint::{Checkpoint, key_id};
use crate::error::{Error, Result};

/// What was checked and found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries in the log.
    pub entries: u64,
    /// Entries under the signature; later ones are chained but not signed yet.
    pub signed: u64,
    /// Id of the key that signed.
    pub key_id: String,
    /// When it signed.
    pub time: String,
    /// Files beside the log that have the bytes which it seals. None for an exported log.
    pub files: Vec<String>,
}

/// Checks the log of a case: numbering, chain, tree root, signature, and the files that it seals.
///
/// `case` is the folder, or an exported log (the lines of [`lines`]) with the case's `checkpoint.txt` beside it. `pinned` is the
/// id of the key that must have signed; without it any key is accepted, and named in the result.
///
/// # Errors
/// The first thing that is not in order, with the number of the entry.
pub fn verify(case: &Path, pinned: Option<&str>) -> Result<Verified> {
    let whole = case.is_dir();
    let folder = if whole { case } else { case.parent().unwrap_or(case) };
    let note = folder.join("checkpoint.txt");
    let rows = lines(case)?;
    let leaves = chain(&rows).map_err(bad)?;
    let text = std::fs::read_to_string(&note)
        .map_err(|cause| bad(format!("{} cannot be read", note.display())).because(cause))?;
    let checkpoint =
        Checkpoint::parse(&text).ok_or_else(|| bad("the checkpoint is not of the form of one".to_owned()))?;
    let key_id = key_id(&checkpoint.key);
    if !checkpoint.is_signed() {
        return Err(bad("the signature of the checkpoint is not valid".to_owned()));
    }
    if pinned.is_some_and(|pinned| pinned != key_id) {
        return Err(bad(format!("the checkpoint is signed by key {key_id}, which is not the key that was asked for")));
    }
    let signed = usize::try_from(checkpoint.size).ok().filter(|size| *size <= leaves.len());
    let signed = signed.ok_or_else(|| {
        bad(format!(
            "the log has {} entries, the checkpoint signed {}: entries were removed",
            leaves.len(),
            checkpoint.size
        ))
    })?;
    if root(&leaves[..signed]) != checkpoint.root {
        return Err(bad(format!(
            "the first {signed} entries do not have the root that was signed: an entry was changed"
        )));
    }
    let files = if whole { sealed_files(folder, &rows[..signed]).map_err(bad)? } else { Vec::new() };
    Ok(Verified { entries: leaves.len() as u64, signed: checkpoint.size, key_id, time: checkpoint.time, files })
}

fn bad(why: String) -> Error {
    Error::integrity(why).next("Do not rely on this case; ask for the original folder.")
}

/// Names of the files whose digests signed entries carry, after comparing them.
fn sealed_files(folder: &Path, rows: &[String]) -> Result<Vec<String>, String> {
    let mut sealed: BTreeMap<String, String> = BTreeMap::new();
    for row in rows {
        let entry: serde_json::Value = serde_json::from_str(row).map_err(|_| "an entry is not JSON".to_owned())?;
        let files = entry["data"]["files"].as_object().into_iter().flatten();
        sealed.extend(files.filter_map(|(name, digest)| Some((name.clone(), digest.as_str()?.to_owned()))));
    }
    for (name, digest) in &sealed {
        let text = std::fs::read(folder.join(name)).map_err(|cause| format!("{name} cannot be read: {cause}"))?;
        if Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect::<String>() != *digest {
            return Err(format!("{name} is not the file that the log sealed"));
        }
    }
    Ok(sealed.into_keys().collect())
}

/// The entries as they are hashed, one a line: those of a case's folder, or those that were exported from one.
///
/// # Errors
/// When there is no log, another process works on it, or it is damaged.
pub fn lines(case: &Path) -> Result<Vec<String>> {
    let log = if case.is_dir() { case.join(super::FILE) } else { case.to_owned() };
    if !log.exists() {
        return Err(Error::user(format!("{} has no log", case.display())).next("Pass the folder of a case."));
    }
    let unreadable = |cause: Box<dyn std::error::Error + Send + Sync>| {
        bad(format!("{} cannot be read", log.display())).because(cause)
    };
    if !case.is_dir() {
        let text = std::fs::read_to_string(&log).map_err(|cause| unreadable(cause.into()))?;
        return Ok(text.lines().map(str::to_owned).collect());
    }
    let unwritten = std::fs::metadata(case.join(format!("{}-wal", super::FILE))).is_ok_and(|file| file.len() > 0);
    rows(&log, unwritten).map_err(|cause| match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::user(format!("another offkey works on {}", case.display())).next("Wait for it, and ask again.")
        }
        _ if unwritten => Error::user(format!("{} has entries that were not written back yet", log.display()))
            .because(cause)
            .next("Copy the folder to where it can be written, and ask again."),
        _ => unreadable(cause.into()),
    })
}

/// `unwritten`: SQLite's log beside the file holds entries, too, which `immutable` would not see.
fn rows(path: &Path, unwritten: bool) -> rusqlite::Result<Vec<String>> {
    // A case on read-only media has no shared-memory file: `immutable` reads it all the same.
    let uri = format!(
        "file:{}?mode=ro",
        path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let query = |uri: &str| -> rusqlite::Result<Vec<String>> {
        let db = Connection::open_with_flags(uri, flags)?;
        db.busy_timeout(Duration::from_secs(2))?;
        db.prepare("SELECT body FROM entry ORDER BY seq")?.query_map([], |row| row.get(0))?.collect()
    };
    query(&uri).or_else(|error| if unwritten { Err(error) } else { query(&format!("{uri}&immutable=1")) })
}

/// Leaf hashes, after checking that each entry carries its number and the hash of the one before.
fn chain(rows: &[String]) -> Result<Vec<[u8; 32]>, String> {
    let mut leaves: Vec<[u8; 32]> = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let entry: serde_json::Value = serde_json::from_str(row).map_err(|_| format!("entry {number} is not JSON"))?;
        if entry["seq"].as_u64() != Some(number as u64) {
            return Err(format!("entry {number} carries another number"));
        }
        let before = leaves.last().map_or(String::new(), |hash| hash.iter().map(|b| format!("{b:02x}")).collect());
        if entry["prev"].as_str() != Some(before.as_str()) {
            return Err(format!("entry {number} does not follow from the one before"));
        }
        leaves.push(Sha256::digest([&[0u8], row.as_bytes()].concat()).into());
    }
    Ok(leaves)
}

/// Root by whole levels from the bottom up: another way than the writer's recursion from the top down. A lone last node
/// moves up unchanged, which gives the tree of RFC 6962.
fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    if leaves.is_empty() {
        return Sha256::digest([]).into();
    }
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Sha256::digest([&[1u8][..], left, right].concat()).into(),
                lone => lone[0],
            })
            .collect();
    }
    level[0]
}

#[cfg(test)]
mod tests {
    use super::super::{Log, Signer};
    use super::*;
    use crate::secret::SecretValue;

    fn signer() -> Signer {
        Signer::new(&SecretValue::new([9u8; 32])).expect("32 bytes")
    }

    fn case(entries: usize) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let log = Log::open(dir.path()).expect("a new log");
        for n in 0..entries {
            log.append("note", serde_json::json!({ "n": n })).expect("written");
        }
        std::fs::write(dir.path().join("checkpoint.txt"), log.checkpoint(&signer()).to_text()).expect("written");
        dir
    }

    fn tamper(dir: &Path, sql: &str) {
        Connection::open(dir.join(super::super::FILE)).and_then(|db| db.execute_batch(sql)).expect("tampered");
    }

    #[test]
    fn both_ways_to_the_root_agree() {
        for size in 0..40 {
            let dir = case(size);
            let verified = verify(dir.path(), Some(&signer().key_id())).expect("in order");
            assert_eq!((verified.entries, verified.signed), (size as u64, size as u64));
        }
    }

    #[test]
    fn every_kind_of_tampering_is_seen() {
        let cases = [
            ("UPDATE entry SET body = replace(body, '\"n\":6', '\"n\":7') WHERE seq = 6", "does not follow"),
            ("UPDATE entry SET body = replace(body, '\"n\":9', '\"n\":8') WHERE seq = 9", "was changed"),
            ("DELETE FROM entry WHERE seq = 9", "entries were removed"),
            ("DELETE FROM entry WHERE seq = 4", "carries another number"),
        ];
        for (sql, expected) in cases {
            let dir = case(10);
            tamper(dir.path(), sql);
            let error = verify(dir.path(), None).expect_err(sql);
            assert!(error.to_string().contains(expected), "{sql}: {error}");
        }
        let dir = case(3);
        assert!(verify(dir.path(), Some("0123456789abcdef")).is_err(), "another key");
    }

    #[test]
    fn a_file_that_the_log_sealed_may_not_change() {
        let dir = case(1);
        let log = Log::open(dir.path()).expect("opens");
        std::fs::write(dir.path().join("plan.json"), "one").expect("written");
        let digest = Sha256::digest("one").iter().map(|b| format!("{b:02x}")).collect::<String>();
        log.append("sealed", serde_json::json!({ "files": { "plan.json": digest } })).expect("written");
        std::fs::write(dir.path().join("checkpoint.txt"), log.checkpoint(&signer()).to_text()).expect("written");
        drop(log);
        assert_eq!(verify(dir.path(), None).expect("in order").files, ["plan.json"]);
        for change in [Some("two"), None] {
            match change {
                Some(text) => std::fs::write(dir.path().join("plan.json"), text).expect("written"),
                None => std::fs::remove_file(dir.path().join("plan.json")).expect("removed"),
            }
            let error = verify(dir.path(), None).expect_err("changed");
            assert!(error.to_string().contains("plan.json"), "{error}");
        }
    }

    #[test]
    fn an_exported_log_verifies_beside_its_checkpoint() {
        let dir = case(4);
        let export = dir.path().join("log.jsonl");
        let text = lines(dir.path()).expect("read").join("\n");
        std::fs::write(&export, &text).expect("written");
        assert_eq!(verify(&export, None).expect("in order").entries, 4);
        std::fs::write(&export, text.replace("\"n\":3", "\"n\":4")).expect("written");
        assert!(verify(&export, None).is_err());
    }

    #[test]
    fn a_log_that_is_written_to_is_not_called_damaged() {
        let dir = case(3);
        let log = Log::open(dir.path()).expect("opens");
        log.append("note", serde_json::json!({})).expect("written");
        std::fs::write(dir.path().join("checkpoint.txt"), log.checkpoint(&signer()).to_text()).expect("written");
        let error = verify(dir.path(), None).expect_err("somebody writes");
        assert_eq!(error.kind(), crate::error::Kind::User, "{error}");
    }

    #[test]
    fn a_log_goes_on_after_it_was_closed_and_refuses_a_broken_chain() {
        let dir = case(3);
        Log::open(dir.path()).expect("opens").append("note", serde_json::json!({})).expect("written");
        let verified = verify(dir.path(), None).expect("in order");
        assert_eq!((verified.entries, verified.signed), (4, 3));
        tamper(dir.path(), "UPDATE entry SET body = replace(body, '\"n\":1', '\"n\":5') WHERE seq = 1");
        let error = Log::open(dir.path()).expect_err("broken chain");
        assert!(error.to_string().contains("entry 2"), "{error}");
    }

    #[test]
    fn a_second_writer_is_kept_out() {
        let dir = case(1);
        let _first = Log::open(dir.path()).expect("opens");
        let error = Log::open(dir.path()).expect_err("locked");
        assert!(error.next_step().is_some_and(|next| next.contains("Another offkey")), "{error}");
    }
}
