//! Reads name, operator and value around a telling word, in every form that languages and configuration files write them.

use std::ops::Range;

use super::value::{self, Read, is_name, quoted, skip_blanks};
use super::words::has;
use super::{Kind, Operator, Quote, Site, TELLING};

/// Longest name that is read.
const NAME: usize = 80;
/// Most values that are taken from one list or call.
const LIST: u8 = 6;

/// The name around a telling word and how it stands there.
struct Name {
    range: Range<usize>,
    quoted: bool,
    /// First byte after the name, its closing quote and bracket.
    end: usize,
}

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], keyword: Range<usize>, visit: &mut dyn FnMut(Site)) {
    let name = name(bytes, keyword.clone());
    let Some((operator, at)) = operator(bytes, &name) else { return };
    if second(&bytes[name.range.start..keyword.end], keyword.start - name.range.start) {
        return;
    }
    values(bytes, &name, operator, at, visit);
}

/// Whether another telling word starts before this one in the same name.
fn second(name: &[u8], keyword: usize) -> bool {
    let lower = name.to_ascii_lowercase();
    (0..keyword).any(|at| {
        let rest = &lower[at..];
        TELLING.iter().any(|word| rest[0] == word.as_bytes()[0] && rest.starts_with(word.as_bytes()))
    })
}

fn name(bytes: &[u8], keyword: Range<usize>) -> Name {
    let floor = keyword.start.saturating_sub(NAME);
    let mut start = keyword.start;
    while start > floor && (is_name(bytes[start - 1]) || matches!(bytes[start - 1], b'.' | b'$')) {
        start -= 1;
    }
    let ceiling = bytes.len().min(keyword.end + NAME);
    let mut end = keyword.end;
    while end < ceiling {
        let inner_dot = bytes[end] == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_alphabetic);
        if !(is_name(bytes[end]) || inner_dot) {
            break;
        }
        end += 1;
    }
    while end > keyword.end && matches!(bytes[end - 1], b'-' | b'.') {
        end -= 1;
    }
    while start < keyword.start && matches!(bytes[start], b'.' | b'$') {
        start += 1;
    }
    let mut after = end;
    let mut quoted = false;
    let slashes = bytes[after..].iter().take(8).take_while(|b| **b == b'\\').count();
    if bytes.get(after + slashes).is_some_and(|b| matches!(b, b'"' | b'\'' | b'`')) {
        after += slashes + 1;
        quoted = true;
    } else if bytes[after..].starts_with(b"&quot;") {
        after += 6;
        quoted = true;
    }
    while bytes.get(after).is_some_and(|b| matches!(b, b']' | b'?')) {
        after += 1;
    }
    // C arrays: `char password[32] = "x"`
    if bytes.get(after) == Some(&b'[') {
        let digits = bytes[after + 1..].iter().take(6).take_while(|b| b.is_ascii_alphanumeric()).count();
        if bytes.get(after + 1 + digits) == Some(&b']') {
            after += digits + 2;
        }
    }
    // Markdown: `**Password:** x`, `Password**: x`
    while bytes.get(after) == Some(&b'*') {
        after += 1;
    }
    Name { range: start..end, quoted, end: after }
}

