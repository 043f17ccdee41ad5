//! A sentence that somebody signs with the key of his own offkey folder: "I approve this plan".

use data_encoding::BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::checkpoint::{Signer, key_id};

/// A signed text. The text itself is not inside: whoever checks it knows what should have been signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Public key, base64.
    pub key: String,
    /// Signature, base64.
    pub signature: String,
}

impl Signed {
    /// Signs a text whose first line names its form.
    pub fn new(signer: &Signer, text: &str) -> Self {
        Self { key: BASE64.encode(&signer.public_key()), signature: BASE64.encode(&signer.sign_text(text)) }
    }

    /// The id of the key that signed exactly this text; `None` when the signature does not fit.
    pub fn signer_of(&self, text: &str) -> Option<String> {
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).ok();
        let public: [u8; 32] = bytes(&self.key)?.try_into().ok()?;
        let signature = Signature::from_bytes(&bytes(&self.signature)?.try_into().ok()?);
        let key = VerifyingKey::from_bytes(&public).ok()?;
        key.verify_strict(text.as_bytes(), &signature).ok()?;
        Some(key_id(&public))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretValue;

    #[test]
    fn only_the_signed_text_fits() {
        let signer = Signer::new(&SecretValue::new([3u8; 32])).expect("32 bytes");
        let signed = Signed::new(&signer, "I approve");
        assert_eq!(signed.signer_of("I approve"), Some(signer.key_id()));
        assert_eq!(signed.signer_of("I approve."), None);
        let other = Signer::new(&SecretValue::new([4u8; 32])).expect("32 bytes");
        let forged = Signed { key: Signed::new(&other, "").key, ..signed };
        assert_eq!(forged.signer_of("I approve"), None);
    }
}
