//! A site in numbers. Every number has a name, which the table of the ranker and `offkey explain` use.

use std::sync::OnceLock;

use super::words::{IN_LINE, IN_NAME, IN_VALUE, REFUSED, Text, WEAK, has, naturalness};
use super::{Kind, Operator, Quote, Site, shapes};
use crate::rule::check::entropy;

/// How far around a value its repetitions are counted.
const REPEATS: usize = 600;

/// Collects numbers; with their names when asked.
pub(in crate::detect) struct Features {
    pub(in crate::detect) values: Vec<f32>,
    names: Option<Vec<&'static str>>,
}

fn number(is: bool) -> f32 {
    f32::from(u8::from(is))
}

impl Features {
    /// Names of all features, in order.
    pub(in crate::detect) fn names() -> &'static [&'static str] {
        static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
        NAMES.get_or_init(|| {
            let mut all = Self { values: Vec::new(), names: Some(Vec::new()) };
            let site = Site::new(Kind::Assignment, 0..4, 5..9);
            all.fill(b"pass=word", &site);
            all.names.unwrap_or_default()
        })
    }

    /// Describes a site.
    pub(in crate::detect) fn of(bytes: &[u8], site: &Site) -> Self {
        let mut all = Self { values: Vec::with_capacity(260), names: None };
        all.fill(bytes, site);
        all
    }

    fn add(&mut self, name: &'static str, value: f32) {
        self.values.push(value);
        if let Some(names) = &mut self.names {
            names.push(name);
        }
    }

    fn flag(&mut self, name: &'static str, is: bool) {
        self.add(name, number(is));
    }

    fn flags(&mut self, prefix: &str, words: &[&'static str], text: &Text<'_>) {
        for word in words {
            self.values.push(number(text.has(word)));
            self.name(prefix, word);
        }
    }

    /// Notes a name made of two parts; only once in the life of the program.
    fn name(&mut self, prefix: &str, word: &str) {
        if let Some(names) = &mut self.names {
            names.push(Box::leak(format!("{prefix}-{}", word.trim().replace(' ', "_")).into_boxed_str()));
        }
    }

    fn fill(&mut self, bytes: &[u8], site: &Site) {
        let decoded = (site.kind == Kind::Basic).then(|| shapes::pair(&bytes[site.value.clone()])).flatten();
        let value = match &decoded {
            Some((_, password)) if !password.is_empty() => password.as_bytes(),
            _ => &bytes[site.value.clone()],
        };
        let lower = value[..value.len().min(512)].to_ascii_lowercase();
        self.value(&value[..value.len().min(512)], &lower);
        self.name_of(bytes, site, &lower);
        self.form(site);
        self.surroundings(bytes, site);
    }

    fn value(&mut self, value: &[u8], lower: &[u8]) {
        let length = value.len().max(1) as f32;
        let count = |test: fn(&u8) -> bool| value.iter().filter(|b| test(b)).count() as f32;
        let share = |n: f32| n / length;
        let digits = count(u8::is_ascii_digit);
        let (small, capital) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
        self.add("length", length);
        self.add("share-small", share(small));
        self.add("share-capital", share(capital));
        self.add("share-digit", share(digits));
        self.add("share-other", share(length - digits - small - capital));
        self.add("digits", digits);
        self.add("blanks", count(|b| *b == b' '));
        self.add("entropy", entropy(value));
        let mut seen = [false; 256];
        value.iter().for_each(|b| seen[usize::from(*b)] = true);
        self.add("distinct", seen.iter().filter(|s| **s).count() as f32 / length);
        self.add("naturalness", naturalness(value));
        self.add(
            "classes",
            [small, capital, digits, length - digits - small - capital].iter().filter(|n| **n > 0.0).count() as f32,
        );
        let class = |b: u8| match b {
            b'0'..=b'9' => 0,
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            _ => 3,
        };
        let changes = value.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count() as f32;
        self.add("changes", changes / length);
        self.add("longest-letters", run(value, u8::is_ascii_alphabetic));
        self.add("longest-digits", run(value, u8::is_ascii_digit));
        self.add("longest-same", same(value));
        self.add("longest-steps", steps(value));
        for mark in b"./:-_=$\\{,!\"" {
            let n = memchr::memchr_iter(*mark, value).count();
            self.values.push(n.min(9) as f32);
            self.name("mark", std::str::from_utf8(&[*mark]).unwrap_or("?"));
        }
        let hex = value.iter().all(u8::is_ascii_hexdigit);
        self.flag("hexadecimal", hex && digits > 0.0);
        self.flag("hex-of-hash-length", hex && matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128));
        self.flag("uuid", value.len() == 36 && [8, 13, 18, 23].iter().all(|at| value[*at] == b'-'));
        self.flag(
            "base64",
            value.len().is_multiple_of(4) && value.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)),
        );
        self.flag("one-word", value.iter().all(u8::is_ascii_lowercase));
        self.flag("title-word", value[0].is_ascii_uppercase() && value[1..].iter().all(u8::is_ascii_lowercase));
        self.flag(
            "upper-snake",
            value.iter().all(|b| b.is_ascii_uppercase() || *b == b'_' || b.is_ascii_digit()) && capital > 1.0,
        );
        self.flag("snake", value.contains(&b'_') && value.iter().all(|b| b.is_ascii_lowercase() || *b == b'_'));
        self.flag(
            "camel",
            digits == 0.0
                && small + capital == length
                && value.windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase()),
        );
        self.flag("number", value.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')));
        self.flag("beyond-ascii", value.iter().any(|b| *b >= 0x80));
        self.flag("ends-with-mark", matches!(value.last(), Some(b':' | b'.' | b'!' | b'?' | b',')));
        self.flag(
            "crypt-hash",
            value.starts_with(b"$2")
                || value.starts_with(b"$1$")
                || value.starts_with(b"$5$")
                || value.starts_with(b"$6$")
                || value.starts_with(b"{SSHA")
                || value.starts_with(b"$argon2")
                || value.starts_with(b"sha256:"),
        );
        self.flag("begins-eyJ", value.starts_with(b"eyJ"));
        self.flag("ssh-public", value.starts_with(b"ssh-") || value.starts_with(b"AAAA"));
        self.flag("slash-path", value.starts_with(b"/") || value.starts_with(b"./") || has(value, b"://"));
        self.flag("dotted-file", value.len() > 4 && value[value.len() - 5..].contains(&b'.') && !value.contains(&b' '));
        self.flag("percent-format", has(value, b"%s") || has(value, b"%d") || has(value, b"{}"));
        self.flag(
            "interpolates",
            has(value, b"${") || has(value, b"{{") || has(value, b"#{") || memchr::memmem::find(value, b"$(").is_some(),
        );
        self.flag("weak", WEAK.iter().any(|word| word.as_bytes() == lower));
        self.flag("word-and-digits", ends_in_digits(value));
        let lower = Text::of(lower);
        self.flags("value", IN_VALUE, &lower);
        self.flag("value-refused", REFUSED.iter().any(|word| lower.has(word)));
    }

    fn name_of(&mut self, bytes: &[u8], site: &Site, value: &[u8]) {
        let name = &bytes[site.name.clone()];
        let lower = name.to_ascii_lowercase();
        let letters: Vec<u8> = lower.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        self.add("name-length", name.len() as f32);
        self.add("name-naturalness", naturalness(name));
        self.flag("name-capitals", !name.iter().any(u8::is_ascii_lowercase));
        self.add("name-dots", memchr::memchr_iter(b'.', name).count() as f32);
        self.add("name-dashes", memchr::memchr_iter(b'-', name).count() as f32);
        self.add("name-underscores", memchr::memchr_iter(b'_', name).count() as f32);
        self.flag("name-is-flag", name.starts_with(b"-"));
        let last: Vec<u8> = last_word(name);
        let ends = |words: &[&str]| words.iter().any(|word| last.ends_with(word.as_bytes()));
        self.flag("name-ends-pass", ends(&["password", "passwd", "pass", "pwd", "pw", "passphrase", "passwort"]));
        self.flag("name-ends-secret", ends(&["secret"]));
        self.flag("name-ends-token", ends(&["token"]));
        self.flag("name-ends-key", ends(&["key"]));
        self.flag("name-ends-auth", ends(&["auth"]));
        self.flag("name-ends-cred", ends(&["credential", "credentials", "cred", "creds", "signature", "sig"]));
        self.flag("name-ends-plural", ends(&["s"]));
        self.flag(
            "name-ends-other",
            ends(&["id", "name", "url", "path", "file", "type", "length", "size", "label", "field", "hash"]),
        );
        self.flag(
            "name-alone",
            matches!(
                letters.as_slice(),
                b"password" | b"passwd" | b"pwd" | b"pass" | b"secret" | b"token" | b"key" | b"auth" | b"apikey"
            ),
        );
        let squashed: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        let within = |a: &[u8], b: &[u8]| b.len() > 2 && has(a, b);
        self.flag("name-in-value", within(&squashed, &letters));
        self.flag("value-in-name", within(&letters, &squashed));
        self.flag("value-is-last-word", squashed == last);
        let letters = Text::of(&letters);
        self.flag("name-refused", REFUSED.iter().chain(&["nonmatch", "unknown"]).any(|word| letters.has(word)));
        self.flags("name", IN_NAME, &letters);
    }

    fn form(&mut self, site: &Site) {
        let kinds = [
            ("kind-assignment", Kind::Assignment),
            ("kind-url", Kind::Url),
            ("kind-basic", Kind::Basic),
            ("kind-bearer", Kind::Bearer),
            ("kind-sql", Kind::Sql),
            ("kind-curl", Kind::Curl),
            ("kind-rule", Kind::Rule),
        ];
        for (name, kind) in kinds {
            self.flag(name, site.kind == kind);
        }
        let operators = [
            ("op-equals", Operator::Equals),
            ("op-colon", Operator::Colon),
            ("op-colon-equals", Operator::ColonEquals),
            ("op-arrow", Operator::Arrow),
            ("op-compare", Operator::Compare),
            ("op-comma", Operator::Comma),
            ("op-call", Operator::Call),
            ("op-space", Operator::Space),
            ("op-phrase", Operator::Phrase),
            ("op-element", Operator::Element),
            ("op-attribute", Operator::Attribute),
            ("op-default", Operator::Default),
            ("op-table", Operator::Table),
        ];
        for (name, operator) in operators {
            self.flag(name, site.operator == operator);
        }
        let quotes = [
            ("quote-bare", Quote::Bare),
            ("quote-double", Quote::Double),
            ("quote-single", Quote::Single),
            ("quote-backtick", Quote::Backtick),
            ("quote-escaped", Quote::Escaped),
            ("quote-element", Quote::Element),
        ];
        for (name, quote) in quotes {
            self.flag(name, site.quote == quote);
        }
        self.flag("name-quoted", site.name_quoted);
        self.flag("in-call", site.in_call);
        self.add("nth", f32::from(site.nth));
        self.flag("next-line", site.next_line);
    }

    /// Where a URL with a password leads: nowhere, to this machine, or somewhere.
    fn host(&mut self, site: &Site, after: &[u8]) {
        let url = matches!(site.kind, Kind::Url | Kind::Rule) && after.first() == Some(&b'@');
        let length =
            after.iter().skip(1).take(60).take_while(|b| b.is_ascii_alphanumeric() || b".-_%{$".contains(b)).count();
        let host: Vec<u8> = if url { after[1..1 + length].to_ascii_lowercase() } else { Vec::new() };
        let names = |words: &[&str]| words.iter().any(|word| has(&host, word.as_bytes()));
        let stands_for: &[&[u8]] =
            &[b"host", b"hostname", b"server", b"hst", b"domain.com", b"host.com", b"server.com", b"proxy.com"];
        self.flag("host-local", names(&["localhost", "127.0.0.1", "0.0.0.0"]));
        self.flag("host-example", names(&["example", "invalid", "acme.", "contoso", "yourdomain", "mydomain"]));
        self.flag("host-stands-for-one", stands_for.contains(&host.as_slice()));
        self.flag("host-one-word", url && !host.is_empty() && !host.contains(&b'.'));
        self.add("host-length", host.len() as f32);
    }

    fn surroundings(&mut self, bytes: &[u8], site: &Site) {
        let anchor = site.name.start.min(site.value.start);
        let floor = anchor.saturating_sub(200);
        let line_start = memchr::memrchr(b'\n', &bytes[floor..anchor]).map_or(floor, |n| floor + n + 1);
        let ceiling = bytes.len().min(site.value.end + 120);
        let line_end = memchr::memchr(b'\n', &bytes[site.value.end..ceiling]).map_or(ceiling, |n| site.value.end + n);
        let before = &bytes[line_start..anchor];
        let after = &bytes[site.value.end..line_end];
        let mut around = before.to_ascii_lowercase();
        around.push(b' ');
        around.extend(
            bytes[site.name.end.max(anchor)..site.value.start.max(site.name.end)]
                .iter()
                .take(100)
                .map(u8::to_ascii_lowercase),
        );
        around.push(b' ');
        around.extend(after.iter().map(u8::to_ascii_lowercase));
        let indent = before.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let start = &before[indent..];
        self.add("column", before.len() as f32);
        self.add("indent", indent as f32);
        self.add("after-length", after.len() as f32);
        self.add("gap", site.value.start.saturating_sub(site.name.end) as f32);
        self.flag("line-starts-with-name", start.is_empty());
        let comment: &[&[u8]] = &[b"#", b"//", b"*", b"/*", b"<!--", b";", b"--"];
        self.flag("comment", comment.iter().any(|mark| start.starts_with(mark)));
        self.flag("list-item", start.starts_with(b"- "));
        self.flag("code-in-prose", start.starts_with(b"`") || before.ends_with(b"`"));
        self.flag(
            "inside-quotes",
            before.iter().filter(|b| **b == b'"').count() % 2 == 1
                || before.iter().filter(|b| **b == b'\'').count() % 2 == 1,
        );
        self.flag("url-parameter", matches!(before.last(), Some(b'?' | b'&')));
        self.flag("member", before.ends_with(b".") || before.ends_with(b"->"));
        self.flag("tag", before.ends_with(b"<"));
        let mark = |n: usize| {
            after.iter().filter(|b| !matches!(b, b'"' | b'\'' | b'`' | b' ')).nth(n).copied().unwrap_or(b'\n')
        };
        self.flag("then-comma", mark(0) == b',');
        self.flag("then-bracket", matches!(mark(0), b')' | b']' | b'}'));
        self.flag("then-semicolon", mark(0) == b';');
        self.flag("then-plus", matches!(mark(0), b'+' | b'.'));
        self.flag("then-open", matches!(mark(0), b'(' | b'['));
        self.flag("then-end", mark(0) == b'\n' || mark(0) == b'\r');
        self.flag("then-colon", matches!(mark(0), b':' | b'='));
        self.flag("then-word", mark(0).is_ascii_alphanumeric());
        self.flags("line", IN_LINE, &Text::of(&around));
        let near_start = line_start.saturating_sub(240);
        let mut near: Vec<u8> = bytes[near_start..line_start].to_ascii_lowercase();
        near.extend(bytes[line_end..bytes.len().min(line_end + 160)].iter().map(u8::to_ascii_lowercase));
        self.flags("near", &["user", "host", "port", "password", "email", "test", "example"], &Text::of(&near));
        let text = &bytes[site.value.clone()];
        let window = &bytes[site.value.start.saturating_sub(REPEATS)..bytes.len().min(site.value.end + REPEATS)];
        let repeats = if text.len() < 200 { memchr::memmem::find_iter(window, text).take(6).count() } else { 1 };
        self.add("repeats", repeats as f32);
        let user = site.user.clone().map_or(&b""[..], |user| &bytes[user]);
        self.flag("user-equals-password", !user.is_empty() && user == text);
        self.host(site, after);
    }
}