/// The operator after a name and where the value may start.
fn operator(bytes: &[u8], name: &Name) -> Option<(Operator, usize)> {
    if let Some(found) = apart(bytes, name) {
        return Some(found);
    }
    let at = skip_blanks(bytes, name.end);
    let spaced = at > name.end;
    let rest = bytes.get(at..)?;
    let two = rest.get(..2).unwrap_or(b"");
    let three = rest.get(..3).unwrap_or(b"");
    let found = match rest.first()? {
        b'=' if three == b"===" => (Operator::Compare, 3),
        b'=' if two == b"==" => (Operator::Compare, 2),
        b'=' if two == b"=>" => (Operator::Arrow, 2),
        b'=' if two == b"=~" => return None,
        b'=' => (Operator::Equals, 1),
        b':' if two == b":=" => (Operator::ColonEquals, 2),
        b':' if two == b"::" => return None,
        b':' if rest.starts_with(b"://") => return None,
        b':' => return colon(bytes, at + 1, name),
        b'!' if three == b"!==" => (Operator::Compare, 3),
        b'!' if two == b"!=" => (Operator::Compare, 2),
        b'<' if two == b"<-" => (Operator::Equals, 2),
        b'?' if two == b"?=" => (Operator::Default, 2),
        b'?' if two == b"??" => (Operator::Default, 2),
        b'|' if two == b"||" => (Operator::Default, 2),
        b'|' => (Operator::Table, 1),
        b'+' if two == b"+=" => (Operator::Equals, 2),
        b'>' if element(bytes, name) => (Operator::Element, 1),
        b',' if name.quoted || flag(bytes, name) => (Operator::Comma, 1),
        b'(' => (Operator::Call, 1),
        b'"' | b'\'' | b'`' if spaced => (Operator::Space, 0),
        _ if spaced || name.quoted => return loose(bytes, name, at),
        _ => return None,
    };
    Some((found.0, at + found.1))
}

/// A name that is itself the value of a `name` or `key`, with the value under another word next to it: `{"name": "PASSWORD",
/// "value": "x"}`, the same in YAML, `variable "password" { default = "x" }`, `<key>password</key><string>x</string>`.
fn apart(bytes: &[u8], name: &Name) -> Option<(Operator, usize)> {
    let rest = bytes.get(name.end..bytes.len().min(name.end + 200))?;
    let near = rest.iter().position(|b| !b.is_ascii_whitespace() && *b != b',')?;
    match rest[near] {
        b'<' if near == 0 && rest[1..].first() == Some(&b'/') => {
            let close = memchr::memchr(b'>', rest).filter(|at| *at < 30)? + 1;
            let next = close + rest[close..].iter().position(|b| !b.is_ascii_whitespace())?;
            let tag = ["<value>", "<string>", "<Value>", "<val>"]
                .iter()
                .find(|tag| rest[next..].starts_with(tag.as_bytes()))?;
            Some((Operator::Element, name.end + next + tag.len()))
        }
        b'{' if name.quoted => {
            let before = &bytes[..name.range.start.checked_sub(1)?];
            let at =
                before.trim_ascii_end().ends_with(b"variable").then(|| memchr::memmem::find(rest, b"default"))?? + 7;
            let block = memchr::memchr(b'}', rest).is_none_or(|end| at < end);
            let equals = skip_blanks(rest, at);
            (block && rest.get(equals) == Some(&b'=')).then_some((Operator::Attribute, name.end + equals + 1))
        }
        b'"' | b'\'' | b'v' | b'V' if near > 0 => {
            let before = bytes[..name.range.start].trim_ascii_end();
            let before = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before).trim_ascii_end();
            if !before.ends_with(b":") && !before.ends_with(b"=") {
                return None;
            }
            let word = near + usize::from(!rest[near].is_ascii_alphabetic());
            if !rest.get(word..word + 5)?.eq_ignore_ascii_case(b"value") {
                return None;
            }
            let quote = usize::from(matches!(rest.get(word + 5), Some(b'"' | b'\'')));
            let mark = skip_blanks(rest, word + 5 + quote);
            matches!(rest.get(mark), Some(b':' | b'=')).then_some((Operator::Attribute, name.end + mark + 1))
        }
        _ => None,
    }
}

/// After a colon: the value, or a type and then `=`.
fn colon(bytes: &[u8], at: usize, name: &Name) -> Option<(Operator, usize)> {
    let _ = name;
    let start = skip_blanks(bytes, at);
    let length =
        bytes[start.min(bytes.len())..].iter().take(40).take_while(|b| is_name(**b) || b"&.<>[]?|".contains(b)).count();
    let after = skip_blanks(bytes, start + length);
    if length > 0 && bytes.get(after) == Some(&b'=') && bytes.get(after + 1).is_some_and(|b| !matches!(b, b'=' | b'>'))
    {
        let next = skip_blanks(bytes, after + 1);
        let typed = bytes[start..start + length].iter().all(|b| b.is_ascii_alphabetic() || b"&.<>[]?|_".contains(b));
        if typed && after > start + length || matches!(bytes.get(next), Some(b'"' | b'\'')) {
            return Some((Operator::Equals, after + 1));
        }
    }
    let stars = bytes[at.min(bytes.len())..].iter().take(2).take_while(|b| **b == b'*').count();
    Some((Operator::Colon, at + stars))
}

