//! Values that are no secret by what everybody can see: their own text or name denies it, or the manual that they come from.

use super::filter;
use super::place::Doubt;
use super::vendor::words;

/// What speaks against a value without a shape of its own, whatever the ranker thinks of it.
pub(super) fn doubt(name: &[u8], value: &[u8]) -> Option<Doubt> {
    type Filter = (fn(&[u8], &[u8]) -> bool, Doubt);
    const FILTERS: [Filter; 6] = [
        (|name, _| denied(name), (0.3, "the-name-denies-it")),
        (|_, value| wrong_on_purpose(value), (0.3, "wrong-on-purpose")),
        (|_, value| filter::name_behind_a_colon(value), (0.4, "camel-case")),
        (key_fingerprint, (0.4, "fingerprint")),
        (|_, value| place_of_a_secret(value), (0.4, "address-of-a-secret")),
        (|_, value| no_uuid(value), (0.4, "like-a-uuid-but-none")),
    ];
    FILTERS.iter().find(|(knows, _)| knows(name, value)).map(|(_, doubt)| *doubt)
}

/// Words in a name that say its value is not the one that opens something: `nonMatchingToken`, `wrong_password`.
const DENYING: &[&str] = &["wrong", "incorrect", "mismatched", "mismatching", "nonmatching", "malformed"];

fn denied(name: &[u8]) -> bool {
    let words = words(name);
    let negated = |pair: &[String]| matches!(pair[0].as_str(), "non" | "not") && pair[1].starts_with("match");
    words.iter().any(|word| DENYING.contains(&word.as_str())) || words.windows(2).any(negated)
}

/// An address without a user and without parameters: it says where a secret lies (`http://barbican:9311/v1/secrets/…`).
fn place_of_a_secret(value: &[u8]) -> bool {
    let rest = value.strip_prefix(b"http://").or(value.strip_prefix(b"https://"));
    rest.is_some_and(|rest| memchr::memchr3(b'@', b'?', b'=', rest).is_none())
}

/// Forty capital hexadecimal digits, with or without blanks, under a name that says no more than `key`: how OpenPGP's programs
/// print the fingerprint of a key.
fn key_fingerprint(name: &[u8], value: &[u8]) -> bool {
    let digit = |b: &u8| b.is_ascii_digit() || (b'A'..=b'F').contains(b);
    let secret = ["secret", "private", "api", "access", "token", "auth", "password", "sign"];
    value.iter().filter(|b| digit(b)).count() == 40
        && value.iter().all(|b| digit(b) || *b == b' ')
        && words(name).last().is_some_and(|word| word.starts_with("key"))
        && !words(name).iter().any(|word| secret.contains(&word.as_str()))
}

/// A password that a test enters to be turned away: `wrongpass`, `incorrect-password`. Nobody chooses such a one to be let in.
fn wrong_on_purpose(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let rest = [&b"wrong"[..], b"incorrect", b"nottheright"].iter().find_map(|start| lower.strip_prefix(*start));
    rest.is_some_and(|rest| rest.len() <= 12 && rest.iter().all(|b| b.is_ascii_alphabetic() || b" _-!".contains(b)))
}

/// Five groups as a UUID has them at the end of a value, with letters that no UUID has: made up by somebody who typed.
fn no_uuid(value: &[u8]) -> bool {
    let Some(tail) = value.len().checked_sub(36).map(|start| &value[start..]) else { return false };
    let hyphens = [8, 13, 18, 23];
    let grouped =
        (0..36).all(|at| if hyphens.contains(&at) { tail[at] == b'-' } else { tail[at].is_ascii_alphanumeric() });
    grouped && tail.iter().any(|b| b.is_ascii_alphanumeric() && !b.is_ascii_hexdigit())
}

/// Words that stand for a user or a password in every manual, and open nothing together.
const STAND_INS: &[&str] =
    &["user", "username", "login", "password", "passwd", "pass", "pwd", "foo", "bar", "baz", "test"];

