//! The ledger at home: SQLite, one row a credential.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::{Entry, Lookup, State};
use crate::error::{Error, Result};
use crate::secret::Fingerprint;

/// Version of the tables; another one is refused, not guessed at.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS credential (
  fingerprint BLOB PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL,
  since TEXT NOT NULL, departed TEXT, until TEXT, first_seen TEXT NOT NULL, case_id TEXT NOT NULL,
  guessable INTEGER NOT NULL
) STRICT, WITHOUT ROWID;";

const COLUMNS: &str = "fingerprint, kind, label, owner, state, since, departed, until, first_seen, case_id, guessable";

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    db: Connection,
    shown: String,
}

impl Ledger {
    /// Opens the ledger at `path`, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened, or is of another version.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let failed = |cause| unusable(&shown, cause);
        let db = Connection::open(path).map_err(failed)?;
        db.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
        db.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        let version = check_version(&db, &shown)?;
        if version == 0 {
            db.execute_batch(TABLES).map_err(failed)?;
            db.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        }
        Ok(Self { db, shown })
    }

    /// Opens the ledger at `path` for questions only; `None` when there is no ledger yet.
    ///
    /// # Errors
    /// When it cannot be opened, or is of another version.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let shown = path.display().to_string();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|cause| unusable(&shown, cause))?;
        db.busy_timeout(Duration::from_secs(10)).map_err(|cause| unusable(&shown, cause))?;
        match check_version(&db, &shown)? {
            0 => Ok(None),
            _ => Ok(Some(Self { db, shown })),
        }
    }

    /// Takes in what a sweep or an apply knows. What is dead stays dead, whoever departed stays departed, the first sight
    /// of a value stays the first.
    ///
    /// # Errors
    /// When the disk refuses; nothing is taken in then.
    pub fn record(&mut self, entries: &[Entry]) -> Result<()> {
        let shown = self.shown.clone();
        let failed = |cause| Error::user(format!("the ledger {shown} could not be written")).because(cause);
        let transaction = self.db.transaction().map_err(failed)?;
        for entry in entries {
            let known = find(&transaction, &entry.fingerprint).map_err(failed)?;
            let entry = known.map_or_else(|| entry.clone(), |known| merged(known, entry));
            let sql =
                format!("INSERT OR REPLACE INTO credential ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)");
            transaction
                .prepare_cached(&sql)
                .and_then(|mut statement| {
                    statement.execute(params![
                        entry.fingerprint.as_bytes().as_slice(),
                        entry.kind,
                        entry.label,
                        entry.owner,
                        entry.state.word(),
                        entry.since,
                        entry.departed,
                        entry.until,
                        entry.first_seen,
                        entry.case,
                        entry.guessable,
                    ])
                })
                .map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// One entry.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn get(&self, fingerprint: &Fingerprint) -> Result<Option<Entry>> {
        find(&self.db, fingerprint).map_err(|cause| unusable(&self.shown, cause))
    }

    /// Every entry, in order of fingerprints.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let failed = |cause| unusable(&self.shown, cause);
        let sql = format!("SELECT {COLUMNS} FROM credential ORDER BY fingerprint");
        let mut statement = self.db.prepare(&sql).map_err(failed)?;
        let rows = statement.query_map([], entry).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}

impl Lookup for Ledger {
    fn find(&self, fingerprint: &Fingerprint, _value: &[u8]) -> Result<Option<Entry>> {
        self.get(fingerprint)
    }
}

fn unusable(shown: &str, cause: rusqlite::Error) -> Error {
    Error::user(format!("the ledger {shown} cannot be read"))
        .because(cause)
        .still("Nothing was changed.")
        .next("If it is damaged, restore it from a backup, or delete it and sweep again.")
}

fn check_version(db: &Connection, shown: &str) -> Result<i64> {
    let version: i64 =
        db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|cause| unusable(shown, cause))?;
    if version == 0 || version == VERSION {
        return Ok(version);
    }
    Err(Error::integrity(format!("the ledger {shown} is of version {version}, this program reads version {VERSION}"))
        .still("It was not touched.")
        .next("Use the offkey that wrote it, or a newer one."))
}

