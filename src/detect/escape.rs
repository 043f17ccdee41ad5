//! Escaped text: URLs (`%2F`), strings of JSON and of programs (`\u0026`, `\/`, `\"`), HTML and XML (`&amp;`).
//!
//! Rules are asked again about a keyword with what stands around it read as its reader would read it. What that gives depends
//! on the window around the keyword alone, like every other answer, so it is carried over from revision to revision.

use std::ops::Range;

use super::Match;
use super::generic::Route;
use super::prefilter;

/// How far behind a keyword an escape is looked for; a value whose first escape stands behind that is taken as it stands.
const NEAR: usize = 240;
/// Escapes within escapes.
const DEPTH: usize = 3;

/// What must stand between a keyword and the escape that has a part in its match.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// The rest of a name, then the escape, or an operator first.
    Operator,
    /// Nothing that ends a word.
    Word,
    /// Nothing that ends the host of a URL and what stands before it.
    Authority,
    /// Anything in the same line.
    Line,
    /// Escapes are not undone: people do not speak in them.
    Nothing,
}

impl Between {
    /// What a generic reader needs.
    pub(super) fn of(reader: Route) -> Self {
        match reader {
            Route::Assignment => Self::Operator,
            Route::Spoken => Self::Nothing,
            Route::Scheme => Self::Word,
            Route::Url => Self::Authority,
            Route::Sql | Route::Curl => Self::Line,
        }
    }

    /// How much of what stands behind a keyword an escape may stand in.
    fn of_line(self, line: &[u8]) -> usize {
        let until =
            |ends: &[u8]| line.iter().position(|b| b.is_ascii_whitespace() || ends.contains(b)).unwrap_or(line.len());
        match self {
            Self::Operator => {
                let name = line.iter().take_while(|b| b.is_ascii_alphanumeric() || b"_-.".contains(b)).count();
                let operator = line[name..].iter().take(12).any(|b| b"=:>,(|".contains(b));
                if operator { line.len() } else { line.len().min(name + 6) }
            }
            Self::Word => until(b"\"'<>"),
            Self::Authority => until(b"/?#\"'<>"),
            Self::Line => line.len(),
            Self::Nothing => 0,
        }
    }
}

/// Whether an escape stands behind a keyword where a match of its could have it.
pub(super) fn follows(window: &[u8], from: usize, between: Between) -> bool {
    if between == Between::Nothing {
        return false;
    }
    let near = &window[from..window.len().min(from + NEAR)];
    let line = &near[..memchr::memchr(b'\n', near).unwrap_or(near.len())];
    let near = &line[..between.of_line(line)];
    memchr::memchr3_iter(b'%', b'\\', b'&', near).any(|at| telling(&line[at..]))
}

/// Whether an escape starts here that plain text of a program hardly has: not `\n`, which stands in every other string.
fn telling(text: &[u8]) -> bool {
    match text {
        [b'%', high, low, ..] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        [b'\\', b'/', ..] => true,
        [b'\\', b'u', digits @ ..] => digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit),
        [b'&', ..] => entity(text).is_some(),
        _ => false,
    }
}

/// Whether a keyword may be one of [`spellings`].
pub(super) fn escaped(keyword: &[u8]) -> bool {
    memchr::memchr2(b'%', b'\\', keyword).is_some()
}

/// How a keyword is written in a URL and in JSON, where that is another way: `postgres%3A%2F%2F`, `postgres:\/\/`.
pub(super) fn spellings(keyword: &str) -> Vec<String> {
    let special = |b: &u8| !b.is_ascii_alphanumeric() && !b"-_.~".contains(b);
    let known = |b: u8| b":/=+".contains(&b) || b == b' ' && (keyword.ends_with(' ') || keyword == "PRIVATE KEY");
    if !keyword.bytes().any(|b| special(&b)) || !keyword.bytes().filter(special).all(known) {
        return Vec::new();
    }
    let url =
        keyword.bytes().map(|b| if special(&b) { format!("%{b:02x}") } else { char::from(b).to_string() }).collect();
    let json = [("/", "\\/"), ("=", "\\u003d")].iter().filter(|(mark, _)| keyword.contains(mark));
    json.map(|(mark, escape)| keyword.replace(mark, escape)).chain([url]).collect()
}