fn stands_in(word: &[u8]) -> bool {
    STAND_INS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether user and password of a URL stand for others: `redis://user:password@localhost`, `redis://default:PASSWORD@host`.
/// `before` ends where the password starts.
pub(super) fn in_url(before: &[u8], password: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b":") else { return false };
    let user = &before[before.len() - before.iter().rev().take(20).take_while(|b| b.is_ascii_alphanumeric()).count()..];
    let url = before[..before.len() - user.len()].ends_with(b"://");
    url && (stands_in(user) && stands_in(password) || matches!(password, b"PASSWORD" | b"PASSWD" | b"PASS"))
}

/// Whether a log-in in base64 holds such a pair, or a name and no password. `told` says that the value is such a log-in;
/// elsewhere the word `Basic` in front says so.
pub(super) fn in_basic(value: &[u8], told: bool) -> bool {
    let Some(bare) = value.strip_prefix(b"Basic ").or(told.then_some(value)) else { return false };
    let plain = data_encoding::BASE64.decode(bare).unwrap_or_default();
    let Some(colon) = memchr::memchr(b':', &plain) else { return false };
    let (user, password) = (&plain[..colon], &plain[colon + 1..]);
    let name = user.len() < 12 && user.iter().all(u8::is_ascii_alphabetic);
    name && password.is_empty() || stands_in(user) && stands_in(password)
}

/// Whether the marks of a private key stand around code that writes one: a call or a template instead of letters.
pub(super) fn key_of_code(value: &[u8]) -> bool {
    let body = value.splitn(3, |b| *b == b'\n').nth(1).unwrap_or(value);
    value.starts_with(b"-----BEGIN")
        && body.len() < 400
        && [&b"("[..], b"{{", b"${", b"%s"].iter().any(|sign| memchr::memmem::find(body, sign).is_some())
}

/// Whether a value is a name of code, not one of chance: three or more words in one case, without a digit, with `-` or `_`
/// between them (`md-footer-nav__link--next`, `USER_OAUTH_TOKEN_SECRET`).
pub(super) fn is_name(value: &[u8]) -> bool {
    let of = |letter: fn(&u8) -> bool| value.iter().all(|b| letter(b) || matches!(b, b'-' | b'_'));
    let words = value.split(|b| matches!(b, b'-' | b'_')).filter(|word| !word.is_empty());
    let long = words.clone().any(|word| word.len() > 14 || !filter::spoken(word));
    (of(u8::is_ascii_lowercase) || of(u8::is_ascii_uppercase)) && !long && words.count() >= 3
}

/// Values that standards and manuals print for everybody to copy: the first eight bytes of their SHA-256, so that no
/// scanner finds them here.
const PUBLISHED: &[u64] = &[
    // RFC 6455, 1.3: the nonce of the sample handshake and the answer to it.
    0x15ce_f4b6_29cc_2d07,
    0x507e_2ce3_c522_082b,
    // RFC 7617, 2, and RFC 2617 before it: the password of Aladdin, both log-ins in base64.
    0x41ef_4bb0_b236_61e6,
    0xcf4d_418e_d3de_92d7,
    0x687d_a00b_09c8_3361,
    // RFC 7616, 3.9.1, and RFC 2617, 3.5: the password of Mufasa.
    0x3a96_6e85_0a23_5bff,
    0x19f0_704d_4a78_f5ea,
    // RFC 6749: client secrets, log-ins of clients, codes and tokens.
    0xe997_4c50_7d2a_8021,
    0x584b_27d6_4ebc_1b33,
    0x53f5_da0a_aa93_d64c,
    0xca74_59e2_b267_76de,
    0x6c96_130f_130a_b0d6,
    0x00cf_4c78_1dc3_7003,
    // RFC 6750, 2: a bearer token.
    0xb8e1_4854_5b13_c78b,
    // RFC 5849 and OAuth Core 1.0, appendix A: secrets of a client and of its tokens.
    0xc20f_bc2b_9618_3894,
    0xb87d_ad10_a32a_2d81,
    0xcb87_c87e_4a13_8d9a,
    0x649e_1f5c_769e_718b,
    0x6aa1_4267_d949_44e6,
    // GitHub, pages on authorizing OAuth apps and on user tokens of GitHub apps.
    0xbc3a_e723_f57c_6b9e,
    0x82e7_4299_544e_0073,
    // Microsoft, the page on nuget.config.
    0xdba7_2c00_f41f_4e4c,
    0xa070_2bc9_1d69_9f60,
    // Stripe, keys of the account that its API reference shows to everybody.
    0x2caf_c097_0149_a84f,
    0xf2d6_ca16_5150_33e5,
];

