//! Values that look like nothing but a password: where a sentence, a command or a name says plainly that one stands here, they
//! need no likeness to what the ranker has learnt from.

use super::{Kind, Operator, Site};

/// How much a value looks like a password and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// A word, a name, a number, an expression: anything.
    Weak,
    /// Letters in both cases with digits, or letters and digits in turns: hardly a word.
    Chosen,
    /// The same with specials, or more turns: no word of any language or program.
    Strong,
}

/// Parts of names that mix letters and digits, and of values that stand for others.
const ORDINARY: &[&[u8]] = &[
    b"sha1",
    b"sha2",
    b"sha3",
    b"sha5",
    b"md5",
    b"utf8",
    b"utf-8",
    b"utf1",
    b"oauth",
    b"base64",
    b"base32",
    b"ipv4",
    b"ipv6",
    b"x509",
    b"http",
    b"aes1",
    b"aes2",
    b"pbkdf2",
    b"bcrypt",
    b"pkcs",
    b"win32",
    b"win64",
    b"x86",
    b"k8s",
    b"log4j",
    b"ascii",
    b"latin",
    b"rsa1",
    b"rsa2",
    b"rsa4",
    b"rfc",
    b"iso8",
    b"password",
    b"passw",
    b"secret",
    b"example",
    b"changeme",
    b"your",
    b"dummy",
    b"sample",
    b"test",
    b"token",
    b"user",
    b"foo",
    b"xxx",
    b"1234",
    b"abc",
    b"insert",
    b"replace",
    b"todo",
    b"value",
    b"string",
    b"field",
    b"wrong",
    b"invalid",
    b"hello",
    b"h264",
    b"h265",
    b"mp3",
    b"mp4",
    b"html5",
    b"css3",
    b"es6",
    b"ssw0rd",
    b"auth",
    b"demo",
    b"qwert",
    b"column",
    b"admin",
    b"type",
    b"name",
    b"null",
    b"none",
];

/// See [`Strength`].
pub(super) fn strength(value: &[u8]) -> Strength {
    if !(8..=64).contains(&value.len()) || !value.iter().all(u8::is_ascii_graphic) {
        return Strength::Weak;
    }
    let count = |class: fn(&u8) -> bool| value.iter().filter(|b| class(b)).count();
    let (lower, upper) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    let (digits, specials) = (count(u8::is_ascii_digit), count(u8::is_ascii_punctuation));
    if digits == 0 || lower + upper < 3 || lower + upper + digits < 2 * specials || expression(value) {
        return Strength::Weak;
    }
    let small = value.to_ascii_lowercase();
    let plain: Vec<u8> = small.iter().map(|b| undisguised(*b)).collect();
    if ORDINARY.iter().any(|word| super::words::has(&small, word) || word.len() > 4 && super::words::has(&plain, word))
    {
        return Strength::Weak;
    }
    let turn = |pair: &[u8]| pair[0].is_ascii_digit() != pair[1].is_ascii_digit();
    let turns = value.windows(2).filter(|pair| turn(pair)).count();
    let marks = value.iter().filter(|b| b.is_ascii_punctuation() && !b"-_.+".contains(b)).count();
    let run = value.split(|b| !b.is_ascii_alphabetic()).map(<[u8]>::len).max().unwrap_or_default();
    let tail = value.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    match (lower > 0 && upper > 0, marks) {
        (true, 1..) => Strength::Strong,
        (true, 0) if turns >= 4 && run <= 4 => Strength::Strong,
        (true, 0) if value.len() <= 20 && (tail >= 2 || run <= 4 && turns > 2) => Strength::Chosen,
        (false, 1..) if turns >= 3 => Strength::Strong,
        (false, 1..) => Strength::Chosen,
        // Digests have lengths of their own; short ones name commits.
        (false, _) if turns >= 4 && specials == 0 && (!hex || matches!(value.len(), 14..=30)) => Strength::Chosen,
        _ => Strength::Weak,
    }
}

/// Small letters, capitals and digits in turns, which a program draws and nobody says: enough where the grammar of a command says that
/// a password stands here.
pub(super) fn mixed(value: &[u8]) -> bool {
    let class = |b: &u8| (b.is_ascii_uppercase(), b.is_ascii_digit());
    let turns = value.windows(2).filter(|pair| class(&pair[0]) != class(&pair[1])).count();
    let has = |class: fn(&u8) -> bool| value.iter().any(class);
    let classes = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    let small = value.to_ascii_lowercase();
    (8..=64).contains(&value.len())
        && value.iter().all(u8::is_ascii_alphanumeric)
        && classes
        && turns >= 4
        && !ORDINARY.iter().any(|word| super::words::has(&small, word))
}

/// The letter that a digit or mark stands for where people disguise a word: `5up3r53cr37`.
fn undisguised(byte: u8) -> u8 {
    match byte {
        b'0' => b'o',
        b'1' | b'!' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        other => other,
    }
}