/// A window as its reader reads it.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) text: Vec<u8>,
    /// Where each byte of the text starts in the window, and where the last one ends.
    from: Vec<u32>,
    /// What was undone, outermost first.
    layers: Vec<&'static str>,
}

/// The ways to read a window that differ from it: as HTML or a string, and as a URL.
pub(super) fn readings(window: &[u8]) -> Vec<Reading> {
    let from = (0..=window.len()).map(|at| at as u32).collect();
    let mut reading = Reading { text: window.to_vec(), from, layers: Vec::new() };
    let text = reading.undo_text();
    if !memchr::memchr_iter(b'%', &reading.text).any(|at| percent(&reading.text[at..]).is_some()) {
        return if text { vec![reading] } else { Vec::new() };
    }
    let mut all = if text { vec![reading.clone()] } else { Vec::new() };
    let mut changed = false;
    for _ in 0..DEPTH {
        if !reading.undo("url", percent) {
            break;
        }
        reading.undo_text();
        changed = true;
    }
    if changed {
        all.push(reading);
    }
    all
}

impl Reading {
    fn undo_text(&mut self) -> bool {
        let mut changed = false;
        for _ in 0..DEPTH {
            let markup = self.undo("html", entity);
            // A string is read as one only where it has an escape that says so.
            let string =
                memchr::memchr_iter(b'\\', &self.text).any(|at| telling(&self.text[at..])) && self.undo("json", string);
            if !markup && !string {
                break;
            }
            changed = true;
        }
        changed
    }

    /// Undoes one kind of escape all over the text; whether there was any. `one` reads the escape at the start of a text: the
    /// character and the escape's length.
    fn undo(&mut self, layer: &'static str, one: fn(&[u8]) -> Option<(char, usize)>) -> bool {
        let mark = match layer {
            "url" => b'%',
            "json" => b'\\',
            _ => b'&',
        };
        let mut escapes =
            memchr::memchr_iter(mark, &self.text).filter_map(|at| Some((at, one(&self.text[at..])?))).peekable();
        if escapes.peek().is_none() {
            return false;
        }
        let (mut text, mut from) = (Vec::with_capacity(self.text.len()), Vec::with_capacity(self.text.len() + 1));
        let mut done = 0;
        for (at, (character, length)) in escapes {
            // The second half of `\\\\` is no escape.
            if at < done {
                continue;
            }
            text.extend_from_slice(&self.text[done..at]);
            from.extend_from_slice(&self.from[done..at]);
            let mut buffer = [0; 4];
            let bytes = match layer {
                // A byte of a URL stands for itself, whatever character it is a part of.
                "url" => {
                    buffer[0] = character as u8;
                    &buffer[..1]
                }
                _ => character.encode_utf8(&mut buffer).as_bytes(),
            };
            text.extend_from_slice(bytes);
            from.extend(bytes.iter().map(|_| self.from[at]));
            done = at + length;
        }
        text.extend_from_slice(&self.text[done..]);
        from.extend_from_slice(&self.from[done..]);
        (self.text, self.from) = (text, from);
        self.layers.push(layer);
        true
    }

    /// Which of some keywords stands where `at` is in the window.
    pub(super) fn keyword<'a>(&self, at: usize, words: impl Iterator<Item = &'a str>) -> Option<Range<usize>> {
        let start = self.from.partition_point(|from| (*from as usize) < at);
        let text = self.text.get(start..)?;
        let here = |word: &Vec<u8>| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
        let longest = words.map(prefilter::known).filter(here).map(|word| word.len()).max()?;
        Some(start..start + longest)
    }

    /// Gives a match its place in the window, if an escape has a part in it. In a URL a value that no rule knows by its form
    /// counts only where the URL shows: by an escaped operator, or as a parameter.
    pub(super) fn place(&self, mut found: Match, keyword: &Range<usize>, reader: Option<Route>) -> Option<Match> {
        let touched = |range: Range<usize>| (self.from[range.end] - self.from[range.start]) as usize != range.len();
        let span = found.span.clone();
        let whole = keyword.start.min(span.start)..keyword.end.max(span.end);
        let url = self.layers.contains(&"url");
        let shows = || {
            let name = self.text[..keyword.start].iter().rev().take(60);
            let mark = name.copied().find(|b| !b.is_ascii_alphanumeric() && !b"-_.[]".contains(b));
            touched(keyword.start..span.start.max(keyword.end)) || matches!(mark, Some(b'?' | b'&'))
        };
        let counts = match reader {
            None => true,
            // Of a URL in a URL the mark in its middle must be escaped, too: escapes in its parts are its own.
            Some(Route::Url) => !url || touched(keyword.clone()),
            Some(_) => !url || shows(),
        };
        let readable = !url || std::str::from_utf8(&self.text[span.clone()]).is_ok();
        if !touched(whole) || !counts || !readable {
            return None;
        }
        found.span = self.from[span.start] as usize..self.from[span.end] as usize;
        found.encodings.clone_from(&self.layers);
        Some(found)
    }
}

