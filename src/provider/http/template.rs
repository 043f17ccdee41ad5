//! Filling templates in. A value that does not fit where it should stand is an error, never left out: a call without its
//! credential would be answered like one with a dead credential.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::secret::SecretValue;

/// Where a filled template stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As it is: headers, forms (which are encoded later), comparisons.
    Plain,
    /// Inside quotes of a JSON text.
    Json,
    /// One segment of a path or a value of a query.
    Path,
}

/// Values by the names of the templates.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, SecretValue>);

impl Names {
    pub(super) fn set(&mut self, name: impl Into<String>, value: SecretValue) {
        self.0.insert(name.into(), value);
    }

    pub(super) fn get(&self, name: &str) -> Option<&SecretValue> {
        self.0.get(name)
    }

    /// A template with its names filled in; wiped on drop. The error says what is missing.
    pub(super) fn fill(&self, template: &str, place: Place) -> Result<Zeroizing<String>, String> {
        let mut text = Zeroizing::new(String::with_capacity(template.len() + 128));
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, tail) = after.split_once("}}").ok_or("a template without its end")?;
            let (name, filter) = inside.split_once('|').unwrap_or((inside, ""));
            let value = self.0.get(name.trim()).ok_or_else(|| missing(name.trim()))?;
            let plain = value.expose_str().ok_or("the value is not text, so no request can carry it")?;
            let filtered = filtered(plain, filter.trim())?;
            text.push_str(before);
            match place {
                // A part of an answer that is JSON already: a list of scopes.
                Place::Json if filter.trim() == "json" => {
                    serde_json::from_str::<serde_json::Value>(&filtered).map_err(|_| format!("{name} is not JSON"))?;
                    text.push_str(&filtered);
                }
                Place::Plain => text.push_str(&filtered),
                Place::Json => {
                    let quoted = Zeroizing::new(serde_json::Value::from(filtered.as_str()).to_string());
                    text.push_str(&quoted[1..quoted.len() - 1]);
                }
                Place::Path => encode(&filtered, &mut text),
            }
            rest = tail;
        }
        text.push_str(rest);
        Ok(text)
    }

    /// A template as the content of a header.
    pub(super) fn header(&self, template: &str) -> Result<SecretValue, String> {
        let text = self.fill(template, Place::Plain)?;
        if text.bytes().any(|byte| !(0x20..0x7f).contains(&byte)) {
            return Err("the value has characters that no header can carry".to_owned());
        }
        Ok(SecretValue::new(text.as_bytes()))
    }
}

fn missing(name: &str) -> String {
    match name.split_once('.') {
        Some(("fact", fact)) => format!("the {fact} that belongs to it was not found beside it"),
        Some(("param", param)) => format!("params.{param} is not set in offkey.toml"),
        _ if name == "admin" => "it needs an administrator's credential: set admin in offkey.toml".to_owned(),
        _ => format!("{name} is not known"),
    }
}

fn filtered(text: &str, filter: &str) -> Result<Zeroizing<String>, String> {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let count = text.chars().count();
    Ok(Zeroizing::new(match filter {
        "" | "json" => text.to_owned(),
        "sha256" => hex(&Sha256::digest(text)),
        "sha512" => hex(&Sha512::digest(text)),
        "last4" => text.chars().skip(count.saturating_sub(4)).collect(),
        "last6" => text.chars().skip(count.saturating_sub(6)).collect(),
        "last8" => text.chars().skip(count.saturating_sub(8)).collect(),
        "part2" => {
            text.split('.').nth(1).filter(|part| !part.is_empty()).ok_or("the value has no second part")?.to_owned()
        }
        "dash3" => {
            text.split('-').nth(2).filter(|part| !part.is_empty()).ok_or("the value has no third part")?.to_owned()
        }
        "first16" => text.chars().take(16).collect(),
        "first8" => text.chars().take(8).collect(),
        other => return Err(format!("unknown filter {other}")),
    }))
}

/// Percent-encodes everything that is not unreserved (RFC 3986), so that nothing leaves its segment.
pub(super) fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        names.set("secret", SecretValue::new("a\"b/c\n"));
        names.set("fact.id", SecretValue::new("../x?y"));
        names.set("plain", SecretValue::new("token-0123456789"));
        names
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        let fill = |template, place| names().fill(template, place).map(|text| text.to_string());
        assert_eq!(fill(r#"{"t":"{{secret}}"}"#, Place::Json), Ok(r#"{"t":"a\"b/c\n"}"#.to_owned()));
        assert_eq!(fill("/keys/{{fact.id}}", Place::Path), Ok("/keys/..%2Fx%3Fy".to_owned()));
        assert_eq!(fill("{{plain|last4}}", Place::Plain), Ok("6789".to_owned()));
        assert_eq!(fill("{{plain|sha256}}", Place::Plain).map(|text| text.len()), Ok(64));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(names().header("Bearer {{secret}}").is_err_and(|why| why.contains("no header")));
        assert!(names().header("Bearer {{admin}}").is_err_and(|why| why.contains("set admin")));
        assert!(names().header("{{fact.key-id}}").is_err_and(|why| why.contains("key-id")));
    }
}
