//! Records out of XML of any size, read tolerantly: control characters, bare ampersands and unmatched ends do not stop it,
//! and no document type definition is ever followed.

use std::io::{BufRead, BufReader, Read};

use serde_json::{Map, Value};

use super::super::Record;
use super::json::{Each, Found, LARGEST};
use super::lines;
use super::text::html::entities;

/// Hands on every element at `depth` below the root element (1: its children) as an object: attributes and children by name,
/// a list where a name repeats, own text as `#text`. `key` is the name of the element.
///
/// # Errors
/// When reading fails or an element is too large.
pub(super) fn elements(read: &mut dyn Read, depth: usize, each: &mut Each<'_>) -> Result<(), String> {
    let mut tokens = Tokens::new(read);
    // Every open element below the one that is being read.
    let mut open: Vec<Open> = Vec::new();
    let (mut level, mut number, mut start) = (0usize, 0usize, (0, 0));
    loop {
        if open.is_empty() {
            tokens.raw.clear();
        }
        let Some(token) = tokens.next()? else { break };
        match token {
            Token::Start(name, attributes, empty) => {
                if level >= depth && open.len() < 200 {
                    if open.is_empty() {
                        start = tokens.tag;
                    }
                    open.push((name, attributes));
                    if empty {
                        tokens.say(&open, start);
                        close(&mut open, &mut number, each);
                        tokens.size = if open.is_empty() { 0 } else { tokens.size };
                        continue;
                    }
                }
                level += usize::from(!empty);
            }
            Token::End => {
                level = level.saturating_sub(1);
                if level >= depth && level - depth + 1 == open.len() {
                    tokens.say(&open, start);
                    close(&mut open, &mut number, each);
                }
                if open.is_empty() {
                    tokens.size = 0;
                }
            }
            Token::Text(text) => {
                if let Some((_, element)) = open.last_mut() {
                    match element.get_mut("#text") {
                        Some(Value::String(before)) => before.push_str(&text),
                        _ if text.trim().is_empty() => {}
                        _ => {
                            element.insert("#text".to_owned(), Value::String(text));
                        }
                    }
                }
            }
        }
        if tokens.size > LARGEST {
            return Err("one element of more than 16 MiB".to_owned());
        }
    }
    while !open.is_empty() {
        tokens.say(&open, start);
        close(&mut open, &mut number, each);
    }
    if level > 0 { Err("the XML is cut off".to_owned()) } else { Ok(()) }
}

