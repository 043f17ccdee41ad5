//! The only reader of time and randomness, so that everything else can be repeated in a test.

use jiff::Timestamp;
use uuid::Uuid;

use crate::secret::SecretValue;

/// The present moment, UTC.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("because without randomness no new credential may be made");
    bytes
}

/// A new random identifier for a case or an operation.
pub fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(random()).into_uuid()
}

/// A new password: `length` characters, evenly drawn from `alphabet` (ASCII, at most 256 characters).
pub fn new_password(length: usize, alphabet: &[u8]) -> SecretValue {
    assert!(!alphabet.is_empty() && alphabet.len() <= 256, "an alphabet has 1 to 256 characters");
    // Bytes at or above the largest multiple of the alphabet's size would favour its first characters.
    let limit = 256 - 256 % alphabet.len();
    let mut password = Vec::with_capacity(length);
    while password.len() < length {
        for byte in random::<64>() {
            if usize::from(byte) < limit && password.len() < length {
                password.push(alphabet[usize::from(byte) % alphabet.len()]);
            }
        }
    }
    SecretValue::new(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_the_asked_length_and_alphabet() {
        let password = new_password(40, b"abc");
        assert_eq!(password.len(), 40);
        assert!(password.expose().iter().all(|b| b"abc".contains(b)));
        assert_ne!(new_password(40, b"abcdefgh"), new_password(40, b"abcdefgh"));
    }
}
