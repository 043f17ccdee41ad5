//! Where a value starts and ends, in quotes or without.

use std::ops::Range;

use super::{Quote, Site};

/// Longest value that is read as one.
const LONGEST: usize = 1000;

/// A value that was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) range: Range<usize>,
    pub(super) quote: Quote,
    /// First byte after the value and its closing quote.
    pub(super) end: usize,
}

/// Bytes of a name: letters, digits, `_`, `-`.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// First byte from `at` on that is neither space nor tab.
pub(super) fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    let limit = bytes.len().min(at + 80);
    while at < limit && matches!(bytes[at], b' ' | b'\t') {
        at += 1;
    }
    at
}

/// An opening quote at `at`: its kind, the number of backslashes in front of it, and where the content starts.
pub(super) fn opening(bytes: &[u8], at: usize) -> Option<(Quote, usize, usize)> {
    let slashes = bytes[at..].iter().take(8).take_while(|b| **b == b'\\').count();
    match bytes.get(at + slashes)? {
        b'"' if slashes == 0 => Some((Quote::Double, 0, at + 1)),
        b'\'' if slashes == 0 => Some((Quote::Single, 0, at + 1)),
        b'`' if slashes == 0 => Some((Quote::Backtick, 0, at + 1)),
        b'"' | b'\'' => Some((Quote::Escaped, slashes, at + slashes + 1)),
        b'&' if bytes[at..].starts_with(b"&quot;") => Some((Quote::Escaped, 0, at + 6)),
        _ => None,
    }
}

/// Reads a quoted value whose opening quote stands at `at`; the value ends on the same line.
pub(super) fn quoted(bytes: &[u8], at: usize) -> Option<Read> {
    let (quote, slashes, start) = opening(bytes, at)?;
    if bytes[at..].starts_with(b"&quot;") {
        let line = &bytes[start..bytes.len().min(start + LONGEST)];
        let length = memchr::memmem::find(line, b"&quot;")?;
        return (!line[..length].contains(&b'\n')).then_some(Read {
            range: start..start + length,
            quote,
            end: start + length + 6,
        });
    }
    let mark = bytes[start - 1];
    let triple = slashes == 0 && bytes[start..].starts_with(&[mark, mark]);
    let start = if triple { start + 2 } else { start };
    let limit = bytes.len().min(start + LONGEST);
    let mut run = 0;
    let mut at = start;
    while at < limit {
        match bytes[at] {
            b'\n' if !triple && quote != Quote::Backtick => return None,
            b'\\' => run += 1,
            byte if byte == mark => {
                // The closing quote carries as many backslashes as the opening one.
                let closes = if slashes == 0 { run % 2 == 0 } else { run <= slashes };
                if closes {
                    let end = at - run.min(slashes);
                    return Some(Read {
                        range: start..end,
                        quote,
                        end: if triple { (at + 3).min(bytes.len()) } else { at + 1 },
                    });
                }
                run = 0;
            }
            _ => run = 0,
        }
        at += 1;
    }
    None
}

/// Reads a value without quotes. In a line of a configuration file it may hold anything but blanks; elsewhere it ends at the
/// first byte that ends an expression.
pub(super) fn bare(bytes: &[u8], at: usize, whole_line: bool) -> Option<Read> {
    let limit = bytes.len().min(at + LONGEST);
    let blank = |b: u8| b.is_ascii_whitespace() || b == 0;
    let line: usize = bytes[at..limit].iter().position(|b| blank(*b)).map_or(limit, |n| at + n);
    if whole_line {
        let mut rest = skip_blanks(bytes, line);
        if bytes.get(rest) == Some(&b'\\') && bytes.get(rest + 1).is_none_or(|b| matches!(b, b'\n' | b'\r' | b'n')) {
            rest += 1;
        }
        let ends = bytes.get(rest).is_none_or(|b| matches!(b, b'\n' | b'\r' | b'#'))
            || bytes[rest..].starts_with(b"//")
            || bytes[rest..].starts_with(b"&&");
        if ends {
            let mut end = line;
            while end > at && matches!(bytes[end - 1], b',' | b';' | b'"' | b'\'' | b'`') {
                end -= 1;
            }
            // The string around it ends, and then the call: `send('user=x&password=y')`.
            if let Some(mark) = memchr::memchr3(b'"', b'\'', b'`', &bytes[at..end]).map(|n| at + n)
                && bytes[mark..end].iter().all(|b| b"\"'`)]};,".contains(b))
            {
                end = mark;
                while bytes[at..end].ends_with(b"\\n") || bytes[at..end].ends_with(b"\\r") {
                    end -= 2;
                }
            }
            end -= brackets(bytes, at..end);
            // A parameter without a value behind it.
            end -= usize::from(end > at && bytes[end - 1] == b'&');
            if let Some(next) = setting(&bytes[at..end]).or_else(|| tag(&bytes[at..end])) {
                end = at + next;
            }
            return (end > at).then_some(Read { range: at..end, quote: Quote::Bare, end: line });
        }
    }
    let stops = |b: &u8| {
        matches!(
            b,
            b'"' | b'\''
                | b'`'
                | b','
                | b';'
                | b'<'
                | b'>'
                | b'('
                | b')'
                | b'{'
                | b'}'
                | b'['
                | b']'
                | b'|'
                | b'&'
                | b'\\'
        )
    };
    let end = bytes[at..line].iter().position(stops).map_or(line, |n| at + n);
    let mut trimmed = end;
    while trimmed > at && matches!(bytes[trimmed - 1], b'.' | b':' | b'!' | b'?') && trimmed == line {
        trimmed -= 1;
    }
    (trimmed > at).then_some(Read { range: at..trimmed, quote: Quote::Bare, end })
}

