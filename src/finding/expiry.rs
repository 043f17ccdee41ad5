//! When a value ends by itself, where its issuer wrote the time into it.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde_json::Value;

use crate::secret::SecretValue;

/// The time after which nobody may accept this value: the claim `exp` of a signed token (RFC 7519, 4.1.4). The signature is not
/// checked; a value that was altered is none that its issuer made.
pub fn ends(value: &SecretValue) -> Option<Timestamp> {
    let mut parts = value.expose_str()?.trim_start_matches("Bearer ").split('.');
    let mut object = || -> Option<Value> {
        let bytes = BASE64URL_NOPAD.decode(parts.next()?.as_bytes()).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    };
    let (header, claims) = (object()?, object()?);
    header.get("alg")?.as_str().filter(|alg| *alg != "none")?;
    let seconds = claims.get("exp")?;
    let whole = seconds.as_i64().or_else(|| seconds.as_f64().map(|seconds| seconds as i64))?;
    parts.next()?;
    Timestamp::from_second(whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> SecretValue {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        SecretValue::new(format!("{}.{}.{}", part(header), part(claims), part("a signature")))
    }

    #[test]
    fn a_signed_token_says_when_it_ends() {
        let signed = r#"{"alg":"HS256"}"#;
        let ended = |claims: &str| ends(&token(signed, claims)).map(|time| time.to_string());
        assert_eq!(ended(r#"{"exp":1516239022}"#).as_deref(), Some("2018-01-18T01:30:22Z"));
        assert_eq!(ended(r#"{"exp":1516239022.5}"#).as_deref(), Some("2018-01-18T01:30:22Z"));
        for claims in [r#"{"iat":1516239022}"#, r#"{"exp":"soon"}"#, r#"{"exp":9e99}"#, r#"{"exp":-9e99}"#, "[1]", "x"]
        {
            assert_eq!(ended(claims), None, "{claims}");
        }
        assert_eq!(ends(&token(r#"{"alg":"none"}"#, r#"{"exp":1516239022}"#)), None, "nobody signed it");
        for other in ["", "..", "a.b.c", "hunter2"] {
            assert_eq!(ends(&SecretValue::new(other)), None, "{other}");
        }
    }
}
