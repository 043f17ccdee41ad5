//! Rows of CSV files. Header names may repeat, cells may hold lines, and a table may have thousands of columns.

use std::io::{BufReader, Read};

use serde_json::{Map, Value};

use super::json::{Each, Found};
use super::lines;

/// Hands on each row as an object by header; a header that repeats gives a list. Separator and mark of the byte order are
/// found out.
///
/// # Errors
/// How many rows could not be read.
pub(super) fn rows(read: &mut dyn Read, each: &mut Each<'_>) -> Result<(), String> {
    let mut head = vec![0; 64 << 10];
    let got = super::super::windows::fill(read, &mut head).map_err(|error| error.to_string())?;
    head.truncate(got);
    let bom = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let first = head[bom..].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let separator =
        [b'\t', b';', b','].into_iter().max_by_key(|mark| memchr::memchr_iter(*mark, first).count()).unwrap_or(b',');
    let all = BufReader::with_capacity(64 << 10, head[bom..].chain(read));
    let mut table = csv::ReaderBuilder::new().flexible(true).delimiter(separator).from_reader(all);
    let headers: Vec<String> = table
        .byte_headers()
        .map_err(|error| error.to_string())?
        .iter()
        .map(|h| String::from_utf8_lossy(h).trim().to_owned())
        .collect();
    let mut bad = 0u64;
    let mut row = csv::ByteRecord::new();
    let mut number = 1u64;
    loop {
        match table.read_byte_record(&mut row) {
            Ok(false) => break,
            Err(_) => {
                bad += 1;
                if bad > 1000 {
                    break;
                }
                continue;
            }
            Ok(true) => {}
        }
        number += 1;
        lines::starts(row.position().map(|at| u32::try_from(at.line().saturating_sub(1)).unwrap_or(u32::MAX)));
        let mut value = Map::new();
        for (at, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let name = headers.get(at).cloned().unwrap_or_else(|| format!("column {}", at + 1));
            let cell = Value::String(String::from_utf8_lossy(cell).into_owned());
            match value.get_mut(&name) {
                Some(Value::Array(list)) => list.push(cell),
                Some(one) => *one = Value::Array(vec![one.take(), cell]),
                None => {
                    value.insert(name, cell);
                }
            }
        }
        each(Found { key: String::new(), pointer: format!("row {number}"), value: Value::Object(value) });
    }
    if bad == 0 { Ok(()) } else { Err(format!("{bad} rows cannot be read")) }
}
