//! A signed statement of how long the log was and what its root was: a text of six lines that anybody can check.
//!
//! ```text
//! offkey-log/1
//! 42                    number of entries
//! kE1…=                 root, base64
//! 2026-11-22T10:00:00Z
//! ed25519 lV3…=         public key, base64
//! 9xU…=                 signature over the five lines above, base64
//! ```

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::secret::SecretValue;

/// Signs checkpoints.
pub struct Signer(SigningKey);

impl Signer {
    /// From the 32-byte seed of offkey's own folder.
    ///
    /// # Errors
    /// When the seed has another length.
    pub fn new(seed: &SecretValue) -> Result<Self> {
        let seed: &[u8; 32] = seed
            .expose()
            .try_into()
            .map_err(|_| Error::integrity("the seed of the signing key is not 32 bytes long"))?;
        Ok(Self(SigningKey::from_bytes(seed)))
    }

    /// Short name of the key, to compare by eye or pin in `audit verify --key`.
    pub fn key_id(&self) -> String {
        key_id(self.0.verifying_key().as_bytes())
    }

    /// The public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a text whose first line names its form, so that no signature can be taken for one over another form.
    pub fn sign_text(&self, text: &str) -> [u8; 64] {
        self.0.sign(text.as_bytes()).to_bytes()
    }

    pub(super) fn sign(&self, size: u64, root: &[u8; 32], time: &str) -> Checkpoint {
        let key = self.0.verifying_key().to_bytes();
        let mut checkpoint = Checkpoint { size, root: *root, time: time.to_owned(), key, signature: [0; 64] };
        checkpoint.signature = self.0.sign(checkpoint.signed().as_bytes()).to_bytes();
        checkpoint
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a public key.
pub fn key_id(public: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(public)[..8])
}

/// Whether `signature` over `text` is that of the public key `key`.
pub fn is_signed(key: &[u8; 32], text: &str, signature: &[u8; 64]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(text.as_bytes(), &signature).is_ok())
}

/// A signed tree head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: [u8; 32],
    /// When it was signed, RFC 3339.
    pub time: String,
    /// The public key.
    pub key: [u8; 32],
    signature: [u8; 64],
}

impl Checkpoint {
    fn signed(&self) -> String {
        let (root, key) = (BASE64.encode(&self.root), BASE64.encode(&self.key));
        format!("offkey-log/1\n{}\n{root}\n{}\ned25519 {key}\n", self.size, self.time)
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        format!("{}{}\n", self.signed(), BASE64.encode(&self.signature))
    }

    /// Reads the text form; the signature is not checked yet.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != "offkey-log/1" {
            return None;
        }
        let size = lines.next()?.parse().ok()?;
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).ok();
        let root = bytes(lines.next()?)?.try_into().ok()?;
        let time = lines.next()?.to_owned();
        let key = bytes(lines.next()?.strip_prefix("ed25519 ")?)?.try_into().ok()?;
        let signature = bytes(lines.next()?)?.try_into().ok()?;
        Some(Self { size, root, time, key, signature })
    }

    /// Whether the signature is that of the key inside.
    pub fn is_signed(&self) -> bool {
        is_signed(&self.key, &self.signed(), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_text_and_any_change_breaks_it() {
        let signer = Signer::new(&SecretValue::new([7u8; 32])).expect("32 bytes");
        let checkpoint = signer.sign(3, &[1; 32], "2026-01-01T00:00:00Z");
        let text = checkpoint.to_text();
        assert_eq!(Checkpoint::parse(&text), Some(checkpoint.clone()));
        assert!(checkpoint.is_signed());
        for (from, to) in [("\n3\n", "\n4\n"), ("2026-", "2027-")] {
            let changed = Checkpoint::parse(&text.replacen(from, to, 1)).expect("still of the form");
            assert!(!changed.is_signed());
        }
    }
}
