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

/// A text that many words are looked for in. It knows which pairs of bytes it holds, so that most words are told absent
/// without a search.
pub(super) struct Text<'a> {
    text: &'a [u8],
    pairs: [u64; 32],
}

impl<'a> Text<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        let mut pairs = [0; 32];
        for pair in text.windows(2) {
            let (at, bit) = place(pair[0], pair[1]);
            pairs[at] |= bit;
        }
        Self { text, pairs }
    }

    /// Whether it holds a word of two bytes or more.
    pub(super) fn has(&self, word: &str) -> bool {
        let holds = |a: u8, b: u8| {
            let (at, bit) = place(a, b);
            self.pairs[at] & bit != 0
        };
        match *word.as_bytes() {
            [a, b] => holds(a, b) && has(self.text, &[a, b]),
            [a, b, .., y, z] => holds(a, b) && holds(y, z) && has(self.text, word.as_bytes()),
            [a, b, c] => holds(a, b) && holds(b, c) && has(self.text, &[a, b, c]),
            _ => has(self.text, word.as_bytes()),
        }
    }
}

/// Where a pair of bytes is noted: words are small letters, whose last five bits tell them apart.
fn place(a: u8, b: u8) -> (usize, u64) {
    let pair = usize::from(a & 31) << 5 | usize::from(b & 31) | usize::from(a >> 6 & 1) << 10;
    (pair >> 6, 1 << (pair & 63))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_has_the_words_that_a_search_finds(text in "[ab0-9 A]{0,40}", word in "[ab0A]{1,5}") {
            prop_assert_eq!(Text::of(text.as_bytes()).has(&word), text.contains(&word));
        }
    }
}
