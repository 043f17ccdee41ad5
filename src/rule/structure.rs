//! Structure checks: what the format itself proves about a value, without asking anybody.

use data_encoding::{BASE32, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Name of a check, as rule files write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "docs/rule-format.md has the table")]
pub enum Structure {
    #[serde(rename = "github-crc32")]
    GithubCrc32,
    Jwt,
    Pem,
    AwsKeyId,
    Base64,
    #[serde(rename = "base64-json")]
    Base64Json,
    #[serde(rename = "base64-userpass")]
    Base64Userpass,
    Uuid4,
    Bech32,
    #[serde(rename = "base58check")]
    Base58Check,
    Nkey,
    #[serde(rename = "gitlab-crc32")]
    GitlabCrc32,
    Luhn,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The structure is there.
    Sound,
    /// It is not: less likely to be real.
    Doubtful(&'static str),
    /// A documented checksum fails on an otherwise complete token: below the default threshold.
    Broken(&'static str),
}

impl Structure {
    /// Checks a value.
    pub fn verdict(self, value: &[u8]) -> Verdict {
        let or = |sound: bool, why: &'static str| if sound { Verdict::Sound } else { Verdict::Doubtful(why) };
        match self {
            Self::GithubCrc32 if github(value) => Verdict::Sound,
            Self::GithubCrc32 => Verdict::Broken("checksum-fails"),
            Self::GitlabCrc32 => or(gitlab(value), "checksum-fails"),
            Self::Jwt => or(jwt(value), "jwt-does-not-decode"),
            Self::Pem => or(pem(value), "armour-does-not-decode"),
            Self::AwsKeyId => or(aws_account(value).is_some(), "key-id-does-not-decode"),
            Self::Base64 => or(any_base64(value).is_some(), "base64-does-not-decode"),
            Self::Base64Json => {
                let json = any_base64(value).and_then(|v| serde_json::from_slice::<serde_json::Value>(&v).ok());
                or(json.is_some_and(|json| json.is_object()), "base64-holds-no-json")
            }
            Self::Base64Userpass => {
                let decoded = any_base64(value);
                let pair = decoded.as_deref().and_then(|v| std::str::from_utf8(v).ok()?.split_once(':'));
                or(pair.is_some_and(|(user, word)| !user.is_empty() && !word.is_empty()), "base64-holds-no-pair")
            }
            Self::Uuid4 => or(value.get(14) == Some(&b'4'), "not-a-random-uuid"),
            Self::Bech32 => or(bech32(value), "checksum-fails"),
            Self::Base58Check => or(base58check(value), "checksum-fails"),
            Self::Nkey => or(nkey(value), "checksum-fails"),
            Self::Luhn => or(luhn(value), "checksum-fails"),
        }
    }

    /// The checksum that completes `body`, for checks whose examples are made with `<<sum>>`.
    pub fn sum(self, body: &[u8]) -> Option<String> {
        match self {
            Self::GithubCrc32 => {
                body.iter().position(|b| *b == b'_').map(|at| base62(crc32fast::hash(&body[at + 1..])))
            }
            Self::GitlabCrc32 => Some(base36(crc32fast::hash(body))),
            _ => None,
        }
    }
}

/// Six digits of base62, most significant first, digits before capitals before small letters (GitHub's blog, 2021-04-05).
fn base62(mut number: u32) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Seven digits of base36 in small letters.
fn base36(mut number: u32) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 7];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The checksum covers the random part between the underscore and the last six characters.
fn github(value: &[u8]) -> bool {
    let Some(at) = value.iter().position(|b| *b == b'_') else { return false };
    let body = &value[at + 1..];
    body.len() > 6 && base62(crc32fast::hash(&body[..body.len() - 6])).as_bytes() == &body[body.len() - 6..]
}

fn gitlab(value: &[u8]) -> bool {
    value.len() > 7 && base36(crc32fast::hash(&value[..value.len() - 7])).as_bytes() == &value[value.len() - 7..]
}

fn jwt(value: &[u8]) -> bool {
    let mut parts = value.split(|b| *b == b'.');
    let mut object = || {
        let bytes = BASE64URL_NOPAD.decode(parts.next()?).ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok().filter(serde_json::Value::is_object)
    };
    let (Some(header), Some(_)) = (object(), object()) else { return false };
    header.get("alg").and_then(|alg| alg.as_str()).is_some_and(|alg| {
        let known = ["HS", "RS", "ES", "PS"].iter().any(|family| alg.starts_with(family));
        known || alg == "EdDSA" || alg == "none" || alg.starts_with("A") || alg == "dir" || alg.starts_with("ECDH")
    })
}

/// Complete armour whose body is base64 of at least 32 bytes.
fn pem(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = text.replace("\\n", "\n").replace("\\r", "");
    let body: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----") && !line.contains(':') && !line.is_empty() && !line.starts_with('='))
        .collect();
    text.contains("-----END") && any_base64(body.as_bytes()).is_some_and(|bytes| bytes.len() >= 32)
}

/// Account number inside an access key id: 40 bits after the prefix, from bit 1 on, in base32 (seen in public write-ups of
/// the format of ids issued since 2019).
pub(super) fn aws_account(value: &[u8]) -> Option<u64> {
    let decoded = BASE32.decode(value.get(4..20)?).ok()?;
    let number = decoded[..6].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    Some((number & 0x7fff_ffff_ff80) >> 7)
}

fn any_base64(value: &[u8]) -> Option<Vec<u8>> {
    let bare: Vec<u8> = value.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != b'=').collect();
    let tried: [&Encoding; 2] = [&BASE64_NOPAD, &BASE64URL_NOPAD];
    tried.iter().find_map(|encoding| encoding.decode(&bare).ok()).or_else(|| BASE64.decode(value).ok())
}