/// How many brackets at the end of a value close what was opened in front of it: `[https://host/?token=…]`.
fn brackets(bytes: &[u8], value: Range<usize>) -> usize {
    let line = &bytes[value.start.saturating_sub(200)..value.start];
    let line = line.rsplit(|b| *b == b'\n').next().unwrap_or(line);
    let count = |text: &[u8], wanted: u8| text.iter().filter(|b| **b == wanted).count();
    let mut end = value.end;
    while end > value.start + 1 {
        let (open, close) = match bytes[end - 1] {
            b']' => (b'[', b']'),
            b')' => (b'(', b')'),
            b'}' => (b'{', b'}'),
            _ => break,
        };
        let inside = &bytes[value.start..end - 1];
        if count(inside, open) > count(inside, close) || count(line, open) <= count(line, close) {
            break;
        }
        end -= 1;
    }
    value.end - end
}

/// Where the element of a page ends in which the value stands: `x</td></tr>`, `x<br/>`.
fn tag(value: &[u8]) -> Option<usize> {
    let ends = |at: &usize| {
        let inside = &value[at + 1..];
        let name = inside.strip_prefix(b"/").or(inside.starts_with(b"br").then_some(inside)).unwrap_or_default();
        let length = name.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        length > 0 && matches!(name[length..], [b'>', ..] | [b'/', b'>', ..])
    };
    memchr::memchr_iter(b'<', value).find(ends)
}

