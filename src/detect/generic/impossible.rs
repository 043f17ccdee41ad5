//! What cannot be a secret at all, whatever name it stands under: each filter by its name.

use super::{Quote, Site};
use crate::detect::filter;

/// What a filter looks at.
struct Look<'a> {
    bytes: &'a [u8],
    site: &'a Site,
    name: &'a [u8],
    value: &'a [u8],
}

impl Look<'_> {
    fn has(&self, word: &[u8]) -> bool {
        memchr::memmem::find(self.value, word).is_some()
    }

    fn starts(&self, all: &[&[u8]]) -> bool {
        all.iter().any(|start| self.value.starts_with(start))
    }

    fn bare(&self) -> bool {
        self.site.quote == Quote::Bare
    }
}

type Filter = (&'static str, fn(&Look<'_>) -> bool);

/// In the order in which they are asked; the first that knows a value names it.
const FILTERS: [Filter; 19] = [
    ("too-short", |look| look.value.len() < if look.bare() { 4 } else { 3 }),
    ("password-hash", |look| hashed(look.value)),
    ("encrypted", |look| encrypted(look.value)),
    ("public", |look| public(look.value, look.name)),
    ("documentation", |look| documentation(look)),
    ("for-one-request", |look| one_request(look)),
    ("pattern", |look| pattern(look.value)),
    ("name-of-a-thing", |look| look.value.starts_with(b"urn:uuid:") || resource(look) || address(look.value)),
    ("date", |look| date(look.value)),
    ("digest", |look| look.starts(&[b"hmac-sha256:", b"sha256:", b"sha1:", b"md5:"])),
    ("cut-off", |look| look.value.ends_with(b"...") || look.value.ends_with("\u{2026}".as_bytes())),
    ("behind-a-scheme", |look| behind_a_scheme(look.value)),
    ("alphabet", |look| filter::alphabet(look.value)),
    ("more-than-a-line", |look| look.value.contains(&b'\n') && look.site.quote != Quote::Backtick),
    ("reference", |look| reference(look.value, look.bare())),
    ("mask", |look| look.value.iter().all(|b| b"*.xX-_ ?#=/\\0".contains(b))),
    ("punctuation", |look| look.value.iter().filter(|b| b.is_ascii_alphanumeric() || **b >= 0x80).count() < 3),
    ("keyword", |look| look.bare() && nothing(look.value)),
    ("prose", |look| {
        look.value.len() > 60 && look.value.iter().filter(|b| **b == b' ').count() * 12 > look.value.len()
    }),
];

/// Why this cannot be a secret at all: the filter's name.
pub(super) fn impossible(site: &Site, bytes: &[u8]) -> Option<&'static str> {
    let (name, value) = (&bytes[site.name.clone()], &bytes[site.value.clone()]);
    let look = Look { bytes, site, name, value };
    FILTERS.iter().find(|(_, knows)| knows(&look)).map(|(name, _)| *name)
}

/// Names that stand where a value would and mean "none".
const NOTHING: &[&[u8]] = &[
    b"true",
    b"false",
    b"null",
    b"none",
    b"nil",
    b"undefined",
    b"self",
    b"this",
    b"string",
    b"str",
    b"bool",
    b"int",
    b"bytes",
    b"yes",
    b"no",
    b"required",
    b"optional",
    b"void",
    b"return",
    b"new",
    b"function",
    b"func",
    b"async",
    b"await",
    b"const",
    b"var",
    b"let",
    b"if",
    b"else",
    b"not",
    b"and",
    b"or",
    b"in",
    b"is",
    b"object",
    b"number",
    b"boolean",
    b"any",
    b"unset",
    b"text",
    b"varchar",
];

