//! Whose a credential is, by what stands in it: the user in a URL, the subject of a token, the id of a key.

use super::Relation;
use super::exposures::Exposures;
use crate::finding::Finding;
use crate::identity::AliasKind;

/// Captured parts that name an account, and how to read them.
const ACCOUNT_PARTS: &[&str] = &["user", "username", "login", "email", "sub", "comment"];

pub(super) fn attribute(finding: &Finding, exposures: &mut Exposures<'_>) {
    let identity = exposures.identity();
    for (part, value) in &finding.parts {
        let theirs = match part.as_str() {
            "id" | "key-id" => identity.has(AliasKind::KeyId, value),
            name if ACCOUNT_PARTS.contains(&name) => {
                identity.owns_email(value)
                    || identity.of_kind(AliasKind::Login).any(|alias| bare(&alias.value).eq_ignore_ascii_case(value))
                    || identity.has(AliasKind::AwsUser, value)
            }
            _ => false,
        };
        if theirs {
            let reason = format!("the credential itself names {part} {value}");
            exposures.leaver(finding.fingerprint, Relation::Theirs, 0.9, reason);
        }
    }
}

/// A login without the platform it holds for.
fn bare(login: &str) -> &str {
    login.split_once(':').map_or(login, |(_, name)| name)
}