fn find(db: &Connection, fingerprint: &Fingerprint) -> rusqlite::Result<Option<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM credential WHERE fingerprint = ?1");
    db.prepare_cached(&sql)?.query_row([fingerprint.as_bytes().as_slice()], entry).optional()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let bytes: Vec<u8> = row.get(0)?;
    let wrong = |column| rusqlite::Error::InvalidColumnType(column, "credential".into(), rusqlite::types::Type::Blob);
    let state: String = row.get(4)?;
    Ok(Entry {
        fingerprint: Fingerprint::from_bytes(bytes.try_into().map_err(|_| wrong(0))?),
        kind: row.get(1)?,
        label: row.get(2)?,
        owner: row.get(3)?,
        state: State::of(&state).ok_or_else(|| wrong(4))?,
        since: row.get(5)?,
        departed: row.get(6)?,
        until: row.get(7)?,
        first_seen: row.get(8)?,
        case: row.get(9)?,
        guessable: row.get(10)?,
    })
}

/// What two sights of one value say together.
fn merged(known: Entry, new: &Entry) -> Entry {
    let keep_state = known.state == new.state || (known.state.is_dead() && !new.state.is_dead());
    let (state, since) = if keep_state { (known.state, known.since) } else { (new.state, new.since.clone()) };
    let first = |old: String, new: &String| if old.is_empty() { new.clone() } else { old };
    // A leaver's name says more than that of another person tied to the value.
    let owner = if known.departed.is_none() && new.departed.is_some() && !new.owner.is_empty() {
        new.owner.clone()
    } else {
        first(known.owner, &new.owner)
    };
    Entry {
        fingerprint: known.fingerprint,
        kind: first(known.kind, &new.kind),
        label: first(known.label, &new.label),
        owner,
        state,
        since,
        departed: known.departed.or_else(|| new.departed.clone()),
        until: new.until.clone(),
        first_seen: known.first_seen.min(new.first_seen.clone()),
        case: new.case.clone(),
        guessable: known.guessable || new.guessable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(state: State, time: &str, departed: Option<&str>) -> Entry {
        Entry {
            fingerprint: Fingerprint::from_bytes([7; 16]),
            kind: "token".to_owned(),
            label: "a token".to_owned(),
            owner: "alice".to_owned(),
            state,
            since: time.to_owned(),
            departed: departed.map(str::to_owned),
            until: None,
            first_seen: time.to_owned(),
            case: "c".to_owned(),
            guessable: false,
        }
    }

    #[test]
    fn what_is_dead_stays_dead_and_the_first_sight_stays_the_first() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::open(&dir.path().join(FILE_FOR_TESTS)).expect("made");
        ledger.record(&[sight(State::Live, "2026-01-01T00:00:00Z", None)]).expect("recorded");
        ledger
            .record(&[sight(State::Revoked, "2026-02-01T00:00:00Z", Some("2026-01-31T00:00:00Z"))])
            .expect("recorded");
        ledger.record(&[sight(State::Live, "2026-03-01T00:00:00Z", None)]).expect("recorded");
        let entry = ledger.get(&Fingerprint::from_bytes([7; 16])).expect("readable").expect("there");
        assert_eq!((entry.state, entry.since.as_str()), (State::Revoked, "2026-02-01T00:00:00Z"));
        assert_eq!(entry.first_seen, "2026-01-01T00:00:00Z");
        assert_eq!(entry.departed.as_deref(), Some("2026-01-31T00:00:00Z"));
        assert_eq!(ledger.entries().expect("readable").len(), 1);
    }

    #[test]
    fn a_ledger_of_another_version_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(FILE_FOR_TESTS);
        drop(Ledger::open(&path).expect("made"));
        Connection::open(&path).expect("opens").pragma_update(None, "user_version", 9).expect("changed");
        assert!(Ledger::open(&path).expect_err("refused").to_string().contains("version 9"));
        assert!(Ledger::read(&path).expect_err("refused").to_string().contains("version 9"));
    }

    const FILE_FOR_TESTS: &str = super::super::FILE;
}