/// An XML element, or the end of a tag that holds the name in an attribute.
fn element(bytes: &[u8], name: &Name) -> bool {
    let before = name.range.start.checked_sub(1).map(|at| bytes[at]);
    matches!(before, Some(b'<' | b':')) || name.quoted
}

/// A command-line option: `--password`, `-pass`.
fn flag(bytes: &[u8], name: &Name) -> bool {
    bytes[name.range.start] == b'-'
}

/// Operators made of words and blanks: phrases, options, types in front of `=`, netrc.
fn loose(bytes: &[u8], name: &Name, at: usize) -> Option<(Operator, usize)> {
    let rest = &bytes[at..bytes.len().min(at + 40)];
    let word = rest.iter().take_while(|b| is_name(**b) || **b >= 0x80 || **b == b'*').count();
    let after = skip_blanks(bytes, at + word);
    let verbs: &[&[u8]] =
        &[b"is", b"was", b"are", b"ist", b"lautet", b"est", b"es", b"\xc3\xa9", b"to", b"now", b"will", b"jest"];
    if verbs.iter().any(|verb| rest[..word].eq_ignore_ascii_case(verb)) {
        let next = if bytes.get(after) == Some(&b':') { skip_blanks(bytes, after + 1) } else { after };
        return Some((Operator::Phrase, next));
    }
    let attributes: &[&[u8]] = &[b"value", b"content", b"default", b"val"];
    if bytes.get(after) == Some(&b'=') && bytes.get(after + 1) != Some(&b'=') {
        if name.quoted && attributes.iter().any(|word_| rest[..word].eq_ignore_ascii_case(word_)) {
            return Some((Operator::Attribute, after + 1));
        }
        // a type between name and `=`, as Go writes it
        let types: &[&[u8]] = &[b"string", b"str", b"byte", b"text", b"interface", b"String"];
        if !name.quoted && types.contains(&&rest[..word]) {
            return Some((Operator::Equals, after + 1));
        }
        return None;
    }
    if name.quoted {
        return None;
    }
    let line_start = bytes[..name.range.start].iter().rev().take(100).take_while(|b| **b != b'\n');
    let leading = line_start.clone().all(|b| matches!(b, b' ' | b'\t' | b'#' | b'/' | b'*' | b'-'));
    let login = bytes[..name.range.start].iter().rev().take(120).take_while(|b| **b != b'\n').count() > 6
        && memchr::memmem::rfind(&bytes[name.range.start.saturating_sub(120)..name.range.start], b"login").is_some();
    let line = bytes[..name.range.start].iter().rev().take(12).take_while(|b| **b != b'\n').count();
    let command = bytes[name.range.start - line..name.range.start].trim_ascii();
    let keeps = ["ENV", "ARG", "setx", "SetEnv", "setenv"].iter().any(|word| command == word.as_bytes());
    (flag(bytes, name) || leading || login || keeps).then_some((Operator::Space, at))
}

