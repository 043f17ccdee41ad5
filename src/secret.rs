//! Values that must not leak, and the only thing that may be said about them: a keyed fingerprint.
//!
//! Invariant: nothing here implements `Serialize` or `Display` for a value, and `Debug` never shows one.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A secret value in memory: wiped on drop, redacted in `Debug`, not serialisable.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes ownership of the bytes; the caller should not keep another copy.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The raw bytes. Every call site is a place where a leak could start: keep them few.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, if it is UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretValue {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValue({} bytes)", self.0.len())
    }
}

/// Keyed hash of a value: the same in git, chat and vault, useless without the key.
///
/// HMAC-SHA-256 cut to 16 bytes. It never includes a location, so that equal values are one credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A fingerprint read back from a ledger or log.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The first eight hex digits: enough for a person to tell credentials of one case apart.
    pub fn short(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0[..4])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fp:{}", data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("fp:").unwrap_or(text);
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
        match bytes.and_then(|b| <[u8; 16]>::try_from(b).ok()) {
            Some(bytes) => Ok(Self(bytes)),
            None => Err(crate::error::Error::user(format!("{text} is not a fingerprint"))
                .next("A fingerprint is fp: and 32 hexadecimal digits, as reports print it.")),
        }
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("not a fingerprint"))
    }
}

/// Makes fingerprints. Holds the key, so it is as secret as a value.
#[derive(Clone)]
pub struct Fingerprinter(Hmac<Sha256>);

impl Fingerprinter {
    /// `key` should be at least 32 random bytes, kept outside the case.
    pub fn new(key: &SecretValue) -> Self {
        Self(Hmac::new_from_slice(key.expose()).expect("because HMAC takes a key of any length"))
    }

    /// The fingerprint of a value.
    pub fn fingerprint(&self, value: &[u8]) -> Fingerprint {
        let mut mac = self.0.clone();
        mac.update(value);
        let full = mac.finalize().into_bytes();
        let mut cut = [0; 16];
        cut.copy_from_slice(&full[..16]);
        Fingerprint(cut)
    }
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter(key hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_value() {
        let value = SecretValue::new("hunter2");
        assert_eq!(format!("{value:?}"), "SecretValue(7 bytes)");
    }

    #[test]
    fn a_fingerprint_depends_on_key_and_value_only_and_survives_text() {
        let one = Fingerprinter::new(&SecretValue::new("key one"));
        let two = Fingerprinter::new(&SecretValue::new("key two"));
        assert_eq!(one.fingerprint(b"v"), one.clone().fingerprint(b"v"));
        assert_ne!(one.fingerprint(b"v"), one.fingerprint(b"w"));
        assert_ne!(one.fingerprint(b"v"), two.fingerprint(b"v"));
        let print = one.fingerprint(b"v");
        assert_eq!(print.to_string().parse::<Fingerprint>().expect("parses"), print);
    }
}
