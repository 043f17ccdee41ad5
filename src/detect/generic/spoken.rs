//! What people say and write down: "the password is …", "mot de passe : …", "use … as the password", "login: shop / …", and tables
//! with a column of passwords. The word may be of any of many languages; the value must look like a password, because between
//! the two stands whatever people say.

use std::ops::Range;

use super::chosen::{Strength, strength};
use super::{Kind, Operator, Site};

/// Words for a password and for a log-in. Of words that may start with a capital letter outside ASCII the rest stands here.
pub(super) const WORDS: &[&str] = &[
    "pass",
    "pwd",
    "pw",
    "kennwort",
    "mdp",
    "contrase",
    "clave",
    "senha",
    "wachtwoord",
    "haslo",
    "has\u{142}o",
    "l\u{f6}senord",
    "adgangskode",
    "salasana",
    "heslo",
    "ifre",
    "parola",
    "jelsz\u{f3}",
    "lozinka",
    "\u{3c9}\u{3b4}\u{3b9}\u{3ba}",
    "kata sandi",
    "t kh\u{1ea9}u",
    "\u{e23}\u{e2b}\u{e31}\u{e2a}\u{e1c}\u{e48}\u{e32}\u{e19}",
    "\u{5e1}\u{5d9}\u{5e1}\u{5de}\u{5d4}",
    "\u{645}\u{631}\u{648}\u{631}",
    "\u{92a}\u{93e}\u{938}\u{935}\u{930}\u{94d}\u{921}",
    "\u{430}\u{440}\u{43e}\u{43b}",
    "\u{5bc6}\u{7801}",
    "\u{5bc6}\u{78bc}",
    "\u{53e3}\u{4ee4}",
    "\u{6697}\u{8a3c}",
    "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}",
    "\u{be44}\u{bc00}\u{bc88}\u{d638}",
    "\u{be44}\u{bc88}",
    "\u{d328}\u{c2a4}\u{c6cc}\u{b4dc}",
    "login",
    "creds",
    "credential",
    "zugangsdaten",
    "zugang",
    "identifiant",
    "credencia",
];

/// Ends of words that start with `pass`.
const ENDS: &[&str] =
    &["", "word", "words", "wort", "wortes", "w\u{f6}rter", "wd", "phrase", "code", "e", "ord", "ordet"];

/// Words between the name and the value that join them.
const VERBS: &[&str] = &[
    "is",
    "was",
    "to",
    "now",
    "ist",
    "lautet",
    "war",
    "auf",
    "est",
    "c'est",
    "es",
    "era",
    "\u{e9}",
    "\u{e8}",
    "\u{e4}r",
    "er",
    "on",
    "je",
    "to",
    "este",
    "are",
    "sind",
    "\u{442}\u{435}\u{43f}\u{435}\u{440}\u{44c}",
    "with",
    "mit",
    "l\u{e0}",
    "\u{2014}",
];

/// Words behind a value that join it to the name that follows.
const AS: &[&str] =
    &["as", "for", "als", "comme", "como", "come", "is", "ist", "est", "es", "jako", "som", "para", "pour", "f\u{fc}r"];

/// Bytes behind and before a word that may hold its value.
const REACH: usize = 110;

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], keyword: Range<usize>, visit: &mut dyn FnMut(Site)) {
    if !digits(bytes, &keyword) {
        return;
    }
    let Some(word) = word(bytes, &keyword) else { return };
    let mut say = |value: Range<usize>, sure: f32| {
        let mut site = Site::new(Kind::Assignment, word.clone(), value);
        (site.operator, site.sure) = (Operator::Phrase, sure);
        visit(site);
    };
    if table(bytes, &word, &mut say) {
        return;
    }
    if sample(&bytes[..word.start]) {
        return;
    }
    if let Some((value, sure)) = behind(bytes, &word) {
        say(value, sure);
    } else if let Some(value) = before(bytes, &word) {
        say(value, 0.7);
    }
}

