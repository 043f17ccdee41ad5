//! Records out of JSON of any size: the elements of the outermost lists, one at a time, and the members beside them.
//! Memory is bounded by the largest record, not by the file.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

use super::super::Record;

/// Most bytes of one record.
pub(super) const LARGEST: usize = 16 << 20;

/// A record: `key` is the member that holds it (`messages`), empty for a list or line at the top.
pub(in crate::source) struct Found {
    pub(in crate::source) key: String,
    pub(in crate::source) pointer: String,
    pub(in crate::source) value: Value,
}

/// Takes records.
pub(in crate::source) type Each<'a> = dyn FnMut(Found) + 'a;

/// Reads a list, or the members of an object: lists among them by element. Objects named in `into` are entered, too.
///
/// # Errors
/// Why the text ends or breaks; records before that were handed on.
pub(in crate::source) fn members(read: &mut dyn Read, into: &[&str], each: &mut Each<'_>) -> Result<(), String> {
    let mut scan = Scan::new(read);
    loop {
        match scan.next_char()? {
            None => return Ok(()),
            Some(b'[') => scan.list("", into, each)?,
            Some(b'{') => scan.object("", into, each)?,
            Some(0xef | 0xbb | 0xbf) => {}
            Some(_) => return Err(scan.broken("this is no JSON")),
        }
    }
}

/// Elements of the named lists (`*`: of all), and of a list at the top, one by one; at the end everything else as one object under the
/// key `.`.
///
/// # Errors
/// As [`members`], and when that object is too large.
pub(super) fn gather(read: &mut dyn Read, lists: &[&str], each: &mut Each<'_>) -> Result<(), String> {
    let mut top = serde_json::Map::new();
    let (mut count, mut raw) = (0usize, Record::default());
    let result = members(read, &[], &mut |found| {
        let element = found.pointer.len() > found.key.len() + 1;
        if element && (found.key.is_empty() || lists == ["*"] || lists.contains(&found.key.as_str())) {
            return each(found);
        }
        count += 1;
        let record = super::lines::current().unwrap_or_default();
        if count > MANY || raw.size() + record.size() > LARGEST {
            return each(found);
        }
        raw.join(&record);
        if element {
            let list = top.entry(found.key).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(found.value);
            }
        } else {
            top.insert(found.key, found.value);
        }
    });
    if !top.is_empty() {
        super::lines::starts(Some(raw));
        each(Found { key: ".".to_owned(), pointer: String::new(), value: Value::Object(top) });
    }
    result
}

/// Members and elements that [`gather`] holds at once.
const MANY: usize = 50_000;

/// Reads one value a line. A line that is no JSON is named in the error, the others are handed on.
///
/// # Errors
/// Which lines could not be used.
pub(super) fn lines(read: &mut dyn Read, each: &mut Each<'_>) -> Result<(), String> {
    let mut scan = Scan::new(read);
    let (mut number, mut bad, mut line) = (0usize, Vec::new(), Vec::new());
    loop {
        line.clear();
        let more = scan.line(&mut line)?;
        number += 1;
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
        if !text.is_empty() {
            match serde_json::from_slice(text) {
                Ok(value) => {
                    let at = u32::try_from(number - 1).unwrap_or(u32::MAX);
                    super::lines::starts(Some(Record::new((at, 0), std::mem::take(&mut line))));
                    each(Found { key: String::new(), pointer: format!("line {number}"), value });
                }
                Err(_) => bad.push(number),
            }
        }
        if !more {
            break;
        }
    }
    match bad.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} lines are no JSON, the first is {first}", bad.len())),
    }
}

/// Lines with an object each, or what [`gather`] reads: told apart by the first line.
///
/// # Errors
/// As those.
pub(super) fn records(read: &mut dyn Read, lists: &[&str], each: &mut Each<'_>) -> Result<(), String> {
    let mut buffered = BufReader::with_capacity(64 << 10, read);
    let mut first = Vec::new();
    (&mut buffered).take(LARGEST as u64).read_until(b'\n', &mut first).map_err(|error| error.to_string())?;
    let next = buffered.fill_buf().map_err(|error| error.to_string())?.trim_ascii_start().first().copied();
    let start = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
    let lined = next == Some(b'{') && serde_json::from_slice::<serde_json::Map<String, Value>>(start).is_ok();
    let mut all = first.as_slice().chain(buffered);
    if lined { lines(&mut all, each) } else { gather(&mut all, lists, each) }
}