/// A step through a document.
pub(super) enum Event<'e> {
    Start(&'e str, &'e Map<String, Value>),
    End(&'e str),
    Text(&'e str),
}

/// Hands on every start, end and text in their order, as tolerantly as [`elements`] reads.
///
/// # Errors
/// When reading fails, a text is too large, or the document is cut off.
pub(super) fn events(read: &mut dyn Read, each: &mut dyn FnMut(Event<'_>)) -> Result<(), String> {
    let mut tokens = Tokens::new(read);
    let mut open: Vec<String> = Vec::new();
    while let Some(token) = tokens.next()? {
        tokens.size = 0;
        tokens.raw.clear();
        match token {
            Token::Start(name, attributes, empty) => {
                each(Event::Start(&name, &attributes));
                if empty {
                    each(Event::End(&name));
                } else if open.len() < 100_000 {
                    open.push(name);
                } else {
                    return Err("elements nested too deep".to_owned());
                }
            }
            Token::End => {
                if let Some(name) = open.pop() {
                    each(Event::End(&name));
                }
            }
            Token::Text(text) => each(Event::Text(&text)),
        }
    }
    if open.is_empty() { Ok(()) } else { Err("the XML is cut off".to_owned()) }
}

/// Finishes the innermost open element.
fn close(open: &mut Vec<Open>, number: &mut usize, each: &mut Each<'_>) {
    let Some((name, element)) = open.pop() else { return };
    let value = match element.get("#text") {
        // An element of text alone is its text.
        Some(Value::String(text)) if element.len() == 1 && !open.is_empty() => Value::String(text.clone()),
        _ => Value::Object(element),
    };
    match open.last_mut() {
        None => {
            each(Found { pointer: format!("/{name}[{number}]"), key: name, value });
            *number += 1;
        }
        Some((_, parent)) => match parent.get_mut(&name) {
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
            None => {
                parent.insert(name, value);
            }
        },
    }
}

/// The text of a value that [`elements`] made: itself, or its `#text`.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().or_else(|| value["#text"].as_str()).unwrap_or_default()
}

enum Token {
    Start(String, Map<String, Value>, bool),
    End,
    Text(String),
}

struct Tokens<R> {
    read: R,
    size: usize,
    in_markup: bool,
    /// Line and column that were reached, and of the last tag.
    at: (u32, u32),
    tag: (u32, u32),
    /// What was read since it was cleared.
    raw: Vec<u8>,
}

/// An element that is being read: its name and what it holds so far.
type Open = (String, Map<String, Value>);

impl<R: Read> Tokens<BufReader<R>> {
    fn new(read: R) -> Self {
        let read = BufReader::with_capacity(64 << 10, read);
        Self { read, size: 0, in_markup: false, at: (0, 0), tag: (0, 0), raw: Vec::new() }
    }
}

impl<R: BufRead> Tokens<R> {
    /// Says where the record stands, if the only open element ends here.
    fn say(&mut self, open: &[Open], start: (u32, u32)) {
        if open.len() == 1 {
            lines::starts(Some(Record::new(start, std::mem::take(&mut self.raw))));
        }
    }

    fn next(&mut self) -> Result<Option<Token>, String> {
        loop {
            if std::mem::take(&mut self.in_markup) {
                self.tag = self.at;
                match self.markup()? {
                    Some(token) => return Ok(Some(token)),
                    None => continue,
                }
            }
            let mut text = Vec::new();
            self.in_markup = self.until(b'<', &mut text)?;
            if self.in_markup {
                text.pop();
            }
            if !text.is_empty() {
                return Ok(Some(Token::Text(entities(&String::from_utf8_lossy(&text)))));
            }
            if !self.in_markup {
                return Ok(None);
            }
        }
    }

    fn markup(&mut self) -> Result<Option<Token>, String> {
        let mut tag = Vec::new();
        self.until(b'>', &mut tag)?;
        if tag.starts_with(b"![CDATA[") {
            while !tag.ends_with(b"]]>") && self.until(b'>', &mut tag)? {}
            let inner = String::from_utf8_lossy(&tag[8..tag.len().saturating_sub(3).max(8)]).into_owned();
            return Ok(Some(Token::Text(inner)));
        }
        if tag.starts_with(b"!--") {
            while !(tag.ends_with(b"-->") && tag.len() >= 6) && self.until(b'>', &mut tag)? {}
            return Ok(None);
        }
        if tag.starts_with(b"!") {
            // A DTD with entities of its own is passed over, brackets and all.
            while tag.contains(&b'[') && !tag.trim_ascii_end().ends_with(b"]>") && self.until(b'>', &mut tag)? {}
            return Ok(None);
        }
        if tag.starts_with(b"?") {
            return Ok(None);
        }
        // `>` may stand inside a quoted attribute.
        let (mut quote, mut seen) = (None, 0);
        loop {
            quote = quoted(&tag[seen..], quote);
            seen = tag.len();
            if quote.is_none() || !self.until(b'>', &mut tag)? {
                break;
            }
        }
        if tag.starts_with(b"/") {
            return Ok(Some(Token::End));
        }
        let tag = String::from_utf8_lossy(&tag);
        let tag = tag.strip_suffix('>').unwrap_or(&tag);
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, rest) = tag.split_once(|c: char| c.is_whitespace()).unwrap_or((tag, ""));
        Ok(Some(Token::Start(name.to_owned(), attributes(rest), empty)))
    }

    /// Reads up to and with a byte; false at the end.
    fn until(&mut self, end: u8, into: &mut Vec<u8>) -> Result<bool, String> {
        let room = (LARGEST + 1).saturating_sub(self.size) as u64;
        let before = into.len();
        let got = (&mut self.read).take(room).read_until(end, into).map_err(|error| error.to_string())?;
        let new = &into[before..];
        self.raw.extend_from_slice(new);
        self.at.0 += memchr::memchr_iter(b'\n', new).count() as u32;
        let column = self.at.1.saturating_add(got as u32);
        self.at.1 = memchr::memrchr(b'\n', new).map_or(column, |last| (got - last - 1) as u32);
        self.size += got;
        if self.size > LARGEST {
            return Err("one element of more than 16 MiB".to_owned());
        }
        Ok(got > 0 && into.last() == Some(&end))
    }
}

/// The quote that is open at the end of a part of a tag.
fn quoted(part: &[u8], mut quote: Option<u8>) -> Option<u8> {
    for byte in part {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    quote
}

fn attributes(mut rest: &str) -> Map<String, Value> {
    let mut map = Map::new();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let Some(quote) = after.chars().next().filter(|c| matches!(c, '"' | '\'')) else { break };
        let Some((value, left)) = after[1..].split_once(quote) else { break };
        map.insert(name.trim().to_owned(), Value::String(entities(value)));
        rest = left;
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_and_hostile_xml_is_read_as_far_as_it_goes() {
        let text = "<?xml version='1.0'?><!DOCTYPE r [<!ENTITY a 'b'><!ENTITY c '&a;&a;'>]><r>\x02<i a='1 > 0' b=\"&amp;x\">\
            <t><![CDATA[one <b> ]] > two]]></t><t>x & y &c;</t><e/></i><i>last";
        let mut found = Vec::new();
        let result = elements(&mut text.as_bytes(), 1, &mut |f| found.push(f));
        assert_eq!(result, Err("the XML is cut off".to_owned()));
        let first = &found[0].value;
        assert_eq!((first["a"].as_str(), first["b"].as_str()), (Some("1 > 0"), Some("&x")));
        assert_eq!(first["t"][0], "one <b> ]] > two");
        assert_eq!(first["t"][1], "x & y &c;");
        assert_eq!((found[1].pointer.as_str(), super::text(&found[1].value)), ("/i[1]", "last"));
        let deep = "<a>".repeat(100_000);
        assert!(elements(&mut deep.as_bytes(), 1, &mut |_| {}).is_err());
    }
}