/// A percent sign and two digits.
fn percent(text: &[u8]) -> Option<(char, usize)> {
    let [b'%', high, low, ..] = text else { return None };
    let byte = digit(*high)? * 16 + digit(*low)?;
    Some((char::from(u8::try_from(byte).ok()?), 3))
}

/// An escape of JSON, which other languages share.
fn string(text: &[u8]) -> Option<(char, usize)> {
    let [b'\\', kind, rest @ ..] = text else { return None };
    let four = |digits: &[u8]| digits.get(..4)?.iter().try_fold(0, |sum, b| Some(sum * 16 + digit(*b)?));
    match kind {
        b'/' | b'"' | b'\'' | b'\\' => Some((char::from(*kind), 2)),
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        b'u' => {
            let first = four(rest)?;
            if let Some(character) = char::from_u32(first) {
                return Some((character, 6));
            }
            let [b'\\', b'u', second @ ..] = rest.get(4..)? else { return None };
            let second = four(second).filter(|second| (0xdc00..0xe000).contains(second) && first < 0xdc00)?;
            Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12))
        }
        _ => None,
    }
}

/// A named or numbered character of HTML.
fn entity(text: &[u8]) -> Option<(char, usize)> {
    let name = text.strip_prefix(b"&")?;
    let end = name.iter().take(8).position(|b| *b == b';')?;
    let number = |digits: &[u8], base: u32| {
        let value = digits.iter().try_fold(0u32, |sum, b| Some(sum * base + digit(*b).filter(|d| *d < base)?))?;
        char::from_u32(value).filter(|_| !digits.is_empty())
    };
    let character = match &name[..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        _ => return None,
    };
    Some((character, end + 2))
}

fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

/// The password of a URL without its escapes (RFC 3986, 3.2.1): `p%40ss` in `scheme://user:p%40ss@host`.
pub(super) fn of_userinfo(text: &[u8], span: &Range<usize>) -> Option<Vec<u8>> {
    let value = &text[span.clone()];
    let before = &text[span.start.saturating_sub(200)..span.start];
    if memchr::memchr(b'%', value).is_none() || text.get(span.end) != Some(&b'@') || !before.ends_with(b":") {
        return None;
    }
    let scheme = memchr::memmem::rfind(before, b"://")?;
    if before[scheme + 3..].iter().any(|b| b.is_ascii_whitespace() || b"/@\"'".contains(b)) {
        return None;
    }
    let mut reading = Reading { text: value.to_vec(), from: vec![0; value.len() + 1], layers: Vec::new() };
    (reading.undo("url", percent) && std::str::from_utf8(&reading.text).is_ok()).then_some(reading.text)
}

#[cfg(test)]
mod tests {
    use super::super::{Detector, Options};
    use super::*;
    use crate::rule::{RuleSet, expand};

