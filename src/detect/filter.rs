//! What makes a match less or more likely to be a real credential. Each filter has a name, which the finding keeps.

use crate::rule::check::entropy;

/// Words that stand where a secret would, in documentation and templates.
const PLACEHOLDERS: &[&str] = &[
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "your_",
    "your-",
    "yourpassword",
    "dummy",
    "xxxx",
    "redacted",
    "todo",
    "fixme",
    "insert",
    "sample",
    "not_set",
    "notset",
    "undefined",
    "masked",
    "hidden",
    "<none>",
    "secret_here",
];

/// What the filters say about a value: a factor on the confidence and the names of those that spoke.
pub(super) struct Opinion {
    pub(super) factor: f32,
    pub(super) notes: Vec<&'static str>,
}

/// Judges a value that a provider's rule found; its shape speaks for it already.
pub(super) fn shaped(value: &[u8], kind: &str) -> Opinion {
    let mut opinion = Opinion { factor: 1.0, notes: Vec::new() };
    // A key has a comment, and its body is long enough to hold any short word by chance.
    opinion.lower(kind != "private-key" && placeholder(value), 0.3, "placeholder");
    opinion.lower(repetitive(value), 0.3, "repetitive");
    // An id says little about a secret, and one that somebody typed says nothing.
    let id = matches!(kind, "key-id" | "identifier");
    opinion.lower(sequence(value), if id { 0.5 } else { 0.7 }, "sequence");
    opinion.lower(locked(value), 0.5, "needs-a-passphrase");
    opinion.lower(name_of_a_program(value), 0.4, "camel-case");
    opinion.lower(kind == "jwt" && passing(value), 0.4, "short-lived");
    opinion
}

/// Judges a value that stands in an assignment with a telling name and has no shape of its own.
pub(super) fn generic(value: &[u8]) -> Opinion {
    let mut opinion = shaped(value, "");
    opinion.lower(reference(value), 0.05, "reference");
    opinion.lower(value.iter().all(u8::is_ascii_lowercase) && value.len() < 24, 0.5, "plain-word");
    opinion.lower(entropy(value) < 2.2, 0.5, "low-entropy");
    opinion.lower(words(value), 0.5, "words");
    opinion.lower(camel_case(value), 0.5, "camel-case");
    opinion
}

impl Opinion {
    fn lower(&mut self, applies: bool, factor: f32, note: &'static str) {
        if applies {
            self.factor *= factor;
            self.notes.push(note);
        }
    }
}

fn placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    // What is long holds a short word by chance, or has a sentence of its issuer in front.
    let least = if value.len() > 128 { 6 } else { 0 };
    let mut words = PLACEHOLDERS.iter().filter(|word| word.len() >= least);
    words.any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
        || (value.starts_with(b"<") && value.ends_with(b">"))
        || value.iter().all(|b| matches!(b, b'*' | b'.' | b'-' | b'x' | b'X' | b'_'))
}

/// A variable, a template expression or a call instead of a value.
fn reference(value: &[u8]) -> bool {
    // `$9$…` and `$aact_…` are signs of an issuer.
    let variable = value.strip_prefix(b"$").is_some_and(|name| name.len() < 64 && !name.starts_with(b"9$"));
    let starts: &[&[u8]] =
        &[b"{{", b"%(", b"#{", b"<%", b"@", b"process.env", b"os.environ", b"env(", b"var.", b"self."];
    variable
        || starts.iter().any(|start| value.starts_with(start))
        || value.windows(2).any(|pair| pair == b"()" || pair == b"${" || pair == b"{{")
        || (value.contains(&b'(') && value.contains(&b')'))
}

/// Somebody typed the alphabet: the letters, whatever stands between them, climb by one ten times.
pub(super) fn alphabet(value: &[u8]) -> bool {
    let (mut length, mut last) = (0, 0);
    value.len() >= 16
        && value.iter().filter(|b| b.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).any(|b| {
            length = if b == last + 1 { length + 1 } else { 0 };
            last = b;
            length >= 9
        })
}

/// A private key that is of no use without its passphrase: PKCS#8, the older headers of PEM, PuTTY, and OpenSSH, whose body
/// names the cipher (`aes256-ctr`, `bcrypt`) in base64.
fn locked(value: &[u8]) -> bool {
    let head = &value[..value.len().min(400)];
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    let armour = has(b"PRIVATE KEY-----") && (has(b"ENCRYPTED") || has(b"b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni"));
    armour || has(b"PuTTY-User-Key-File") && has(b"Encryption: aes")
}

/// Few different characters, or one long run. Zeros in base64 are `A`s: every key of OpenSSH and many a token has a run of them.
fn repetitive(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    value.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    value.len() >= 12 && distinct <= 4
        || value.len() >= 8
            && value.windows(8).any(|run| run.iter().all(|byte| *byte == run[0]) && (run[0] != b'A' || distinct < 16))
}

/// Digits in their order: typical of samples, but the provider's name or shape around them weighs more.
fn sequence(value: &[u8]) -> bool {
    let has = |digits: &[u8]| memchr::memmem::find(value, digits).is_some();
    has(b"0123456789abcdef") || has(b"0123456789ABCDEF") || has(b"1234567890")
}