/// The word around a keyword; nothing for a part of a name in a program.
fn word(bytes: &[u8], keyword: &Range<usize>) -> Option<Range<usize>> {
    let letter = |b: &&u8| b.is_ascii_alphabetic() || **b >= 0x80;
    let own = &bytes[keyword.clone()];
    let ascii = own.is_ascii();
    // Scripts without blanks between words go on with the next word.
    let spaced = ascii || own.iter().find(|b| **b >= 0x80).is_some_and(|b| *b < 0xe0);
    let tail = bytes[keyword.end..].iter().take(12).take_while(|b| spaced && letter(b)).count();
    let end = keyword.end + tail;
    let after = bytes.get(end).copied().unwrap_or(b' ');
    if ascii && (after.is_ascii_alphanumeric() || b"_(.];\\/<>{}$&".contains(&after)) {
        return None;
    }
    let start =
        keyword.start - bytes[..keyword.start].iter().rev().take(24).take_while(|b| letter(b) || **b == b'-').count();
    let before = start.checked_sub(1).map_or(b' ', |at| bytes[at]);
    if bytes[start] == b'-' || before.is_ascii_alphanumeric() || b"_.$@&%/\\<".contains(&before) {
        return None;
    }
    if !ascii {
        return Some(start..end);
    }
    let inner = after == b'-' && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric);
    if inner || after == b')' && before != b'(' {
        return None;
    }
    let rest = &bytes[keyword.end..end];
    let known = match own.len() {
        4 if own.eq_ignore_ascii_case(b"pass") => {
            // The result of a test, and a verb.
            let other = rest.is_empty() && (own == b"PASS" || !says(&bytes[end..]));
            !other && ENDS.iter().any(|known| rest.eq_ignore_ascii_case(known.as_bytes()))
        }
        2 | 3 => rest.is_empty() || rest == b"s",
        _ => tail <= 4,
    };
    let end = if bytes[end..].starts_with(b"'s ") { end + 2 } else { end };
    known.then_some(start..end)
}

/// Whether anything near a word could be a value: none is without a digit. A table has its values in other lines.
fn digits(bytes: &[u8], keyword: &Range<usize>) -> bool {
    let near = &bytes[keyword.start.saturating_sub(REACH)..bytes.len().min(keyword.end + 2 * REACH)];
    near.iter().any(u8::is_ascii_digit)
}

/// Whether a joining word or mark stands next.
fn says(rest: &[u8]) -> bool {
    let rest = rest[..rest.len().min(24)].trim_ascii_start();
    let first = rest.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    separator(rest).is_some() || rest.first().is_some_and(|b| b"`\"'|,".contains(b)) || is_one_of(first, VERBS)
}

/// The value behind a word and how sure it is.
fn behind(bytes: &[u8], word: &Range<usize>) -> Option<(Range<usize>, f32)> {
    let line = line(bytes, word.end);
    let limit = line.min(word.end + REACH);
    let foreign = !bytes[word.clone()].is_ascii();
    let login = login(&bytes[word.clone()]);
    let (mut at, mut linked, mut words) = (word.end, false, 0);
    while at < limit {
        let rest = &bytes[at..limit];
        if let Some(length) = decoration(rest) {
            at += length;
            continue;
        }
        if let Some(length) = separator(rest) {
            (at, linked) = (at + length, true);
            continue;
        }
        let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        if at + length == limit && limit < line {
            return None;
        }
        let token = at..at + length;
        if let Some((value, strength)) = value(bytes, token.clone()) {
            // What follows a log-in at once is the name of a user.
            if login && words == 0 && bytes[value.start - 1] != b':' {
                return None;
            }
            let near = words == 0 || foreign && words < 4;
            let sure = match (strength, linked) {
                (Strength::Strong, true) => 0.8,
                (Strength::Strong, false) if near => 0.65,
                (_, true) => 0.6,
                (_, false) if words == 0 && (foreign || user(&bytes[word.start.saturating_sub(60)..word.start])) => {
                    0.55
                }
                _ => return None,
            };
            return Some((value, sure));
        }
        let text = bytes[token].strip_suffix(b":").map_or(&rest[..length], |text| text);
        if !plain(text) || words == 8 {
            return None;
        }
        // A particle of a script without blanks joins, too; a digit in front of a value tells how it is kept.
        let particle = foreign && text.iter().all(|b| *b >= 0x80) && text.first().is_some_and(|b| *b >= 0xe3);
        linked |= particle || is_one_of(text, VERBS) || text.len() < length;
        words += usize::from(!particle && !matches!(text, [b'0'..=b'9']));
        at += length;
    }
    None
}

