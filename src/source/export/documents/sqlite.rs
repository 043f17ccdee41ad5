//! SQLite databases: every row of every table, and what deleted rows left in free pages and in the write-ahead log.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use super::super::out::{Draft, Out, Rec, container};
use super::office::file_name;
use super::{runs, with_out};
use crate::source::content::Wrapped;
use crate::source::{ContainerKind, Coverage, ItemKind, Sink, Via};

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !wrapped.bytes.starts_with(b"SQLite format 3\0") {
        return false;
    }
    with_out(wrapped, sink, account, "sqlite", |out| {
        if let Err(why) = tables(wrapped.bytes, out) {
            out.fail("", format!("not all of this database could be read, searched as it lies: {why}"));
            let mut text = String::new();
            runs(wrapped.bytes, &mut text);
            out.item(left_over(out).pointer("all pages"), &text);
            return;
        }
        let text = free(wrapped.bytes);
        out.item(left_over(out).pointer("free space"), &text);
    });
    true
}

/// The log beside a database holds rows that were changed or deleted since.
pub(super) fn journal(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !(wrapped.bytes.starts_with(&[0x37, 0x7f, 0x06, 0x82]) || wrapped.bytes.starts_with(&[0x37, 0x7f, 0x06, 0x83])) {
        return false;
    }
    with_out(wrapped, sink, account, "sqlite", |out| {
        let mut text = String::new();
        runs(&wrapped.bytes[32.min(wrapped.bytes.len())..], &mut text);
        out.item(left_over(out).pointer("write-ahead log"), &text);
    });
    true
}

fn left_over(out: &Out<'_>) -> Draft {
    let shown = file_name(out);
    Draft::new(container(ContainerKind::File, shown.as_str(), shown.as_str(), false), ItemKind::History, "")
        .via(Via::System)
}

fn tables(bytes: &[u8], out: &mut Out<'_>) -> Result<(), String> {
    let said = |error: rusqlite::Error| error.to_string();
    // The library reads files only: a file that nobody else may read, and that is gone at the end.
    let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::io::Write::write_all(&mut file, bytes).map_err(|error| error.to_string())?;
    let name = format!("file:{}?mode=ro&immutable=1", file.path().display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(name, flags).map_err(said)?;
    let mut names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").map_err(said)?;
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).map_err(said)?.collect::<Result<_, _>>().map_err(said)?;
    let shown = file_name(out);
    let of = container(ContainerKind::File, shown.as_str(), shown.as_str(), false);
    let mut bad = Vec::new();
    for table in names {
        if let Err(error) = rows(&database, &table, &Draft::new(of.clone(), ItemKind::Field, table.as_str()), out) {
            bad.push(format!("{table}: {error}"));
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(bad.join("; ")) }
}

fn rows(database: &Connection, table: &str, draft: &Draft, out: &mut Out<'_>) -> Result<(), rusqlite::Error> {
    let mut query = database.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\"")))?;
    let columns = columns(database, table, query.column_count())?;
    let mut rows = query.query([])?;
    let mut number = 0u64;
    while let Some(row) = rows.next()? {
        number += 1;
        let pointer = format!("{table} row {number}");
        let draft = draft.clone().id(pointer.as_str()).pointer(pointer.as_str());
        let mut cells = Map::new();
        for (at, column) in columns.iter().enumerate() {
            match row.get_ref(at)? {
                ValueRef::Text(text) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    // Documents in a cell are read as such, so that no escape hides anything.
                    let tree =
                        text.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(&text).ok()).flatten();
                    cells.insert(column.clone(), tree.unwrap_or(Value::String(text)));
                }
                ValueRef::Blob(bytes) if bytes.len() >= 8 => match std::str::from_utf8(bytes) {
                    Ok(text) if !text.contains('\0') => {
                        cells.insert(column.clone(), Value::String(text.to_owned()));
                    }
                    _ => out.file(draft.clone().pointer(format!("{pointer}/{column}")), bytes),
                },
                _ => {}
            }
        }
        let value = Value::Object(cells);
        out.rest(draft, &Rec::new(&value, &pointer));
    }
    Ok(())
}

/// Names of the columns of `SELECT *`. In a damaged database they need not be text, for which rusqlite has no answer but a panic.
fn columns(database: &Connection, table: &str, count: usize) -> Result<Vec<String>, rusqlite::Error> {
    let mut query = database.prepare("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1")?;
    let name = |row: &rusqlite::Row<'_>| {
        Ok(row.get_ref(0)?.as_bytes().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default())
    };
    let mut names = query.query_map([table], name)?.collect::<Result<Vec<String>, _>>()?;
    names.truncate(count);
    names.extend((names.len()..count).map(|at| format!("column {}", at + 1)));
    Ok(names)
}

/// Text in pages that are free and in the gaps of the others.
fn free(bytes: &[u8]) -> String {
    let word = |at: usize| bytes.get(at..at + 2).map_or(0, |two| usize::from(u16::from_be_bytes([two[0], two[1]])));
    let long = |at: usize| {
        bytes.get(at..at + 4).map_or(0, |four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize)
    };
    let size = match word(16) {
        1 => 65536,
        size => size,
    };
    let mut text = String::new();
    if size < 512 {
        return text;
    }
    let pages = bytes.len() / size;
    let mut unused = std::collections::HashSet::new();
    let mut trunk = long(32);
    while trunk != 0 && trunk <= pages && unused.insert(trunk) {
        let start = (trunk - 1) * size;
        for leaf in 0..long(start + 4).min(size / 4) {
            unused.insert(long(start + 8 + 4 * leaf));
        }
        trunk = long(start);
    }
    for page in 1..=pages {
        let start = (page - 1) * size;
        let whole = &bytes[start..start + size];
        if unused.contains(&page) {
            runs(whole, &mut text);
            continue;
        }
        let head = if page == 1 { 100 } else { 0 };
        let lead = match whole[head] {
            2 | 5 => 12,
            10 | 13 => 8,
            _ => continue,
        };
        let cells = head + lead + 2 * word(start + head + 3);
        let content = match word(start + head + 5) {
            0 => size,
            at => at,
        };
        runs(whole.get(cells..content).unwrap_or_default(), &mut text);
        let (mut block, mut steps) = (word(start + head + 1), 0);
        while block != 0 && block + 4 <= size && steps < size / 4 {
            let length = word(start + block + 2);
            runs(whole.get(block + 4..(block + length).min(size)).unwrap_or_default(), &mut text);
            block = word(start + block);
            steps += 1;
        }
    }
    text
}