/// Whether a standard or its vendor's own manual prints this value.
pub(super) fn published(value: &[u8]) -> bool {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(value);
    let head = digest.first_chunk::<8>().expect("because the digest has 32 bytes");
    PUBLISHED.contains(&u64::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_value_denies_itself() {
        for name in ["nonMatchingToken", "wrong_password", "incorrectPassword", "not-matching-secret"] {
            assert!(denied(name.as_bytes()), "{name}");
        }
        for name in ["matchingToken", "password", "NOT_A_TOKEN", "bad_apple_key", "secret_non_prod"] {
            assert!(!denied(name.as_bytes()), "{name}");
        }
        assert!(wrong_on_purpose(b"wrongpass") && wrong_on_purpose(b"Incorrect password"));
        assert!(!wrong_on_purpose(b"Wrong7turn!x9") && !wrong_on_purpose(b"rightorwrong"));
    }

    #[test]
    fn a_made_up_uuid_is_told_from_a_real_one() {
        assert!(no_uuid(b"px-d4c3b2a1-f6e5-h8g7-j1i8-p5o0n5m3l2k1"));
        assert!(!no_uuid(b"d4c3b2a1-f6e5-a8b7-c1d8-e5f0a5b3c2d1") && !no_uuid(b"zz"));
    }

    #[test]
    fn fingerprints_and_keys_made_by_code_are_told() {
        let digits = "0123456789ABCDEF0123456789ABCDEF01234567";
        assert!(key_fingerprint(b"key", digits.as_bytes()) && key_fingerprint(b"gpg_key", digits.as_bytes()));
        assert!(!key_fingerprint(b"secret_key", digits.as_bytes()) && !key_fingerprint(b"token", digits.as_bytes()));
        assert!(!key_fingerprint(b"key", digits.to_ascii_lowercase().as_bytes()));
        let (head, tail) = ("-----BEGIN PRIVATE KEY-----\\n", "-----END PRIVATE KEY-----");
        assert!(key_of_code(format!("{head}\")\n  lines(key)\n  put(\"{tail}").as_bytes()));
        assert!(key_of_code(format!("{head}{{{{ .key }}}}\\n{tail}").as_bytes()));
        assert!(!key_of_code(format!("{head}\" +\n  \"MIIE\" +\n  \"{tail}").as_bytes()));
    }

    #[test]
    fn stand_ins_are_no_log_in() {
        assert!(in_url(b"redis://user:", b"password") && in_url(b"x = 'ftp://username:", b"Passwd"));
        assert!(in_url(b"redis://default:", b"PASSWORD") && !in_url(b"redis://default:", b"password"));
        assert!(!in_url(b"redis://user:", b"tiger7") && !in_url(b"user:", b"password") && !in_url(b"", b"pass"));
        let basic = |text: &str| in_basic(data_encoding::BASE64.encode(text.as_bytes()).as_bytes(), true);
        assert!(basic("foo:bar") && basic("test:test") && basic("alice:"));
        assert!(!basic("alice:tiger7") && !basic("admin:password") && !basic("4f8a1c0e2b7d9f:") && !basic("user"));
        assert!(in_basic(b"Basic dXNlcjo=", false) && !in_basic(b"dXNlcjo=", false));
    }

    #[test]
    fn samples_of_standards_are_known() {
        assert!(
            published(concat!("open", " sesame").as_bytes()) && published(concat!("mF_9.", "B5f-4.1JqM").as_bytes())
        );
        assert!(!published(b"open sesame!") && !published(b""));
    }
}