/// The whole text as one value.
///
/// # Errors
/// When it is too large or no JSON.
pub(super) fn whole(read: &mut dyn Read) -> Result<Value, String> {
    let mut raw = Vec::new();
    read.take(LARGEST as u64 + 1).read_to_end(&mut raw).map_err(|error| error.to_string())?;
    if raw.len() > LARGEST {
        return Err("one JSON value of more than 16 MiB".to_owned());
    }
    let value = serde_json::from_slice(raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&raw));
    super::lines::starts(Some(Record::new((0, 0), raw)));
    value.map_err(|error| error.to_string())
}

struct Scan<'a> {
    read: &'a mut dyn Read,
    buffer: Vec<u8>,
    at: usize,
    full: usize,
    base: u64,
    /// Lines before a place of the buffer, and where in the file the last of them starts.
    counted: (usize, u32, u64),
}

impl<'a> Scan<'a> {
    fn new(read: &'a mut dyn Read) -> Self {
        Self { read, buffer: vec![0; 64 << 10], at: 0, full: 0, base: 0, counted: (0, 0, 0) }
    }

    /// Line and column of a place that lies behind the last one that was asked for.
    fn place(&mut self, at: usize) -> (u32, u32) {
        let (from, lines, start) = self.counted;
        let new = &self.buffer[from.min(at)..at];
        let lines = lines + memchr::memchr_iter(b'\n', new).count() as u32;
        let start = memchr::memrchr(b'\n', new).map_or(start, |last| self.base + (from.min(at) + last) as u64 + 1);
        self.counted = (at, lines, start);
        (lines, u32::try_from(self.base + at as u64 - start).unwrap_or(u32::MAX))
    }