fn nothing(value: &[u8]) -> bool {
    value.len() < 10 && NOTHING.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// What manuals print to be replaced or copied, and what stands for a signed request.
fn documentation(look: &Look<'_>) -> bool {
    look.has(b"EXAMPLE")
        // The UUID that manuals print.
        || look.has(b"550e8400-e29b-41d4-a716-44665544")
        || decoded_example(look.value)
        || look.has(b"<<") && look.has(b">>")
}

/// What follows the scheme is read as such, without it.
fn behind_a_scheme(value: &[u8]) -> bool {
    let starts = |scheme: &&[u8]| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    [&b"basic "[..], b"bearer ", b"digest "].iter().any(starts)
}

/// Whether a value is what SOPS, Hiera (`ENC[…]`), Jasypt (`ENC(…)`), Spring (`{cipher}…`), Ansible and Vault's transit engine
/// leave of a secret in a file: nobody reads it without a key that is not there.
fn encrypted(value: &[u8]) -> bool {
    let around = |start: &[u8], end: &[u8]| value.starts_with(start) && value.ends_with(end) && value.len() > 12;
    let transit = value.strip_prefix(b"vault:v").is_some_and(|rest| {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        digits > 0 && rest.get(digits) == Some(&b':')
    });
    around(b"ENC[", b"]")
        || around(b"ENC(", b")")
        || around(b"{cipher}", b"")
        || around(b"$ANSIBLE_VAULT;", b"")
        || transit
}

/// Whether this is a password hash: rules for hashes know each by name, it is no password.
fn hashed(value: &[u8]) -> bool {
    let crypt: &[&[u8]] = &[
        b"$2a$", b"$2b$", b"$2x$", b"$2y$", b"$1$", b"$5$", b"$6$", b"$y$", b"$apr1$", b"$argon2", b"$P$", b"$H$",
        b"$S$",
    ];
    let named: &[&[u8]] = &[
        b"{SSHA",
        b"{SHA",
        b"{CRYPT}",
        b"{MD5}",
        b"{SMD5}",
        b"{PBKDF2",
        b"{bcrypt}",
        b"pbkdf2_",
        b"pbkdf2:",
        b"scrypt:",
        b"phpass:",
        b"bcrypt$",
        b"bcrypt_sha256$",
        b"sha1$",
        b"sha256$",
        b"sha512$",
        b"md5$",
        b"argon2$",
        b"sha256:",
        b"sha512:",
    ];
    value.len() >= 20 && crypt.iter().chain(named).any(|start| value.starts_with(start))
}

/// Public halves, certificates and prints of keys: by the first bytes of their DER form in base64, or by the name.
fn public(value: &[u8], name: &[u8]) -> bool {
    let der: &[&[u8]] = &[
        b"MFww",
        b"MFkw",
        b"MHYwEAYH",
        b"MIGbMBAG",
        b"MIGfMA0GCSqGSIb3DQEB",
        b"MIIBIjAN",
        b"MIICIjAN",
        b"MIIBCgKCAQEA",
        b"MCowBQYDK2V",
        b"-----BEGIN PUBLIC",
        b"-----BEGIN RSA PUBLIC",
        b"-----BEGIN CERT",
        b"-----BEGIN PGP PUBLIC",
        b"LS0tLS1CRUdJTiBDRVJU",
        b"LS0tLS1CRUdJTiBQVUJM",
    ];
    let letters: Vec<u8> = name.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let ssh: &[&[u8]] = &[b"ssh-rsa ", b"ssh-ed25519 ", b"ecdsa-sha2-"];
    let names: &[&[u8]] = &[b"publickey", b"pubkey", b"fingerprint", b"thumbprint", b"keyhash"];
    ssh.iter().any(|start| value.starts_with(start))
        || value.len() >= 32 && der.iter().any(|start| value.starts_with(start))
        || names.iter().any(|word| memchr::memmem::find(&letters, word).is_some())
}

/// The documentation's sample in base64, as a Kubernetes Secret holds it.
fn decoded_example(value: &[u8]) -> bool {
    (16..400).contains(&value.len())
        && value.len().is_multiple_of(4)
        && data_encoding::BASE64
            .decode(value)
            .is_ok_and(|plain| plain.is_ascii() && memchr::memmem::find(&plain, b"EXAMPLE").is_some())
}

/// Names of values that both sides make anew for every request: the handshake of a WebSocket (RFC 6455), the server's half of
/// a log-in by digest (RFC 2831), tokens that prove where a form came from, signatures.
fn one_request(look: &Look<'_>) -> bool {
    const NAMES: [&str; 9] = [
        "sec-websocket-key",
        "sec-websocket-accept",
        "rspauth",
        "authenticity_token",
        "csrfmiddlewaretoken",
        // Azure signs a request so, the other two name the key that a request was signed with.
        "SharedKey",
        "SharedKeyLite",
        "X-Amz-Credential",
        "X-Goog-Credential",
    ];
    let before = &look.bytes[look.site.name.start.saturating_sub(400)..look.site.name.start];
    let signed = |word: &[u8]| memchr::memmem::find(before, word).is_some();
    NAMES.iter().any(|word| look.name.eq_ignore_ascii_case(word.as_bytes()))
        || look.value.starts_with(b"Signature ")
        || look.has(b"aws4_request")
        || look.name.eq_ignore_ascii_case(b"signature")
            && look.value.len() >= 64
            && (signed(b"aws4_request") || signed(b"AWS4-"))
}

/// A regular expression: it says what a value has to look like.
fn pattern(value: &[u8]) -> bool {
    if memchr::memchr3(b'[', b'(', b'\\', value).is_none() {
        return false;
    }
    let has = |sign: &[u8]| memchr::memmem::find(value, sign).is_some();
    let class = has(b"[0-9]") || has(b"[a-z") || has(b"[A-Z") || has(b"[^") || has(b"\\d") || has(b"\\w");
    let ends = value.starts_with(b"^") || value.ends_with(b"$") || has(b"]{") || has(b"]+") || has(b"]*");
    has(b"(?:") || has(b"(?P<") || class && ends
}

/// The name of a resource of AWS, whole or from `secretsmanager:` on.
fn resource(look: &Look<'_>) -> bool {
    let before = &look.bytes[look.site.name.start.saturating_sub(12)..look.site.name.start];
    look.value.starts_with(b"arn:") && look.value.iter().filter(|b| **b == b':').count() >= 4
        || [&b"arn:aws:"[..], b"arn:aws-cn:"].iter().any(|start| before.ends_with(start))
}

/// A day or a moment: `2019-06-15T13:12:06Z`, `2019-06-15`.
fn date(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value).unwrap_or_default();
    (10..40).contains(&value.len())
        && value[4] == b'-'
        && (text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok())
}

