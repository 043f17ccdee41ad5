//! Words that speak for or against a secret, and how natural a text is.

/// Log-likelihood of letter triples in names and prose, 27 × 27 × 27 (`a`–`z` and "no letter"), one printable character each:
/// `'!'` is the least likely. Made by `scripts/train-ranker.py` from words of ordinary source code, not from labelled values.
static TRIPLES: &[u8] = include_bytes!("trigrams.txt");

/// Mean naturalness of the letters of a text, 0 (random) to 1 (like words); 0.5 for a text without three letters in a row.
pub(super) fn naturalness(text: &[u8]) -> f32 {
    let code = |b: u8| if b.is_ascii_alphabetic() { usize::from((b | 0x20) - b'a') } else { 26 };
    let (mut sum, mut count) = (0u32, 0u32);
    let (mut a, mut b) = (26, 26);
    for (at, byte) in text.iter().copied().chain(std::iter::once(b' ')).enumerate() {
        let mut c = code(byte);
        // A capital after a small letter starts a word.
        let starts = byte.is_ascii_uppercase() && at > 0 && text[at - 1].is_ascii_lowercase();
        if starts {
            (a, b) = (b, 26);
        }
        if c != 26 || b != 26 {
            let index = (a * 27 + b) * 27 + c;
            sum += u32::from(TRIPLES[index] - b'!');
            count += 1;
        } else {
            c = 26;
        }
        (a, b) = (b, c);
    }
    if count < 3 { 0.5 } else { sum as f32 / count as f32 / 60.0 }
}

/// How common a triple is in words of source code, 0 to 60; bytes that are no letters are all the same.
pub(in crate::detect) fn commonness(triple: [u8; 3]) -> u32 {
    let code = |b: u8| if b.is_ascii_alphabetic() { usize::from((b | 0x20) - b'a') } else { 26 };
    let [a, b, c] = triple.map(code);
    if (a, b, c) == (26, 26, 26) {
        return 30;
    }
    u32::from(TRIPLES[(a * 27 + b) * 27 + c] - b'!').min(60)
}

/// Whether a text holds a word. For short texts, where preparing a searcher costs more than the search.
pub(super) fn has(text: &[u8], word: &[u8]) -> bool {
    let Some((first, rest)) = word.split_first() else { return true };
    let Some(last) = text.len().checked_sub(rest.len()) else { return false };
    memchr::memchr_iter(*first, &text[..last]).any(|at| text[at + 1..].starts_with(rest))
}

/// Words of names; each is a feature of its own.
pub(super) const IN_NAME: &[&str] = &[
    "pass",
    "passw",
    "secret",
    "token",
    "key",
    "auth",
    "sign",
    "user",
    "encrypt",
    "consumer",
    "signature",
    "id",
    "word",
    "public",
    "crypted",
    "hash",
    "expected",
    "confirm",
    "keyid",
    "clientid",
    "cert",
    "mock",
    "access",
];

/// Words of the line around the value.
pub(super) const IN_LINE: &[&str] = &[
    "example",
    "user",
    "localhost",
    "if ",
    "header",
    "authorization",
    "hash",
    "encode",
    "--",
    "run",
    "def ",
    "assert",
    "expect",
    "test",
];

/// Words of the value.
pub(super) const IN_VALUE: &[&str] = &[
    "pass", "secret", "abc", "123", "1234", "12345", "http", "password", "test", "token", "my", "your", "example",
    "key",
];

/// Words of a value that is meant to be refused, or to stand for another.
pub(super) const REFUSED: &[&str] = &[
    "invalid",
    "wrong",
    "incorrect",
    "bad",
    "fail",
    "mismatch",
    "unauthorized",
    "fake",
    "mock",
    "sample",
    "dummy",
    "placeholder",
];

/// Values that the whole world uses.
pub(super) const WEAK: &[&str] = &[
    "password",
    "123456",
    "12345678",
    "1234",
    "12345",
    "123456789",
    "test",
    "secret",
    "admin",
    "root",
    "pass",
    "changeme",
    "guest",
    "user",
    "qwerty",
    "postgres",
    "mysql",
    "letmein",
    "default",
    "foobar",
    "foo",
    "bar",
    "abc123",
    "passwd",
    "p@ssw0rd",
    "password1",
    "password123",
    "welcome",
    "test123",
    "testing",
    "testpass",
    "hello",
    "demo",
    "token",
    "key",
    "mypassword",
    "pwd",
    "public",
    "example",
];
