//! A slow hash for guessable values: whoever holds an export and its key has to pay for every guess.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Fingerprint;

/// Rounds of PBKDF2 with HMAC-SHA-256: some ten milliseconds a guess, paid by the gate only for guessable values.
pub(super) const ROUNDS: u32 = 1 << 16;

/// What stands in an export instead of the fingerprint of a guessable value. It is made from the fingerprint, because a
/// ledger has no value; to try a guess one still needs the key and all rounds.
pub(super) fn slow(fingerprint: &Fingerprint, rounds: u32) -> Fingerprint {
    let keyed = Hmac::<Sha256>::new_from_slice(fingerprint.as_bytes()).expect("because HMAC takes a key of any length");
    let round = |input: &[&[u8]]| {
        let mut mac = keyed.clone();
        input.iter().for_each(|part| mac.update(part));
        <[u8; 32]>::from(mac.finalize().into_bytes())
    };
    let mut last = round(&[b"offkey-ledger/1 guessable", &1u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..rounds {
        last = round(&[&last]);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    let mut cut = [0; 16];
    cut.copy_from_slice(&sum[..16]);
    Fingerprint::from_bytes(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another implementation: Python's hashlib.pbkdf2_hmac("sha256", bytes([7] * 16), salt, rounds, 16).
    #[test]
    fn it_is_pbkdf2() {
        let one = Fingerprint::from_bytes([7; 16]);
        assert_eq!(slow(&one, 1).to_string(), "fp:ef6a40df34cf409b40e2d2fad77ead39");
        assert_eq!(slow(&one, 1000).to_string(), "fp:04aecf9b7eed92d99beee9a5c04d5bab");
    }
}