    /// Rules, values, the text that stands in the document, encodings.
    fn found(text: &str) -> Vec<(String, String, String, String)> {
        let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::default()).expect("rules are checked");
        let mut out = Vec::new();
        detector.scan(text.as_bytes(), None, &mut out);
        let told = |m: &Match| {
            let value = String::from_utf8_lossy(m.secret.expose()).into_owned();
            (m.rule.to_string(), value, text[m.span.clone()].to_owned(), m.encodings.join(" "))
        };
        out.iter().map(told).collect()
    }

    fn made(template: &str) -> String {
        expand(template, "escape", None).expect("because the template is well-formed")
    }

    /// The only match of a text: its value, what stands there, encodings.
    fn only(text: &str) -> (String, String, String) {
        let all = found(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        let (_, value, raw, layers) = all[0].clone();
        (value, raw, layers)
    }

    #[test]
    fn values_with_escapes_inside_are_found_as_they_are_read() {
        let (a, b) = (made("<<an:18>>"), made("<<an:21>>"));
        let value = format!("{a}/{b}");
        let expect = |raw: &str, layers: &str| (value.clone(), raw.to_owned(), layers.to_owned());
        let raw = format!("{a}\\/{b}");
        assert_eq!(only(&format!("{{\"aws_secret_access_key\": \"{raw}\"}}\n")), expect(&raw, "json"));
        assert_eq!(only(&format!("{{\"client_secret\": \"{raw}\"}}\n")), expect(&raw, "json"));
        let raw = format!("{a}%2F{b}");
        assert_eq!(only(&format!("GET /cb?a=1&client_secret={raw}&state=2 HTTP/1.1\n")), expect(&raw, "url"));
        assert_eq!(only(&format!("body: grant%3Dx%26client_secret%3D{raw}%26state%3D2\n")), expect(&raw, "url"));
        assert_eq!(only(&format!("x=%7B%22client_secret%22%3A%22{raw}%22%7D\n")), expect(&raw, "url"));
        let raw = format!("{a}\\u002f{b}");
        assert_eq!(only(&format!("{{\"client_secret\": \"{raw}\"}}\n")), expect(&raw, "json"));
        let raw = format!("{a}&#x2F;{b}");
        assert_eq!(only(&format!("<client_secret>{raw}</client_secret>\n")), expect(&raw, "html"));
        let raw = format!("{a}\\\\\\/{b}");
        assert_eq!(only(&format!("\"{{\\\"client_secret\\\": \\\"{raw}\\\"}}\"\n")), expect(&raw, "json json"));
    }

    #[test]
    fn keywords_are_known_in_their_escaped_spelling() {
        let word = made("<<an:20>>");
        for text in [
            format!("{{\"url\": \"postgres:\\/\\/app:{word}@db.harbourfinch.example\\/main\"}}\n"),
            format!("next=postgres%3A%2F%2Fapp%3A{word}%40db.harbourfinch.example%2Fmain\n"),
            format!("next=https%3a%2f%2fapp%3a{word}%40db.harbourfinch.example%2fmain\n"),
            format!("{{\"next\": \"https:\\/\\/app:{word}@db.harbourfinch.example\\/main\"}}\n"),
        ] {
            let (value, raw, layers) = only(&text);
            assert_eq!((value, raw), (word.clone(), word.clone()), "{text}");
            assert!(!layers.is_empty());
        }
    }

    #[test]
    fn where_nothing_is_escaped_a_percent_sign_is_one() {
        let (a, b) = (made("<<an:10>>"), made("<<an:10>>"));
        let raw = format!("{a}%2F{b}");
        assert_eq!(only(&format!("export DB_PASSWORD='{raw}'\n")), (raw.clone(), raw, String::new()));
        let raw = format!("{a}\\n{b}");
        assert_eq!(only(&format!("db_password = '{raw}'\n")).1, raw);
    }

    #[test]
    fn passwords_of_urls_lose_their_escapes() {
        let (a, b) = (made("<<an:9>>"), made("<<an:9>>"));
        let raw = format!("{a}%40{b}");
        let text = format!("DATABASE_URL=postgres://app:{raw}@db.harbourfinch.example:5432/main\n");
        assert_eq!(only(&text), (format!("{a}@{b}"), raw, "url".to_owned()));
    }

    #[test]
    fn a_reading_knows_where_its_bytes_come_from() {
        let window = b"a&amp;b\\u00e9%41\\/c";
        let all = readings(window);
        let texts: Vec<&[u8]> = all.iter().map(|reading| reading.text.as_slice()).collect();
        assert_eq!(texts, ["a&b\u{e9}%41/c".as_bytes(), "a&b\u{e9}A/c".as_bytes()]);
        assert_eq!(all[1].from, [0, 1, 6, 7, 7, 13, 16, 18, 19]);
        assert_eq!(all[1].layers, ["html", "json", "url"]);
        assert!(readings(b"plain \\n text & more %d").is_empty());
    }

    #[test]
    fn only_what_is_special_in_a_url_or_in_json_has_another_spelling() {
        assert_eq!(spellings("redis://"), ["redis:\\/\\/", "redis%3a%2f%2f"]);
        assert_eq!(spellings("token="), ["token\\u003d", "token%3d"]);
        assert!(spellings("ghp_").is_empty() && spellings("clay api").is_empty() && spellings("$2a$").is_empty());
    }
}