/// Whether this is a part of a program, a path, an address, a file or a version.
fn expression(value: &[u8]) -> bool {
    let outer = |b: &u8| b"$/.-%&<+*~:=@".contains(b);
    value.iter().any(|b| b"()[]{}<>\"'`\\,;|".contains(b))
        || value.first().is_some_and(|b| b"$/.-%&+~:=@#!?^|".contains(b))
        || value.last().is_some_and(|b| outer(b) && b"/:=-".contains(b))
        || value.contains(&b'/')
        || matches!(value, [b'0', b'x', ..] | [b'Z', b'0'..=b'9', ..])
        || value[0].is_ascii_digit() && value.windows(2).any(|pair| pair[0] == b'.' && pair[1].is_ascii_digit())
        || value.contains(&b':')
        || value.contains(&b'=')
        || value.windows(3).any(|three| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit))
        || value.windows(2).any(|pair| matches!(pair, b"->" | b"&&" | b"${" | b"%s" | b"%d"))
        || value.iter().position(|b| *b == b'@').is_some_and(|at| value[at..].contains(&b'.'))
        || value.iter().position(|b| *b == b'.').is_some_and(|_| {
            value.split(|b| *b == b'.').all(|part| part.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)))
        })
}

/// Least probability of a site that says that it holds a password and whose value looks like one.
pub(super) fn floor(site: &Site, bytes: &[u8]) -> f32 {
    if site.sure > 0.0 {
        return site.sure;
    }
    let strength = strength(&bytes[site.value.clone()]);
    let (strong, chosen) = match site.kind {
        Kind::Sql => (0.8, 0.65),
        Kind::Curl => (0.75, 0.6),
        Kind::Url => (0.65, 0.55),
        Kind::Assignment => named(site, bytes),
        Kind::Basic | Kind::Bearer | Kind::Rule => (0.0, 0.0),
    };
    match strength {
        Strength::Strong => strong,
        Strength::Chosen => chosen,
        Strength::Weak => 0.0,
    }
}

/// The same for a name and a value, of either strength.
fn named(site: &Site, bytes: &[u8]) -> (f32, f32) {
    let name = &bytes[site.name.clone()];
    if site.in_call && log_in(name) {
        return if site.nth > 0 { (0.75, 0.6) } else { (0.0, 0.0) };
    }
    if !password(name) {
        return (0.0, 0.0);
    }
    match site.operator {
        Operator::Phrase => (0.8, 0.6),
        Operator::Compare | Operator::None => (0.0, 0.0),
        Operator::Comma if !stored(&bytes[..site.name.start]) => (0.0, 0.0),
        Operator::Attribute | Operator::Element => (0.65, 0.55),
        _ if site.nth < 2 => (0.6, 0.0),
        _ => (0.0, 0.0),
    }
}

/// Whether a call takes a user and then a password: `SetBasicAuth("svc", "x")`.
fn log_in(name: &[u8]) -> bool {
    let small: Vec<u8> = name.iter().filter(|b| **b != b'_').map(u8::to_ascii_lowercase).collect();
    ["basicauth", "passwordcredential", "passwordauthentication", "networkcredential", "pscredential"]
        .iter()
        .any(|word| super::words::has(&small, word.as_bytes()))
}

/// Whether a call before a name keeps what follows under that name: `put("password", "x")`.
fn stored(before: &[u8]) -> bool {
    let small = before[before.len().saturating_sub(40)..].to_ascii_lowercase();
    ["put", "set", "add", "env", "prop", "append", "param", "define", "config", "field"]
        .iter()
        .any(|word| super::words::has(&small, word.as_bytes()))
}

/// Whether a name is that of a password itself, not of something about it.
fn password(name: &[u8]) -> bool {
    let small = name.to_ascii_lowercase();
    let has = |word: &str| super::words::has(&small, word.as_bytes());
    let about = [
        "hash", "salt", "policy", "regex", "pattern", "field", "label", "hint", "file", "path", "url", "min", "max",
        "len", "enc", "crypt", "reset", "type", "name", "valid", "error", "wrong", "bad", "column", "message",
        "expire", "public", "id",
    ];
    let ends = |word: &str| {
        small.ends_with(word.as_bytes())
            && small
                .len()
                .checked_sub(word.len() + 1)
                .is_none_or(|at| !small[at].is_ascii_alphabetic() || name[at + 1].is_ascii_uppercase())
    };
    let named = ["passw", "pwd", "passphrase", "senha", "contrase", "wachtwoord", "kennwort", "haslo", "requirepass"]
        .iter()
        .any(|word| has(word));
    (named
        || !name.is_ascii()
        || small.ends_with(b"pw")
        || small.ends_with(b"secret")
        || ["pass", "psk"].iter().any(|word| ends(word)))
        && !about.iter().any(|word| has(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_choose_is_told_from_names_and_numbers() {
        for value in ["Tq7#vLm2xR9w", "k9vQw2Lm8xRt", "zU4!pe9Kd_0s", "Winter2024!", "m4yB3-N0tT0day"] {
            assert_eq!(strength(value.as_bytes()), Strength::Strong, "{value}");
        }
        for value in ["Herbst-Regen42", "RiverStone88"] {
            assert_eq!(strength(value.as_bytes()), Strength::Chosen, "{value}");
        }
        for value in [
            "password",
            "getValue2()",
            "sha256Digest",
            "OAuth2Token",
            "v1.2.3-rc1",
            "us-east-1",
            "db01.corp.example",
            "10.0.0.12",
            "item-0042",
            "Unknown1",
            "ShowActivity2",
            "CliV1ToV2MigrationDebugMode",
            "memchr2+SWAR",
            "4.13+dfsg1-1+deb12u1",
            concat!("5up3r", "53cr37"),
            concat!("b7f3c91e0d", "5a4826aabbccdd7788001122334455"),
            "/var/lib/x2",
            "alice2@corp.example",
            "2024-01-01",
            "${DB_PASS1}",
            "12:30:01",
        ] {
            assert_eq!(strength(value.as_bytes()), Strength::Weak, "{value}");
        }
    }
}