    fn peek(&mut self) -> Result<Option<u8>, String> {
        if self.at == self.full {
            self.place(self.full);
            self.counted.0 = 0;
            self.base += self.full as u64;
            self.at = 0;
            self.full = loop {
                match self.read.read(&mut self.buffer) {
                    Ok(n) => break n,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.to_string()),
                }
            };
        }
        Ok((self.full > 0).then(|| self.buffer[self.at]))
    }

    fn bump(&mut self) -> Result<Option<u8>, String> {
        let byte = self.peek()?;
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    fn next_char(&mut self) -> Result<Option<u8>, String> {
        loop {
            match self.bump()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => {}
                other => return Ok(other),
            }
        }
    }

    fn broken(&self, why: &str) -> String {
        format!("{why} at byte {}", self.base + self.at as u64)
    }

    fn line(&mut self, into: &mut Vec<u8>) -> Result<bool, String> {
        while self.peek()?.is_some() {
            let rest = &self.buffer[self.at..self.full];
            let end = memchr::memchr(b'\n', rest);
            into.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
            self.at += end.map_or(rest.len(), |end| end + 1);
            if into.len() > LARGEST {
                return Err(self.broken("a line of more than 16 MiB"));
            }
            if end.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn list(&mut self, key: &str, into: &[&str], each: &mut Each<'_>) -> Result<(), String> {
        let mut number = 0usize;
        loop {
            match self.next_char()? {
                Some(b']') => return Ok(()),
                Some(b',') => {}
                Some(first) => {
                    let lead = if key.is_empty() { String::new() } else { format!("/{key}") };
                    if first == b'{' && into.contains(&"[]") {
                        self.object(key, into, each)?;
                    } else {
                        self.hand(first, key, format!("{lead}/{number}"), each)?;
                    }
                    number += 1;
                }
                None => return Err(self.broken("the JSON is cut off")),
            }
        }
    }

    fn object(&mut self, path: &str, into: &[&str], each: &mut Each<'_>) -> Result<(), String> {
        loop {
            match self.next_char()? {
                Some(b'}') => return Ok(()),
                Some(b',') => {}
                Some(b'"') => {
                    let mut raw = Vec::new();
                    self.copy(b'"', &mut raw)?;
                    let name: String = serde_json::from_slice(&raw).unwrap_or_default();
                    if self.next_char()? != Some(b':') {
                        return Err(self.broken("a colon is missing"));
                    }
                    let key = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                    match self.next_char()? {
                        Some(b'[') => self.list(&key, into, each)?,
                        Some(b'{') if into.contains(&name.as_str()) => self.object(&key, into, each)?,
                        Some(first) => self.hand(first, &key, format!("/{key}"), each)?,
                        None => return Err(self.broken("the JSON is cut off")),
                    }
                }
                Some(_) => return Err(self.broken("the JSON is broken")),
                None => return Err(self.broken("the JSON is cut off")),
            }
        }
    }

    fn hand(&mut self, first: u8, key: &str, pointer: String, each: &mut Each<'_>) -> Result<(), String> {
        let mut raw = Vec::new();
        let (line, column) = self.place(self.at);
        self.copy(first, &mut raw)?;
        let value = match serde_json::from_slice(&raw) {
            Ok(value) => value,
            // Too deep for a tree, or with bytes that are no UTF-8: its text is searched, its fields are not known.
            Err(_) => Value::String(String::from_utf8_lossy(&raw).into_owned()),
        };
        super::lines::starts(Some(Record::new((line, column.saturating_sub(1)), raw)));
        each(Found { key: key.to_owned(), pointer, value });
        Ok(())
    }

    /// Copies one value whose first byte was taken.
    fn copy(&mut self, first: u8, raw: &mut Vec<u8>) -> Result<(), String> {
        raw.push(first);
        let (mut depth, mut quoted) = match first {
            b'"' => (0u32, true),
            b'{' | b'[' => (1, false),
            _ => return self.word(raw),
        };
        while depth > 0 || quoted {
            if self.peek()?.is_none() {
                return Err(self.broken("the JSON is cut off"));
            }
            let rest = &self.buffer[self.at..self.full];
            let found = if quoted {
                memchr::memchr2(b'"', b'\\', rest)
            } else {
                rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))
            };
            let taken = found.map_or(rest.len(), |at| at + 1);
            raw.extend_from_slice(&rest[..taken]);
            self.at += taken;
            match found.map(|_| raw[raw.len() - 1]) {
                Some(b'\\') => raw.push(self.bump()?.ok_or_else(|| self.broken("the JSON is cut off"))?),
                Some(b'"') => quoted = !quoted,
                Some(b'{' | b'[') => depth += 1,
                Some(_) => depth = depth.saturating_sub(1),
                None => {}
            }
            if raw.len() > LARGEST {
                return Err(self.broken("one record of more than 16 MiB"));
            }
        }
        Ok(())
    }

    /// Copies the rest of a number or a word.
    fn word(&mut self, raw: &mut Vec<u8>) -> Result<(), String> {
        while matches!(self.peek()?, Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-')) {
            raw.extend(self.bump()?);
            if raw.len() > LARGEST {
                return Err(self.broken("one record of more than 16 MiB"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Vec<(String, String, Value)>, Result<(), String>);

    fn all(text: &str, into: &[&str]) -> Read {
        let mut found = Vec::new();
        let result = members(&mut text.as_bytes(), into, &mut |f| found.push((f.key, f.pointer, f.value)));
        (found, result)
    }

    #[test]
    fn lists_and_members_come_one_by_one() {
        let (found, result) =
            all(r#" {"a": 1, "m": [{"x": "}]\""}, 2], "log": {"entries": [true]}, "o": {"p": []}} "#, &["log"]);
        assert_eq!(result, Ok(()));
        let keys: Vec<&str> = found.iter().map(|f| f.1.as_str()).collect();
        assert_eq!(keys, ["/a", "/m/0", "/m/1", "/log/entries/0", "/o"]);
        assert_eq!(found[1].2["x"], "}]\"");
    }

    #[test]
    fn what_is_cut_off_gives_its_whole_records_and_an_error() {
        let (found, result) = all(r#"[{"a":1},{"b":"#, &[]);
        assert_eq!(found.len(), 1);
        assert!(result.expect_err("cut").contains("cut off"));
        let deep = format!("[{}", "[".repeat(100_000));
        assert!(all(&deep, &[]).1.is_err());
    }
}
