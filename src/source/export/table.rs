//! Rows of CSV files. Header names may repeat, cells may hold lines, and a table may have thousands of columns.

use std::io::{self, Read};

use serde_json::{Map, Value};

use super::super::Record;
use super::json::{Each, Found, LARGEST};
use super::lines;

/// Keeps what was read of a table since the last row, and ends when that is too much: a quote that nobody closes makes a row
/// of all that follows.
struct Kept<R> {
    read: R,
    held: Vec<u8>,
    /// Where in the table the held bytes start.
    from: u64,
    broken: bool,
}

impl<R> Kept<R> {
    /// Gives what stands before a place and was not given yet.
    fn taken(&mut self, end: u64) -> Vec<u8> {
        let length = usize::try_from(end.saturating_sub(self.from)).unwrap_or(usize::MAX).min(self.held.len());
        self.from += length as u64;
        self.held.drain(..length).collect()
    }
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.held.len() > LARGEST {
            self.broken = true;
            return Err(io::Error::other("one row is too large"));
        }
        let got = self.read.read(into)?;
        self.held.extend_from_slice(&into[..got]);
        Ok(got)
    }
}

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
    let all = Kept { read: head[bom..].chain(read), held: Vec::new(), from: 0, broken: false };
    let mut table =
        csv::ReaderBuilder::new().flexible(true).buffer_capacity(64 << 10).delimiter(separator).from_reader(all);
    let headers: Vec<String> = table
        .byte_headers()
        .map_err(|error| error.to_string())?
        .iter()
        .map(|h| String::from_utf8_lossy(h).trim().to_owned())
        .collect();
    let head = table.position().byte();
    table.get_mut().taken(head);
    let mut bad = 0u64;
    let mut row = csv::ByteRecord::new();
    let mut number = 1u64;
    loop {
        match table.read_byte_record(&mut row) {
            Ok(false) => break,
            Err(_) => {
                bad += 1;
                if bad > 1000 || table.get_ref().broken {
                    break;
                }
                continue;
            }
            Ok(true) => {}
        }
        number += 1;
        let line = row.position().map_or(0, |at| u32::try_from(at.line().saturating_sub(1)).unwrap_or(u32::MAX));
        let end = table.position().byte();
        lines::starts(Some(Record::new((line, 0), table.get_mut().taken(end))));
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
    if table.get_ref().broken {
        return Err("one row of more than 16 MiB".to_owned());
    }
    if bad == 0 { Ok(()) } else { Err(format!("{bad} rows cannot be read")) }
}
