//! Forms that tell by themselves, without a telling name: URLs, authorization headers, SQL users, curl's user option.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

use super::value::{self, quoted, skip_blanks};
use super::{Kind, Operator, Site};

/// `scheme://user:password@host`; `keyword` is the `://`.
pub(super) fn url(bytes: &[u8], keyword: Range<usize>, visit: &mut dyn FnMut(Site)) {
    let start = keyword.end;
    let limit = bytes.len().min(start + 300);
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b'|' | b'^');
    let authority =
        bytes[start..limit].iter().position(|b| ends(b) || *b == b'/' || *b == b'?').unwrap_or(limit - start);
    let text = &bytes[start..start + authority];
    let Some(mut at) = memchr::memrchr(b'@', text) else {
        return broken_url(bytes, start, limit, visit);
    };
    // In a list of hosts, `a:b@h,c:d@i`, the first entry counts here.
    if let Some(comma) = memchr::memchr(b',', text)
        && let Some(first) = memchr::memchr(b'@', text).filter(|first| *first < comma)
    {
        at = first;
    }
    userinfo(start, &text[..at], visit);
}

/// A password that holds `/` or `?`: allowed by nobody, written by everybody.
fn broken_url(bytes: &[u8], start: usize, limit: usize, visit: &mut dyn FnMut(Site)) {
    let ends =
        |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' | b',' | b'=' | b'&');
    let length = bytes[start..limit].iter().take(120).position(ends).unwrap_or((limit - start).min(120));
    let text = &bytes[start..start + length];
    let (Some(colon), Some(at)) = (memchr::memchr(b':', text), memchr::memrchr(b'@', text)) else { return };
    let host_like = memchr::memchr(b'/', text).is_some_and(|slash| slash < colon);
    let port = text.get(colon + 1).is_some_and(u8::is_ascii_digit)
        && text[colon + 1..].iter().position(|b| !b.is_ascii_digit()).is_some_and(|n| text[colon + 1 + n] == b'/');
    if !host_like && !port && at > colon {
        userinfo(start, &text[..at], visit);
    }
}

fn userinfo(start: usize, text: &[u8], visit: &mut dyn FnMut(Site)) {
    let (user, password) = match memchr::memchr(b':', text) {
        Some(colon) => (start..start + colon, start + colon + 1..start + text.len()),
        // a token alone: long, and with digits
        None if text.len() >= 16 && text.iter().any(u8::is_ascii_digit) => (start..start, start..start + text.len()),
        None => return,
    };
    if password.is_empty() {
        return;
    }
    let mut site = Site::new(Kind::Url, user.clone(), password);
    site.operator = Operator::Colon;
    site.user = (!user.is_empty()).then_some(user);
    visit(site);
}

/// The token after `Basic ` or `Bearer `.
pub(super) fn scheme(bytes: &[u8], keyword: Range<usize>, visit: &mut dyn FnMut(Site)) {
    let basic = bytes[keyword.start] | 0x20 == b'b' && bytes[keyword.start + 1] | 0x20 == b'a';
    let before = keyword.start.checked_sub(1).map(|at| bytes[at]);
    if before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return;
    }
    let start = skip_blanks(bytes, keyword.end);
    let token = |b: &&u8| b.is_ascii_alphanumeric() || b"+/=_-.~:%".contains(b);
    let length = bytes[start.min(bytes.len())..].iter().take(2000).take_while(token).count();
    if length < 6 {
        return;
    }
    let text = &bytes[start..start + length];
    let kind = if basic { Kind::Basic } else { Kind::Bearer };
    if basic && pair(text).is_none() {
        return;
    }
    if !basic && !text.iter().any(|b| b.is_ascii_digit()) && length < 20 && !header(bytes, keyword.start) {
        return;
    }
    let mut site = Site::new(kind, keyword.clone(), start..start + length);
    site.operator = Operator::Space;
    visit(site);
}

/// Whether the word stands right behind a quote, colon or equals sign, as in a header.
fn header(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().find(|b| **b != b' ').is_some_and(|b| matches!(b, b'"' | b'\'' | b'`' | b':' | b'='))
}

/// User and password inside a Basic credential.
pub(super) fn pair(text: &[u8]) -> Option<(String, String)> {
    let bare: Vec<u8> = text.iter().copied().filter(|b| *b != b'=').collect();
    let decoded = BASE64_NOPAD.decode(&bare).or_else(|_| BASE64URL_NOPAD.decode(&bare)).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    let plain = text.chars().all(|c| !c.is_control());
    plain.then(|| (user.to_owned(), password.to_owned()))
}

/// `IDENTIFIED [WITH plugin] BY [PASSWORD] 'x'`.
pub(super) fn sql(bytes: &[u8], keyword: Range<usize>, visit: &mut dyn FnMut(Site)) {
    let rest = &bytes[keyword.end..bytes.len().min(keyword.end + 80)];
    let lower = rest.to_ascii_lowercase();
    let Some(by) = memchr::memmem::find(&lower, b" by ").filter(|n| *n < 60) else { return };
    let mut at = skip_blanks(bytes, keyword.end + by + 4);
    for word in [&b"password "[..], b"values "] {
        if bytes[at..].len() > word.len() && bytes[at..at + word.len()].eq_ignore_ascii_case(word) {
            at = skip_blanks(bytes, at + word.len());
        }
    }
    let read = if value::opening(bytes, at).is_some() { quoted(bytes, at) } else { value::bare(bytes, at, false) };
    if let Some(read) = read {
        let mut site = Site::new(Kind::Sql, keyword.start..keyword.end + by + 3, read.range.clone());
        site.operator = Operator::Phrase;
        site.quote = read.quote;
        visit(site);
    }
}

/// Options of curl and wget that a user and a password follow.
const OPTIONS: &[&[u8]] = &[b"-u ", b"-u'", b"-u\"", b"--user ", b"--user=", b"-U ", b"--proxy-user "];

static ANY_OPTION: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(OPTIONS).expect("because the options are few"));

/// `curl -u user:password`, `--user user:password`.
pub(super) fn curl(bytes: &[u8], keyword: Range<usize>, visit: &mut dyn FnMut(Site)) {
    let line = &bytes[keyword.start..bytes.len().min(keyword.start + 600)];
    let line = &line[..memchr::memmem::find(line, b"\n\n").unwrap_or(line.len())];
    if !ANY_OPTION.is_match(line) {
        return;
    }
    for option in OPTIONS {
        let Some(found) = memchr::memmem::find(line, option) else { continue };
        let before = found.checked_sub(1).map_or(b' ', |n| line[n]);
        if !(before.is_ascii_whitespace() || matches!(before, b'"' | b'\'' | b'\\' | b'`')) && found > 0 {
            continue;
        }
        let offset = option.len() - usize::from(option.ends_with(b"'") || option.ends_with(b"\""));
        let at = skip_blanks(bytes, keyword.start + found + offset);
        let read = if value::opening(bytes, at).is_some() { quoted(bytes, at) } else { value::bare(bytes, at, false) };
        let Some(read) = read else { continue };
        let Some(colon) = memchr::memchr(b':', &bytes[read.range.clone()]) else { continue };
        let user = read.range.start..read.range.start + colon;
        if user.end + 1 >= read.range.end {
            continue;
        }
        let mut site = Site::new(Kind::Curl, user.clone(), user.end + 1..read.range.end);
        site.operator = Operator::Colon;
        site.quote = read.quote;
        site.user = Some(user);
        visit(site);
    }
}