/// Reads the value or values from `at` on.
fn values(bytes: &[u8], name: &Name, operator: Operator, at: usize, visit: &mut dyn FnMut(Site)) {
    let mut start = skip_blanks(bytes, at);
    let mut next_line = false;
    let continued = matches!(
        operator,
        Operator::Equals
            | Operator::Colon
            | Operator::ColonEquals
            | Operator::Call
            | Operator::Arrow
            | Operator::Comma
            | Operator::Table
            | Operator::Element
    );
    if continued && matches!(bytes.get(start), Some(b'\n' | b'\r' | b'\\')) && value::opening(bytes, start).is_none() {
        let skipped = bytes[start..].iter().take(120).take_while(|b| b.is_ascii_whitespace() || **b == b'\\').count();
        start += skipped;
        next_line = true;
        // Without quotes the next line is another entry, not the value of this one.
        if start >= bytes.len() || value::opening(bytes, start).is_none() && operator != Operator::Element {
            return;
        }
    }
    let mut emit = |read: &Read, in_call: bool, nth: u8, operator: Operator| {
        let mut site = Site::new(Kind::Assignment, name.range.clone(), read.range.clone());
        site.operator = operator;
        site.quote = read.quote;
        site.name_quoted = name.quoted;
        site.in_call = in_call;
        site.nth = nth;
        site.next_line = next_line;
        visit(site);
    };
    if operator == Operator::Element {
        if let Some(read) = element_text(bytes, start) {
            emit(&read, false, 0, operator);
        }
        return;
    }
    let Some(start) = prefix(bytes, start) else { return };
    let Some(first) = bytes.get(start) else { return };
    if value::opening(bytes, start).is_some() {
        let Some(read) = quoted(bytes, start) else { return };
        emit(&read, operator == Operator::Call, 0, operator);
        // Ruby leaves the brackets of a call away.
        let call = operator == Operator::Space && bytes[name.range.clone()].ends_with(b"basic_auth");
        if operator == Operator::Call || operator == Operator::Comma || call {
            more(bytes, read.end, 1, &mut |read, nth| emit(read, true, nth, operator));
        }
        return;
    }
    if matches!(first, b'[' | b'{' | b'(') {
        more(bytes, start + 1, 0, &mut |read, nth| emit(read, true, nth + 1, operator));
        return;
    }
    if operator == Operator::Call || operator == Operator::Comma && !flag(bytes, name) {
        more(bytes, start, 0, &mut |read, nth| emit(read, true, nth + 1, operator));
        return;
    }
    let whole_line = matches!(operator, Operator::Equals | Operator::Colon | Operator::Phrase | Operator::Space);
    let Some(read) = value::bare(bytes, start, whole_line) else { return };
    expression(bytes, &read, operator, &mut emit);
}

/// A value without quotes is a value, a call that holds one, or an expression with a default.
fn expression(bytes: &[u8], read: &Read, operator: Operator, emit: &mut dyn FnMut(&Read, bool, u8, Operator)) {
    let after = skip_blanks(bytes, read.end);
    let text = &bytes[read.range.clone()];
    if let Some(open) = memchr::memchr2(b'(', b'[', text).map(|n| read.range.start + n) {
        call(bytes, &bytes[read.range.start..open], open, emit);
        return;
    }
    match bytes.get(read.end) {
        Some(b'(' | b'[') => call(bytes, text, read.end, emit),
        _ => {
            let rest = &bytes[after..];
            let ors: [&[u8]; 4] = [b"||", b"??", b"?:", b"or "];
            let or = ors.iter().find(|or| rest.starts_with(or));
            if let Some(or) = or {
                let at = skip_blanks(bytes, after + or.len());
                if let Some(read) = value::opening(bytes, at).and_then(|_| quoted(bytes, at)) {
                    emit(&read, false, 0, Operator::Default);
                }
                return;
            }
            let news: &[&[u8]] = &[b"new", b"await", b"return", b"const", b"static"];
            if news.contains(&text) {
                let Some(inner) = value::bare(bytes, after, false) else { return };
                if bytes.get(inner.end) == Some(&b'(') {
                    call(bytes, &bytes[inner.range.clone()], inner.end, emit);
                }
                return;
            }
            emit(read, false, 0, operator);
        }
    }
}