/// Where the next setting of a list starts behind a value: `x,host=y`, `x&state=y`, `x;User Id=y`.
fn setting(line: &[u8]) -> Option<usize> {
    memchr::memchr3_iter(b',', b'&', b';', line).find(|mark| {
        let rest = &line[mark + 1..];
        let name = rest.iter().take(40).take_while(|b| is_name(**b)).count();
        let words = line[*mark] != b',' || rest[..name].iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
        name > 1 && words && rest.get(name) == Some(&b'=') && rest.get(name + 1).is_some_and(u8::is_ascii_alphanumeric)
    })
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

/// Why this cannot be a secret at all: the filter's name.
pub(super) fn impossible(site: &Site, bytes: &[u8]) -> Option<&'static str> {
    let value = &bytes[site.value.clone()];
    let name = &bytes[site.name.clone()];
    if name.len() == 14 && name.eq_ignore_ascii_case(b"PublicKeyToken") {
        return Some("public");
    }
    if hashed(value) {
        return Some("password-hash");
    }
    if encrypted(value) {
        return Some("encrypted");
    }
    if public(value, name) {
        return Some("public");
    }
    if value.starts_with(b"ssh-rsa ") || value.starts_with(b"ssh-ed25519 ") || value.starts_with(b"ecdsa-sha2-") {
        return Some("public");
    }
    let has = |word: &[u8]| memchr::memmem::find(value, word).is_some();
    if has(b"EXAMPLE")
        || decoded_example(value)
        || has(b"<<") && has(b">>")
        || has(b"aws4_request")
        || name.eq_ignore_ascii_case(b"signature") && value.len() >= 64 && request(bytes, site)
    {
        return Some("documentation-or-request");
    }
    if one_request(name) {
        return Some("for-one-request");
    }
    if pattern(value) {
        return Some("pattern");
    }
    let resource = value.starts_with(b"arn:") && value.iter().filter(|b| **b == b':').count() >= 4;
    if value.starts_with(b"urn:uuid:") || resource || address(value) {
        return Some("name-of-a-thing");
    }
    if value.ends_with(b"...") || value.ends_with("\u{2026}".as_bytes()) {
        return Some("cut-off");
    }
    // What follows the scheme is read as such, without it.
    let schemes = [&b"basic "[..], b"bearer ", b"digest "];
    if schemes.iter().any(|scheme| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))) {
        return Some("behind-a-scheme");
    }
    if crate::detect::filter::alphabet(value) {
        return Some("alphabet");
    }
    let least = if site.quote == Quote::Bare { 4 } else { 3 };
    if value.len() < least {
        return Some("too-short");
    }
    if value.contains(&b'\n') && site.quote != Quote::Backtick {
        return Some("more-than-a-line");
    }
    let bare = site.quote == Quote::Bare;
    if reference(value, bare) {
        return Some("reference");
    }
    if value
        .iter()
        .all(|b| matches!(b, b'*' | b'.' | b'x' | b'X' | b'-' | b'_' | b' ' | b'?' | b'#' | b'=' | b'/' | b'\\' | b'0'))
    {
        return Some("mask");
    }
    if value.iter().filter(|b| b.is_ascii_alphanumeric() || **b >= 0x80).count() < 3 {
        return Some("punctuation");
    }
    if bare && value.len() < 10 && NOTHING.iter().any(|word| value.eq_ignore_ascii_case(word)) {
        return Some("keyword");
    }
    if value.len() > 60 && value.iter().filter(|b| **b == b' ').count() * 12 > value.len() {
        return Some("prose");
    }
    None
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
    let names: &[&[u8]] = &[b"publickey", b"pubkey", b"fingerprint", b"thumbprint", b"keyhash"];
    value.len() >= 32 && der.iter().any(|start| value.starts_with(start))
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

/// The signature of one request dies with it.
fn request(bytes: &[u8], site: &Site) -> bool {
    let before = &bytes[site.name.start.saturating_sub(400)..site.name.start];
    memchr::memmem::find(before, b"aws4_request").is_some() || memchr::memmem::find(before, b"AWS4-").is_some()
}

/// Names of values that both sides make anew for every request: the handshake of a WebSocket (RFC 6455), the server's half of
/// a log-in by digest (RFC 2831), tokens that prove where a form came from.
fn one_request(name: &[u8]) -> bool {
    const NAMES: [&str; 5] =
        ["sec-websocket-key", "sec-websocket-accept", "rspauth", "authenticity_token", "csrfmiddlewaretoken"];
    NAMES.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()))
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
    if bare && (value.starts_with(b"$") || value.starts_with(b"&") || value.starts_with(b"!") && value.len() < 12) {
        return true;
    }
    if value.starts_with(b"$")
        && value[1..].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && !value[1].is_ascii_digit()
    {
        return true;
    }
    if value.starts_with(b"<") && value.ends_with(b">")
        || value.starts_with(b"{") && value.ends_with(b"}") && !value.contains(&b':')
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
        assert_eq!(secrets("db_password = \"vault:<<an:20>>\"\n").len(), 1);
        let found = secrets("file.write(\"password <<an:14>>\\n\")\n");
        assert!(found.iter().all(|value| value.len() == 14), "{found:?}");
    }

    #[test]
    fn the_end_of_an_element_is_no_part_of_a_value() {
        for tail in ["</p>", "</td></tr>", "<br/>", "<br>"] {
            let found = secrets(&format!("password=<<an:14>>{tail}\n"));
            assert!(found.len() == 1 && found[0].len() == 14, "{tail}: {found:?}");
        }
        assert_eq!(secrets("password=<<an:12>></x\n").first().map(String::len), Some(15), "no element ends here");
    }

    #[test]
    fn brackets_around_a_sentence_are_no_part_of_a_value() {
        let token = secrets("see https://h.example/reset?reset_token=<<hex:40>>\n").pop().expect("found");
        for text in ["[https://h.example/reset?reset_token=<<hex:40>>]\n", "(reset_token=<<hex:40>>)\n"] {
            let found = secrets(text);
            assert!(found.len() == 1 && found[0].len() == token.len(), "{text}: {found:?}");
        }
        assert_eq!(
            secrets("password=<<an:14>>]\n").first().map(String::len),
            Some(15),
            "it may be one of its characters"
        );
    }
}