/// The last word of a name: after the last separator or capital.
fn last_word(name: &[u8]) -> Vec<u8> {
    let trimmed = name.len() - name.iter().rev().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
    let name = &name[..trimmed];
    let boundary = name.iter().rposition(|b| matches!(b, b'_' | b'-' | b'.')).map_or(0, |n| n + 1);
    let word = &name[boundary..];
    let mixed = word.iter().any(u8::is_ascii_lowercase);
    let camel = if mixed { word.iter().rposition(u8::is_ascii_uppercase).unwrap_or(0) } else { 0 };
    word[camel..].to_ascii_lowercase()
}

/// Longest run of bytes of a class.
fn run(text: &[u8], class: fn(&u8) -> bool) -> f32 {
    text.split(|b| !class(b)).map(<[u8]>::len).max().unwrap_or(0) as f32
}

/// Longest run of one byte.
fn same(text: &[u8]) -> f32 {
    text.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap_or(0) as f32
}

/// Longest run that climbs or falls by one: `abcd`, `4321`.
fn steps(text: &[u8]) -> f32 {
    let up = text.chunk_by(|a, b| b.wrapping_sub(*a) == 1).map(<[u8]>::len).max().unwrap_or(0);
    let down = text.chunk_by(|a, b| a.wrapping_sub(*b) == 1).map(<[u8]>::len).max().unwrap_or(0);
    up.max(down) as f32
}

fn ends_in_digits(text: &[u8]) -> bool {
    let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && digits < text.len() && text[..text.len() - digits].iter().all(u8::is_ascii_alphabetic)
}