/// String arguments of a call whose bracket opens at `open`. The first argument of a look-up is a name, not a value.
fn call(bytes: &[u8], callee: &[u8], open: usize, emit: &mut dyn FnMut(&Read, bool, u8, Operator)) {
    let lower = callee.to_ascii_lowercase();
    let has = |word: &[u8]| has(&lower, word);
    let lookup = has(b"env")
        || has(b"get")
        || has(b"fetch")
        || has(b"param")
        || has(b"config")
        || has(b"lookup")
        || has(b"argument")
        || has(b"arg");
    more(bytes, open + 1, 0, &mut |read, nth| {
        if !(lookup && nth == 0) {
            emit(read, true, nth + 1, if lookup { Operator::Default } else { Operator::Call });
        }
    });
    // `environ["X"] || "default"`, `get("X") or "default"`
    if lookup {
        let line = &bytes[open..bytes.len().min(open + 120)];
        let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
        for or in [&b"||"[..], b"??", b"?:", b" or "] {
            if let Some(found) = memchr::memmem::find(line, or) {
                let at = skip_blanks(bytes, open + found + or.len());
                if let Some(read) = value::opening(bytes, at).and_then(|_| quoted(bytes, at)) {
                    emit(&read, false, 0, Operator::Default);
                }
                return;
            }
        }
    }
}

/// Quoted strings from `at` on, until the list or call closes or the line ends in code.
fn more(bytes: &[u8], mut at: usize, first: u8, visit: &mut dyn FnMut(&Read, u8)) {
    let limit = bytes.len().min(at + 600);
    let mut nth = first;
    let mut depth = 0i32;
    let mut lines = 0;
    while at < limit && nth < LIST {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth < 0 {
                    return;
                }
            }
            b';' => return,
            b'\n' => {
                lines += 1;
                if lines > 3 {
                    return;
                }
            }
            b'"' | b'\'' | b'`' | b'\\' if value::opening(bytes, at).is_some() => {
                let Some(read) = quoted(bytes, at) else { return };
                let after = skip_blanks(bytes, read.end);
                // A key of a map has a value of its own, and a value of a map has a key of its own.
                let before = bytes[..at].iter().rev().take(20).find(|b| !b.is_ascii_whitespace());
                if matches!(bytes.get(after), Some(b':' | b'=')) || matches!(before, Some(b':' | b'=' | b'>')) {
                    return;
                }
                visit(&read, nth);
                nth += 1;
                at = read.end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Skips what stands in front of a string literal without being part of it: `b"`, `@"`, options of a cmdlet.
fn prefix(bytes: &[u8], mut at: usize) -> Option<usize> {
    // ConvertTo-SecureString -String "x" -AsPlainText
    for _ in 0..3 {
        let rest = bytes.get(at..)?;
        let option = rest.starts_with(b"-") && rest.get(1).is_some_and(u8::is_ascii_alphabetic);
        if !option {
            break;
        }
        let length = rest.iter().take(30).take_while(|b| is_name(**b)).count();
        if !matches!(rest.get(length), Some(b' ')) {
            break;
        }
        at = skip_blanks(bytes, at + length);
    }
    let rest = bytes.get(at..)?;
    let letters = rest.iter().take(2).take_while(|b| b"bBuUrRfFlLeEnN@$#".contains(b)).count();
    let marked = letters > 0 && matches!(rest.get(letters), Some(b'"' | b'\'' | b'`'));
    Some(if marked { at + letters } else { at })
}

/// Text of an XML element.
fn element_text(bytes: &[u8], start: usize) -> Option<Read> {
    let mut start = start;
    let inner = start + bytes[start..].iter().take(80).take_while(|b| b.is_ascii_whitespace()).count();
    // A property keeps its value in an element of its own.
    for tag in ["<value>", "<Value>"] {
        if bytes[inner..].starts_with(tag.as_bytes()) {
            start = inner + tag.len();
        }
    }
    let rest = &bytes[start..bytes.len().min(start + 600)];
    let (skip, end): (usize, &[u8]) = if rest.starts_with(b"<![CDATA[") { (9, b"]]>") } else { (0, b"</") };
    let length = memchr::memmem::find(&rest[skip..], end)?;
    let inner = &rest[skip..skip + length];
    let left = inner.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let inner = inner.trim_ascii();
    let valid = !inner.is_empty() && !inner.contains(&b'<') && !inner.contains(&b'\n');
    let from = start + skip + left;
    valid.then_some(Read { range: from..from + inner.len(), quote: Quote::Element, end: start + skip + length })
}