/// The value before a word: `use … as the password`, `… (password)`.
fn before(bytes: &[u8], word: &Range<usize>) -> Option<Range<usize>> {
    let floor = word.start.saturating_sub(REACH);
    let text = &bytes[floor..word.start];
    let text = &text[memchr::memrchr(b'\n', text).map_or(0, |at| at + 1)..];
    let start = word.start - text.len();
    let mut linked = text.ends_with(b"(");
    let mut end = text.len() - usize::from(linked);
    for _ in 0..5 {
        end = text[..end].trim_ascii_end().len();
        let from = text[..end].iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
        if from == end {
            return None;
        }
        if let Some((value, Strength::Strong)) = value(bytes, start + from..start + end) {
            return linked.then_some(value);
        }
        let token = &text[from..end];
        if !plain(token) {
            return None;
        }
        linked |= is_one_of(token, AS);
        end = from;
    }
    None
}

/// A table whose header has the word in a cell: every value of its column. Whether it is one.
fn table(bytes: &[u8], word: &Range<usize>, say: &mut dyn FnMut(Range<usize>, f32)) -> bool {
    let start = memchr::memrchr(b'\n', &bytes[..word.start]).map_or(0, |at| at + 1);
    let end = line(bytes, word.end);
    let header = &bytes[start..end];
    if login(&bytes[word.clone()]) {
        return false;
    }
    let Some(mark) = b"|\t;,".iter().copied().find(|mark| header.contains(mark)) else { return false };
    let column = memchr::memchr_iter(mark, &bytes[start..word.start]).count();
    let heads = cells(bytes, start..end, mark);
    let titles = |cell: &Range<usize>| {
        let cell = &bytes[cell.clone()];
        cell.len() <= 24 && cell.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || b" _-./()".contains(b))
    };
    let filled = |all: &[Range<usize>]| all.iter().filter(|cell| !cell.is_empty()).count() > 1;
    let own = |cell: &Range<usize>| cell.len() <= word.len() + 10 && cell.start <= word.start && word.end <= cell.end;
    if !filled(&heads) || !heads.iter().all(titles) || !heads.get(column).is_some_and(own) {
        return false;
    }
    // Jira writes heads between two marks, values between one.
    let doubled = header.starts_with(b"||");
    let (column, count) = if doubled { (column.div_ceil(2), heads.len().div_ceil(2)) } else { (column, heads.len()) };
    let mut at = end + 1;
    let mut rows = 0;
    while at < bytes.len() && rows < 60 {
        let end = line(bytes, at);
        let row = cells(bytes, at..end, mark);
        let ruler = bytes[at..end].iter().all(|b| b"|-: \t+=\r".contains(b));
        // The last line of the window may go on.
        if row.len().abs_diff(count) > usize::from(doubled)
            || end == bytes.len() && rows == 0 && !ruler && row.len() <= column
        {
            break;
        }
        if let Some(cell) = row.get(column).filter(|_| !ruler) {
            match strength(&bytes[cell.clone()]) {
                Strength::Strong => say(cell.clone(), 0.75),
                Strength::Chosen => say(cell.clone(), 0.6),
                Strength::Weak => {}
            }
        }
        (at, rows) = (end + 1, rows + 1);
    }
    rows > 0
}

