//! A sealed box of libsodium (`crypto_box_seal`): only the holder of the private key opens it, and it does not tell who wrote it.

use crypto_box::PublicKey;
use crypto_box::aead::rand_core::{self, CryptoRng, RngCore};

use crate::clock;

/// Randomness of this program, as the cryptography wants it.
struct Random;

impl RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(clock::random())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(clock::random())
    }

    fn fill_bytes(&mut self, into: &mut [u8]) {
        for part in into.chunks_mut(32) {
            part.copy_from_slice(&clock::random::<32>()[..part.len()]);
        }
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(into);
        Ok(())
    }
}

impl CryptoRng for Random {}

/// Seals bytes for a public key (X25519).
pub(super) fn seal(key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    PublicKey::from_bytes(*key).seal(&mut Random, bytes).expect("because texts are shorter than what the cipher allows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto_box::SecretKey;

    /// Made with libsodium, for the private key of the bytes 0 to 31.
    const BY_LIBSODIUM: &str =
        "nB4QwJAyW3upHywSyznuyGhImc199DT6VN4+F+IoLXzFMFLzMEHR7OmDIK0EjLXnGMfcUIlgnTtziN1jxrWCfAehoA==";

    #[test]
    fn a_box_of_libsodium_is_of_this_form() {
        let bytes = data_encoding::BASE64.decode(BY_LIBSODIUM.as_bytes()).expect("base64");
        let key = SecretKey::from_bytes(std::array::from_fn(|at| at as u8));
        assert_eq!(key.unseal(&bytes).expect("opened"), b"sealed by libsodium");
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_private_key_only() {
        let key = SecretKey::from_bytes([7; 32]);
        let sealed = seal(key.public_key().as_bytes(), b"a value");
        assert_eq!(sealed.len(), 48 + 7);
        assert_eq!(key.unseal(&sealed).expect("opened"), b"a value");
        assert!(SecretKey::from_bytes([8; 32]).unseal(&sealed).is_err());
        assert_ne!(sealed, seal(key.public_key().as_bytes(), b"a value"), "every box has a key of its own");
    }
}
