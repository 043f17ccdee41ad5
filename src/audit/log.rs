//! The writer: SQLite with a write-ahead log and a full sync for every entry.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::checkpoint::{Checkpoint, Signer};
use super::tree::{Tree, leaf};
use super::{Entry, tree};
use crate::clock;
use crate::error::{Error, Result};

/// Name of the log's file in a case.
pub const FILE: &str = "log.db";

/// For tests of crash safety only: the process dies right after this many writes.
const CRASH_AFTER: &str = "OFFKEY_CRASH_AFTER_WRITE";

/// An open log; one writer at a time, held by an exclusive lock on the file.
#[derive(Debug)]
pub struct Log(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    db: Connection,
    tree: Tree,
    writes: u64,
    crash_after: Option<u64>,
}

impl Log {
    /// Opens the log in a case's folder, or makes it; checks what is there.
    ///
    /// # Errors
    /// When another process has it open, the disk gives no full sync, or an entry does not follow from the one before.
    pub fn open(case: &Path) -> Result<Self> {
        let path = case.join(FILE);
        let shown = path.display().to_string();
        let failed = |cause: rusqlite::Error| {
            let busy = matches!(cause.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
            let error =
                Error::user(format!("the log {shown} cannot be opened")).because(cause).still("Nothing was changed.");
            if busy { error.next("Another offkey works on this case; wait for it.") } else { error }
        };
        let db = Connection::open(&path).map_err(failed)?;
        prepare(&db).map_err(failed)?;
        durable(&db, &shown)?;
        let mut tree = Tree::default();
        for (row, entry) in read(&db).map_err(failed)?.into_iter().enumerate() {
            let expected = tree.last().map_or(String::new(), hex);
            let whole = serde_json::from_str::<Entry>(&entry).is_ok_and(|e| e.seq == row as u64 && e.prev == expected);
            if !whole {
                return Err(Error::integrity(format!(
                    "entry {row} of the log {shown} does not follow from the one before"
                ))
                .still("Nothing was changed.")
                .next(
                    "`offkey audit verify` tells more. Do not go on with this case: restore its folder from a backup.",
                ));
            }
            tree.push(leaf(entry.as_bytes()));
        }
        let crash_after = std::env::var(CRASH_AFTER).ok().and_then(|n| n.parse().ok());
        Ok(Self(Mutex::new(Inner { db, tree, writes: 0, crash_after })))
    }

    /// Adds an entry and returns its number once it is on the disk.
    ///
    /// # Errors
    /// When it is not certain that the entry is on the disk: the caller must not go on.
    pub fn append(&self, kind: &str, data: serde_json::Value) -> Result<u64> {
        let mut inner = self.0.lock().expect("because no thread panics with the lock held");
        let seq = inner.tree.len() as u64;
        let prev = inner.tree.last().map_or(String::new(), hex);
        let entry = Entry { seq, time: clock::now().to_string(), kind: kind.to_owned(), data, prev }.canonical();
        inner.db.execute("INSERT INTO entry (seq, body) VALUES (?1, ?2)", params![seq as i64, entry]).map_err(
            |cause| Error::internal("the log could not be written").because(cause).still("The step was not started."),
        )?;
        inner.tree.push(leaf(entry.as_bytes()));
        inner.writes += 1;
        if inner.crash_after == Some(inner.writes) {
            std::process::abort();
        }
        Ok(seq)
    }

    /// Every entry, oldest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let inner = self.0.lock().expect("because no thread panics with the lock held");
        let rows = read(&inner.db).map_err(|cause| Error::internal("the log could not be read").because(cause))?;
        rows.iter()
            .map(|row| {
                serde_json::from_str(row).map_err(|cause| Error::integrity("an entry is not JSON").because(cause))
            })
            .collect()
    }

    /// Signs the present state.
    pub fn checkpoint(&self, signer: &Signer) -> Checkpoint {
        let inner = self.0.lock().expect("because no thread panics with the lock held");
        let size = inner.tree.len();
        signer.sign(size as u64, &inner.tree.root(size), &clock::now().to_string())
    }

    /// The tree over the present entries, for proofs.
    pub fn tree(&self) -> Tree {
        self.0.lock().expect("because no thread panics with the lock held").tree.clone()
    }
}

fn hex(hash: &tree::Hash) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(2))?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch("CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;")
}

/// SQLite takes pragmas as wishes: read them back, and the file's own check with them.
fn durable(db: &Connection, shown: &str) -> Result<()> {
    let text = |pragma: &str| db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, String>(0));
    let number = |pragma: &str| db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let journal = text("journal_mode").unwrap_or_default();
    let (sync, check) = (number("synchronous").unwrap_or_default(), text("integrity_check").unwrap_or_default());
    if check != "ok" {
        return Err(Error::integrity(format!("the log {shown} is damaged: {check}"))
            .still("Nothing was changed.")
            .next("Restore the case's folder from a backup."));
    }
    if journal != "wal" || sync != 2 {
        return Err(Error::user(format!(
            "the disk of {shown} does not give a durable log (journal {journal}, sync {sync})"
        ))
        .still("Nothing was changed.")
        .next("Keep cases on a local disk, not on a network share."));
    }
    Ok(())
}

fn read(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT body FROM entry ORDER BY seq")?.query_map([], |row| row.get(0))?.collect()
}