/// Cells of a line, without blanks, quotes and mark-up around them.
fn cells(bytes: &[u8], line: Range<usize>, mark: u8) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut start = line.start;
    let ends = memchr::memchr_iter(mark, &bytes[line.clone()]).map(|at| line.start + at).chain([line.end]);
    for end in ends {
        let (mut from, mut to) = (start, end);
        let around = |b: u8| b.is_ascii_whitespace() || b"\"'`*".contains(&b);
        while from < to && around(bytes[from]) {
            from += 1;
        }
        while to > from && around(bytes[to - 1]) {
            to -= 1;
        }
        all.push(from..to);
        start = end + 1;
    }
    all
}

fn line(bytes: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &bytes[at.min(bytes.len())..]).map_or(bytes.len(), |length| at + length)
}

/// Blanks, quotes and mark-up in front of a value.
fn decoration(rest: &[u8]) -> Option<usize> {
    let wide = ["\u{201c}", "\u{201d}", "\u{201e}", "\u{ab}", "\u{bb}", "\u{300c}", "\u{300e}", "\u{a0}", "\u{3000}"];
    match rest.first()? {
        b' ' | b'\t' | b'*' | b'`' | b'"' | b'\'' | b'_' | b'\r' => Some(1),
        b'(' if rest.len() > 1 => Some(1),
        _ => wide.iter().find(|mark| rest.starts_with(mark.as_bytes())).map(|mark| mark.len()),
    }
}

/// What joins a name and a value without a word.
fn separator(rest: &[u8]) -> Option<usize> {
    let marks: &[&str] =
        &["->", "=>", ":=", ":", "\u{ff1a}", "=", "\u{2192}", "\u{2014}", "\u{2013}", "- ", "/ ", "| ", "| "];
    if rest.starts_with(b"==") || rest.starts_with(b"://") || rest.starts_with(b"::") {
        return None;
    }
    marks.iter().find(|mark| rest.starts_with(mark.as_bytes())).map(|mark| mark.len())
}

/// The part of a token that looks like a password: without what a sentence adds at its end, behind a user name and a colon, between
/// letters of other scripts.
fn value(bytes: &[u8], token: Range<usize>) -> Option<(Range<usize>, Strength)> {
    let text = &bytes[token.clone()];
    let from = text.iter().position(u8::is_ascii_graphic)?;
    let length = text[from..].iter().take_while(|b| b.is_ascii_graphic()).count();
    let mut range = token.start + from..token.start + from + length;
    while !range.is_empty() && b"\"'`(*<".contains(&bytes[range.start]) {
        range.start += 1;
    }
    while !range.is_empty() && b"\"'`).,;:*>".contains(&bytes[range.end - 1]) {
        range.end -= 1;
    }
    if let Some(colon) = memchr::memchr(b':', &bytes[range.clone()])
        && plain(&bytes[range.start..range.start + colon])
    {
        range.start += colon + 1;
    }
    let strength = strength(&bytes[range.clone()]);
    (strength > Strength::Weak).then_some((range, strength))
}

/// A word of a sentence, a name of a host or of a person.
fn plain(token: &[u8]) -> bool {
    let token = token.trim_ascii_end();
    let token = token.strip_suffix(b"\"").or(token.strip_suffix(b"`")).or(token.strip_suffix(b"'")).unwrap_or(token);
    (1..=40).contains(&token.len())
        && token.iter().all(|b| b.is_ascii_alphanumeric() || *b >= 0x80 || b"-'@._".contains(b))
        && !token.ends_with(b".")
}

