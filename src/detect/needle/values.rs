//! Exact values in one piece of memory each for values and labels, so that a million of them take little more than their bytes.

use std::borrow::Cow;

use zeroize::Zeroize;

use super::{Needle, Refused, SHORTEST};
/// Values that half the world uses: a hit would say nothing.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "changeme",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "qwerty",
    "secret",
    "localhost",
    "default",
    "example",
    "postgres",
];

/// Exact values to look for, without those that are no use. Wiped on drop.
#[derive(Default)]
pub struct Values {
    /// All values, one after the other.
    bytes: Vec<u8>,
    /// Where each value ends.
    ends: Vec<u32>,
    /// The first ones are lines of a file of this name, with these numbers.
    file: String,
    lines: Vec<u32>,
    /// The labels of the others, one after the other, and where each ends.
    labels: String,
    label_ends: Vec<u32>,
    refused: Vec<Refused>,
}

impl Drop for Values {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl Values {
    /// One value a line of `text`, which becomes the memory of the values; empty lines do not count, line ends of either kind are no
    /// part of a value. A value is labelled with `name`, which says where the text comes from, and the number of its line.
    pub fn lines(name: &str, text: Vec<u8>) -> Self {
        let count = memchr::memchr_iter(b'\n', &text).count() + 1;
        let mut values = Self::with_room(count);
        (values.bytes, values.file) = (text, name.to_owned());
        values.lines.reserve_exact(count);
        let (mut kept, mut from) = (0, 0);
        for number in 1.. {
            let Some(rest) = values.bytes.get(from..).filter(|rest| !rest.is_empty()) else { break };
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
            let whole = from..from + line.len();
            from += length + 1;
            match refusal(line) {
                _ if line.is_empty() => {}
                Some(why) => values.refused.push(Refused { label: numbered(name, number), why }),
                None => {
                    let end = kept + line.len();
                    values.bytes.copy_within(whole, kept);
                    kept = end;
                    values.ends.push(place(end));
                    values.lines.push(number);
                }
            }
        }
        values.bytes[kept..].zeroize();
        values.bytes.truncate(kept);
        values
    }

    fn with_room(count: usize) -> Values {
        let mut values = Self::default();
        values.ends.reserve_exact(count);
        values
    }

    /// Takes one more value, or refuses it.
    pub fn push(&mut self, needle: &Needle) {
        let value = needle.value.expose();
        if let Some(why) = refusal(value) {
            self.refused.push(Refused { label: needle.label.clone(), why });
            return;
        }
        // A vector that grows leaves its old memory as it is.
        if self.bytes.capacity() - self.bytes.len() < value.len() {
            let mut larger = Vec::with_capacity((self.bytes.len() + value.len()) * 2);
            larger.extend_from_slice(&self.bytes);
            std::mem::replace(&mut self.bytes, larger).zeroize();
        }
        self.bytes.extend_from_slice(value);
        self.ends.push(place(self.bytes.len()));
        self.labels.push_str(&needle.label);
        self.label_ends.push(place(self.labels.len()));
    }

    /// How many values are looked for.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Values that are not searched for.
    pub(super) fn refused(&self) -> &[Refused] {
        &self.refused
    }

    pub(super) fn value(&self, at: usize) -> &[u8] {
        &self.bytes[start(&self.ends, at)..self.ends[at] as usize]
    }

    pub(super) fn label(&self, at: usize) -> Cow<'_, str> {
        match self.lines.get(at) {
            Some(line) => numbered(&self.file, *line).into(),
            None => {
                let at = at - self.lines.len();
                self.labels[start(&self.label_ends, at)..self.label_ends[at] as usize].into()
            }
        }
    }
}

impl From<Vec<Needle>> for Values {
    fn from(all: Vec<Needle>) -> Self {
        let mut values = Self::with_room(all.len());
        values.bytes.reserve_exact(all.iter().map(|needle| needle.value.len()).sum());
        all.iter().for_each(|needle| values.push(needle));
        values
    }
}

fn numbered(name: &str, line: u32) -> String {
    format!("{name}:{line}")
}

/// Where one of several pieces starts, by where each ends.
fn start(ends: &[u32], at: usize) -> usize {
    at.checked_sub(1).map_or(0, |before| ends[before] as usize)
}

/// A place in an arena.
///
/// # Panics
/// When the needles of one run take more than four gigabytes.
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("because the needles of one case take less than four gigabytes")
}

/// Why a value is no use as a needle.
fn refusal(value: &[u8]) -> Option<&'static str> {
    if value.len() < SHORTEST {
        Some("shorter than six characters, it would occur by chance")
    } else if COMMON.iter().any(|common| value.eq_ignore_ascii_case(common.as_bytes())) {
        Some("a value that half the world uses, a hit would say nothing")
    } else if value.iter().all(|byte| *byte == value[0]) {
        Some("one repeated character, it would occur by chance")
    } else if value.iter().all(u8::is_ascii_digit) && value.len() < 8 {
        Some("a short number, it would occur by chance")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretValue;

    #[test]
    fn useless_needles_are_refused_with_the_reason() {
        let needle = |value: &str| Needle { label: "l".to_owned(), value: SecretValue::new(value) };
        let values = Values::from(vec![needle("abc"), needle("Password"), needle("aaaaaaaa"), needle("1234567")]);
        assert_eq!(values.refused().len(), 4);
        assert!(values.is_empty());
    }

    #[test]
    fn lines_of_a_file_are_values_with_their_number() {
        let mut values = Values::lines("keys.txt", b"k9vQw2Lm\r\n\nabc\nzz top 77".to_vec());
        values.push(&Needle { label: "bao:x".to_owned(), value: SecretValue::new("Tr0ub4dor&3") });
        let all: Vec<_> = (0..values.len()).map(|at| (values.label(at), values.value(at))).collect();
        let wanted: [(&str, &[u8]); 3] =
            [("keys.txt:1", b"k9vQw2Lm"), ("keys.txt:4", b"zz top 77"), ("bao:x", b"Tr0ub4dor&3")];
        assert_eq!(all.iter().map(|(label, value)| (label.as_ref(), *value)).collect::<Vec<_>>(), wanted);
        assert_eq!(values.refused()[0].label, "keys.txt:3");
    }
}
