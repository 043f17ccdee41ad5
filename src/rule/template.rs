//! Examples are templates, so that no rule file holds anything that looks like a credential: `ghp_<<an:30>><<sum>>`.

use data_encoding::{BASE64, BASE64URL_NOPAD};

use super::Structure;

/// Characters that a class stands for.
fn class(name: &str) -> Option<&'static [u8]> {
    Some(match name {
        "an" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "lan" => b"abcdefghijklmnopqrstuvwxyz0123456789",
        "uan" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "al" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "w" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_",
        "d" => b"0123456789",
        "l" => b"abcdefghijklmnopqrstuvwxyz",
        "u" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "hex" => b"0123456789abcdef",
        "HEX" => b"0123456789ABCDEF",
        "b32" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "b58" => b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
        "b64" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "b64u" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
        _ => return None,
    })
}

/// A small generator (SplitMix64): the same seed gives the same example for ever, which no library promises.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn draw(&mut self, from: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(from[(self.throw() % from.len() as u64) as usize])).collect()
    }
}

/// Fills a template in; `seed` (a rule's id and the example's number) decides what is made up.
///
/// # Errors
/// A sentence part that names what the template has wrong.
pub fn expand(template: &str, seed: &str, check: Option<Structure>) -> Result<String, String> {
    let start = seed.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    fill(template, ("<<", ">>"), &mut Dice(start), check)
}

fn fill(
    template: &str,
    (open, close): (&str, &str),
    dice: &mut Dice,
    check: Option<Structure>,
) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(open) {
        text.push_str(&rest[..at]);
        let inside = &rest[at + open.len()..];
        let Some(end) = closing(inside, close) else {
            text.push_str(open);
            rest = inside;
            continue;
        };
        match one(&inside[..end], &text, dice, check)? {
            Some(made) => text.push_str(&made),
            // Not one of our classes: heredocs and generics use the same signs.
            None => text.push_str(&rest[at..at + open.len() + end + close.len()]),
        }
        rest = &inside[end + close.len()..];
    }
    text.push_str(rest);
    Ok(text)
}

/// Where the placeholder ends: `<<b64of:x<an:8>>>` ends at the last of the three signs.
fn closing(inside: &str, close: &str) -> Option<usize> {
    let at = inside.find(close)?;
    let more = inside[at + close.len()..].starts_with('>') && inside.starts_with("b64of:");
    Some(if more && close == ">>" { at + 1 } else { at })
}

fn one(word: &str, before: &str, dice: &mut Dice, check: Option<Structure>) -> Result<Option<String>, String> {
    let (name, argument) = word.split_once(':').unwrap_or((word, ""));
    match name {
        "uuid" => {
            let hex = dice.draw(b"0123456789abcdef", 30);
            let variant = dice.draw(b"89ab", 1);
            Ok(Some(format!(
                "{}-{}-4{}-{variant}{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..15],
                &hex[15..18],
                &hex[18..30]
            )))
        }
        "jwt" => {
            let header = BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
            let subject = dice.draw(b"0123456789", 10);
            let payload = BASE64URL_NOPAD.encode(format!(r#"{{"sub":"{subject}","iat":1760000000}}"#).as_bytes());
            let signature = dice.draw(class("b64u").expect("because the class exists"), 43);
            Ok(Some(format!("{header}.{payload}.{signature}")))
        }
        "sum" => {
            let token = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c)).next().unwrap_or("");
            let sum = check.and_then(|check| check.sum(token.as_bytes()));
            sum.map(Some).ok_or_else(|| "<<sum>> needs a rule whose check is a checksum".to_owned())
        }
        "b64of" => Ok(Some(BASE64.encode(fill(argument, ("<", ">"), dice, check)?.as_bytes()))),
        "pem" => {
            let (body, width) = match argument {
                "OPENSSH PRIVATE KEY" => (BASE64.encode(&openssh(dice)), 70),
                _ => (dice.draw(class("b64").expect("because the class exists"), 64 * 6), 64),
            };
            let lines: Vec<_> = body.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
            Ok(Some(format!("-----BEGIN {argument}-----\n{}\n-----END {argument}-----", lines.join("\n"))))
        }
        _ => match (class(name), argument.parse::<usize>()) {
            (Some(characters), Ok(count)) if count <= 10_000 => Ok(Some(dice.draw(characters, count))),
            (Some(_), _) => Err(format!("<<{word}>> has no length")),
            (None, _) => Ok(None),
        },
    }
}

/// A key as ssh-keygen writes it (PROTOCOL.key of OpenSSH): most of its first half is the same in every key, and full of zeros.
fn openssh(dice: &mut Dice) -> Vec<u8> {
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes()[..], bytes].concat();
    let mut random = |count: usize| (0..count).map(|_| dice.throw() as u8).collect::<Vec<u8>>();
    let (check, public, private) = (random(4), random(32), random(64));
    let half = [field(b"ssh-ed25519"), field(&public)].concat();
    let secret = [&check[..], &check, &half, &field(&private), &field(b"hf"), &[1, 2, 3, 4, 5, 6]].concat();
    let head = [field(b"none"), field(b"none"), field(b""), 1u32.to_be_bytes().to_vec()].concat();
    [&b"openssh-key-v1\0"[..], &head, &field(&half), &field(&secret)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_example() {
        let one = expand("t=<<an:12>>", "rule/0", None).expect("expands");
        assert_eq!(one, expand("t=<<an:12>>", "rule/0", None).expect("expands"));
        assert_ne!(one, expand("t=<<an:12>>", "rule/1", None).expect("expands"));
        assert_eq!(one.len(), 14);
    }

    #[test]
    fn a_checksum_completes_the_token_before_it() {
        let text = expand("x ghp_<<an:30>><<sum>>", "r", Some(Structure::GithubCrc32)).expect("expands");
        let token = text.strip_prefix("x ").expect("starts so");
        assert_eq!(Structure::GithubCrc32.verdict(token.as_bytes()), super::super::Verdict::Sound);
    }

    #[test]
    fn base64_of_a_template_and_heredocs_work() {
        let text = expand("<<b64of:user:<an:8>>>!", "r", None).expect("expands");
        let decoded = BASE64.decode(text.trim_end_matches('!').as_bytes()).expect("base64");
        assert!(decoded.starts_with(b"user:") && decoded.len() == 13, "{text}");
        assert_eq!(expand("cat <<EOF >> x", "r", None).expect("expands"), "cat <<EOF >> x");
    }
}