/// Where an object lies in memory, as Ruby and Python print it: `0x00007f8b1c0a2d48>`.
fn address(value: &[u8]) -> bool {
    let Some(digits) = value.strip_prefix(b"0x") else { return false };
    let length = digits.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    length >= 6 && digits.get(length) == Some(&b'>')
}

/// A variable, a template expression, a placeholder in angle brackets.
fn reference(value: &[u8], bare: bool) -> bool {
    let starts: &[&[u8]] =
        &[b"${", b"$(", b"{{", b"%(", b"#{", b"<%", b"%{", b"@{", b"{%", b"$[", b"process.env", b"os.environ", b"{$"];
    if starts.iter().any(|start| value.starts_with(start)) {
        return true;
    }
    // `$9$…` is no variable: devices seal their passwords so.
    let variable = value.starts_with(b"$") && !value.get(1).is_some_and(u8::is_ascii_digit);
    if bare && (variable || value.starts_with(b"&") || value.starts_with(b"!") && value.len() < 12) {
        return true;
    }
    if value.starts_with(b"$")
        && value[1..].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && !value[1].is_ascii_digit()
    {
        return true;
    }
    if value.starts_with(b"<") && value.ends_with(b">")
        || value.starts_with(b"{") && value.ends_with(b"}") && !value.contains(&b':') && !sealed(value)
    {
        return true;
    }
    if value.starts_with(b"%") && value.ends_with(b"%") || value.starts_with(b"[") && value.ends_with(b"]") {
        return true;
    }
    // a bare path through objects: `config.redis.password`
    bare && value.contains(&b'.')
        && value.split(|b| *b == b'.').all(|part| {
            !part.is_empty()
                && part.len() < 40
                && part[0].is_ascii_alphabetic()
                && part.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_')
        })
}

/// What Jenkins and Maven write in braces, sealed with a key of their own: base64 of several blocks.
fn sealed(value: &[u8]) -> bool {
    value.len() >= 40 && data_encoding::BASE64.decode(&value[1..value.len() - 1]).is_ok()
}

#[cfg(test)]
mod tests {
    use crate::detect::{Detector, Options};
    use crate::rule::{RuleSet, expand};

    fn secrets(template: &str) -> Vec<String> {
        let text = expand(template, "value", None).expect("because the template is well-formed");
        let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::from(0.5)).expect("rules are checked");
        let mut all = Vec::new();
        detector.scan(text.as_bytes(), None, &mut all);
        all.iter().map(|found| found.secret.expose_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn what_names_a_thing_or_a_form_is_no_secret() {
        for text in [
            "lockToken: \"urn:uuid:<<hex:8>>-f3ac-cdef-456c-<<hex:12>>\"\n",
            "  \"authenticity_token\"=>\"<<hex:40>>\"\n",
            "password=0x00007f8b1c0a2d48>\n",
        ] {
            assert!(secrets(text).is_empty(), "{text}: {:?}", secrets(text));
        }
        assert_eq!(secrets("access_token: \"<<hex:40>>\"\n").len(), 1);
    }

    #[test]
    fn a_pattern_tells_what_a_value_has_to_look_like() {
        for pattern in [&b"^(?:4[0-9]{12}(?:[0-9]{3})?)$"[..], b"^[a-zA-Z0-9]+$", b"\\d{4}-[0-9]{6}$", b"^[^@]+@[a-z]+"]
        {
            assert!(super::pattern(pattern), "{}", String::from_utf8_lossy(pattern));
        }
        for value in [&b"x[0]9a^Kd$"[..], b"p^4sW[rd]", b"a]{b", b"Tr0ub4dor&3$"] {
            assert!(!super::pattern(value), "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn what_is_encrypted_or_names_a_resource_is_no_secret() {
        for value in [
            "ENC[AES256_GCM,data:<<b64:16>>,iv:<<b64:40>>,tag:<<b64:22>>,type:str]",
            "ENC(<<b64:40>>)",
            "{cipher}<<hex:64>>",
            "vault:v1:<<b64:60>>",
            "arn:gcp:kms:antarctica-north-2::key/45e6-aca6-a5b005693a48",
        ] {
            assert!(secrets(&format!("db_password = \"{value}\"\n")).is_empty(), "{value}");
        }
        for line in [
            "Authorization: SharedKey account:<<b64:43>>=\n",
            "password_last_used: 2019-06-15T13:12:06Z\n",
            "secret: arn:aws:secretsmanager:us-west-2:123456789012:secret:Mine-<<an:6>>\n",
            "client_token: \"hmac-sha256:<<hex:64>>\"\n",
            "Authorization: Signature version=\"1\",headers=\"date\",signature=\"<<b64:40>>\"\n",
        ] {
            assert!(secrets(line).is_empty(), "{line}: {:?}", secrets(line));
        }
        assert_eq!(secrets("db_password = \"vault:<<an:20>>\"\n").len(), 1);
    }
}