fn is_one_of(token: &[u8], words: &[&str]) -> bool {
    token.len() < 12 && words.iter().any(|word| token.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a word is one for a log-in, behind which a user stands first.
fn login(word: &[u8]) -> bool {
    let small = word.to_ascii_lowercase();
    ["login", "cred", "zugang", "identifiant"].iter().any(|start| small.starts_with(start.as_bytes()))
}

/// Whether the words before a name say that its value is a sample.
fn sample(before: &[u8]) -> bool {
    let small = before[before.len().saturating_sub(24)..].to_ascii_lowercase();
    ["example", "sample", "e.g.", "invalid", "beispiel", "ejemplo", "exemple", "exemplo", "esempio"]
        .iter()
        .any(|word| super::words::has(&small, word.as_bytes()))
}

/// Whether a text speaks of a user.
fn user(before: &[u8]) -> bool {
    let small = before.to_ascii_lowercase();
    [
        "user",
        "login",
        "benutzer",
        "usuario",
        "usu\u{e1}rio",
        "utilisateur",
        "account",
        "konto",
        "log in",
        "sign in",
        "pin",
    ]
    .iter()
    .any(|word| super::words::has(&small, word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for word in WORDS {
            for (at, _) in text.to_ascii_lowercase().match_indices(word) {
                read(text.as_bytes(), at..at + word.len(), &mut |site| found.push(text[site.value].to_owned()));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    #[test]
    fn sentences_of_many_languages_give_their_password() {
        for sentence in [
            "the password is {}",
            "password for the staging db is {}, please don't share",
            "Password changed to {}",
            "use {} as the password",
            "it's {} (password)",
            "creds are shop / {}",
            "creds: shop:{}",
            "login: shop / {}",
            "das neue Passwort f\u{fc}r den Server lautet: {}",
            "habe das Passwort auf {} ge\u{e4}ndert",
            "le mot de passe est {}",
            "mdp : {}",
            "la contrase\u{f1}a es {}",
            "a senha do banco \u{e9} {}",
            "het wachtwoord is {}",
            "l\u{f6}senordet \u{e4}r {}",
            "\u{41f}\u{430}\u{440}\u{43e}\u{43b}\u{44c} \u{43e}\u{442} \u{431}\u{430}\u{437}\u{44b} {}",
            "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}\u{306f}{}\u{3067}\u{3059}",
            "\u{65b0}\u{3057}\u{3044}\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}\u{306f}\u{300c}{}\u{300d}\u{3067}\u{3059}",
            "\u{5bc6}\u{7801}\u{ff1a}{}",
            "\u{be44}\u{bc00}\u{bc88}\u{d638}\u{b294} {} \u{c785}\u{b2c8}\u{b2e4}",
        ] {
            let value = concat!("Tq7#vLm2", "xR9w");
            assert_eq!(said(&sentence.replace("{}", value)), [value], "{sentence}");
        }
    }

    #[test]
    fn tables_give_the_column_of_their_passwords() {
        let (one, two) = (concat!("Tq7#vLm2", "xR9w"), concat!("k9vQw2", "Lm8xRt"));
        for table in [
            "| user | password |\n|---|---|\n| shop | {1} |\n| etl | `{2}` |\n",
            "host,user,password\ndb01,shop,{1}\ndb02,etl,{2}\n",
            "name\tPasswort\tnote\ndb01\t{1}\tx\ndb02\t{2}\ty\n",
            "||Server||User||Password||\n|db01|shop|{1}|\n|db02|etl|{2}|\n",
        ] {
            assert_eq!(said(&table.replace("{1}", one).replace("{2}", two)), [one, two], "{table}");
        }
    }

    #[test]
    fn talk_about_passwords_gives_nothing() {
        for sentence in [
            "the password is stored in the vault under shop/db01",
            "passwords are hashed with Argon2id and a salt",
            "password: see the wiki page 2024-Q3",
            "login via https://sso.harbourfinch.example/Start2Page9x",
            "getPassword(Foo2Bar3Baz4) returns Qx7Rt2Lm9",
            "{\"login\": \"Rowena49\"}",
            "an example password: Qx7Rt2Lm9w",
            "reset the password. Ticket OPS2-1182aB was closed",
        ] {
            assert_eq!(said(sentence), Vec::<String>::new(), "{sentence}");
        }
    }
}