/// BIP-173 checksum; age keys use it in capitals.
fn bech32(value: &[u8]) -> bool {
    const CHARSET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = value.to_ascii_lowercase();
    let Some(at) = lower.iter().rposition(|b| *b == b'1') else { return false };
    let data: Option<Vec<u32>> =
        lower[at + 1..].iter().map(|b| CHARSET.iter().position(|c| c == b).map(|n| n as u32)).collect();
    let Some(data) = data else { return false };
    let high = lower[..at].iter().map(|b| u32::from(b >> 5));
    let low = lower[..at].iter().map(|b| u32::from(b & 31));
    let mut sum = 1u32;
    for digit in high.chain([0]).chain(low).chain(data) {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ digit;
        for (bit, generator) in
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].into_iter().enumerate()
        {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
    }
    sum == 1
}

/// Base58 with a four-byte double SHA-256 checksum at the end.
fn base58check(value: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::new();
    for digit in value {
        let Some(mut carry) = ALPHABET.iter().position(|c| c == digit) else { return false };
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.insert(0, (carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    let zeros = value.iter().take_while(|b| **b == b'1').count();
    let whole: Vec<u8> = std::iter::repeat_n(0, zeros).chain(bytes).collect();
    whole.len() > 4 && {
        let (body, sum) = whole.split_at(whole.len() - 4);
        Sha256::digest(Sha256::digest(body))[..4] == *sum
    }
}

/// NATS nkeys: base32, last two bytes are CRC-16/XMODEM of the rest, little endian.
fn nkey(value: &[u8]) -> bool {
    let Ok(bytes) = data_encoding::BASE32_NOPAD.decode(value) else { return false };
    if bytes.len() < 4 {
        return false;
    }
    let (body, sum) = bytes.split_at(bytes.len() - 2);
    let crc = body.iter().fold(0u16, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 };
        }
        crc
    });
    crc.to_le_bytes() == *sum
}

fn luhn(value: &[u8]) -> bool {
    let digits: Vec<u32> = value.iter().filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0')).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { (digit * 2) / 10 + (digit * 2) % 10 } else { *digit })
        .sum();
    digits.len() >= 12 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_accept_what_they_made_and_refuse_a_changed_character() {
        let body = "ghp_0123456789abcdefghijABCDEFGHIJ";
        let sum = Structure::GithubCrc32.sum(body.as_bytes()).expect("has a sum");
        let token = format!("{body}{sum}");
        assert_eq!(Structure::GithubCrc32.verdict(token.as_bytes()), Verdict::Sound);
        let wrong = token.replace("ghp_0", "ghp_1");
        assert_eq!(Structure::GithubCrc32.verdict(wrong.as_bytes()), Verdict::Broken("checksum-fails"));
    }

    #[test]
    fn published_vectors_pass() {
        // BIP-173's own example; Bitcoin wiki's example of an address; the account of AWS's documentation key.
        assert!(bech32(b"A12UEL5L"));
        assert!(!bech32(b"A12UEL5M"));
        assert!(base58check(b"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"));
        assert!(!base58check(b"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3"));
        assert_eq!(aws_account(concat!("ASIAQNZ", "GKIQY56JQ7WML").as_bytes()), Some(29_608_264_753));
        assert!(luhn(b"4111 1111 1111 1111"));
    }

    #[test]
    fn a_token_of_three_parts_that_are_not_json_is_doubtful() {
        assert!(matches!(Structure::Jwt.verdict(b"abc.def.ghi"), Verdict::Doubtful(_)));
    }
}