/// A name in the manner of programs: `DefaultTemplateFactory`, `oAuth2TestsMixin`. Random letters form few such humps.
fn camel_case(value: &[u8]) -> bool {
    if !value.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let (mut humps, mut covered, mut at) = (0, 0, 0);
    while at < value.len() {
        let upper = usize::from(value[at].is_ascii_uppercase());
        let lower = value[at + upper..].iter().take_while(|b| b.is_ascii_lowercase()).count();
        if lower >= 2 && (upper == 1 || at == 0) {
            humps += 1;
            covered += upper + lower;
        }
        at += (upper + lower).max(1);
    }
    humps >= 2 && covered * 4 >= value.len() * 3
}

/// The same behind a token's prefix: `s.makeSessionController`.
fn name_of_a_program(value: &[u8]) -> bool {
    let body = memchr::memrchr2(b'.', b'_', value).map_or(value, |at| &value[at + 1..]);
    (16..64).contains(&body.len()) && camel_case(body)
}

/// The same behind a colon: `clm16751:DocumentTemplateFactory`.
pub(super) fn name_behind_a_colon(value: &[u8]) -> bool {
    memchr::memrchr(b':', value).is_some_and(|at| value.len() - at > 16 && camel_case(&value[at + 1..]))
}

/// Longest life in seconds of a token that is made for one request: links to pictures, signatures of an application.
const PASSING: f64 = 900.0;

/// A JWT that lives for minutes from its making: nobody can still use it who finds it in a text.
fn passing(value: &[u8]) -> bool {
    let claims = || {
        let body = data_encoding::BASE64URL_NOPAD.decode(value.split(|b| *b == b'.').nth(1)?).ok()?;
        let claims: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let start = [claims.get("iat"), claims.get("nbf")].into_iter().flatten().find_map(serde_json::Value::as_f64)?;
        Some(claims.get("exp")?.as_f64()? - start)
    };
    claims().is_some_and(|life| life > 0.0 && life <= PASSING)
}

/// Words joined by separators: `reset-password-form`, `my.secret.name`.
fn words(value: &[u8]) -> bool {
    let mut parts = value.split(|b| matches!(b, b'-' | b'_' | b'.' | b' ' | b'/')).peekable();
    let count = parts.clone().count();
    parts.peek().is_some()
        && count >= 2
        && parts.all(|part| part.len() >= 2 && part.iter().all(u8::is_ascii_alphabetic) && spoken(part))
}

/// Whether letters can be a word: three or more of them have a vowel.
pub(super) fn spoken(word: &[u8]) -> bool {
    word.len() < 3 || word.iter().any(|b| b"aeiouyAEIOUY".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_order_weigh_less_than_a_run_of_one_character() {
        assert_eq!(shaped(b"ab1234567890cdefgh", "token").notes, ["sequence"]);
        assert_eq!(shaped(b"aaaaaaaaaaaaaaaaaa", "token").notes, ["repetitive"]);
        // The start of a key as ssh-keygen writes it.
        let head = concat!("b3BlbnNzaC1rZXkt", "djEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz");
        assert!(shaped(head.as_bytes(), "private-key").notes.is_empty());
        assert_eq!(shaped(b"Bearer_AAAAAAAAAAAA", "token").notes, ["repetitive"]);
        assert!(shaped(b"ab1234567890cdefgh", "token").factor > shaped(b"aaaaaaaaaaaaaaaaaa", "token").factor);
    }

    #[test]
    fn a_token_for_one_request_counts_less_than_one_for_a_year() {
        let token = |life: u32| {
            let part = |json: String| data_encoding::BASE64URL_NOPAD.encode(json.as_bytes());
            let claims = format!("{{\"iat\":1700000000,\"exp\":{}}}", 1_700_000_000 + life);
            format!("{}.{}.c2ln", part("{\"alg\":\"HS256\"}".to_owned()), part(claims))
        };
        assert_eq!(shaped(token(300).as_bytes(), "jwt").notes, ["short-lived"]);
        assert!(shaped(token(31_536_000).as_bytes(), "jwt").notes.is_empty());
    }

    #[test]
    fn a_call_is_no_token_whatever_stands_before_the_dot() {
        assert_eq!(shaped(b"s.makeSessionController", "token").notes, ["camel-case"]);
        assert!(shaped(concat!("s", ".kQzVbWxRtYpLmNsDkQzVbWxR").as_bytes(), "token").notes.is_empty());
    }

    #[test]
    fn a_program_s_name_is_no_secret_and_random_letters_are_no_name() {
        for name in ["DefaultTemplateFactory", "OAuth2TestsMixin", "documentTemplateBuilder"] {
            assert!(camel_case(name.as_bytes()), "{name}");
        }
        for secret in ["kQzVbWxRtYpLmNsD", "a9f3C2e8B7d1", "zt7GeN6IH9klvRjQ", "correcthorsebattery", "HARBOURFINCH"] {
            assert!(!camel_case(secret.as_bytes()), "{secret}");
        }
    }
}
