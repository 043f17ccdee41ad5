//! Values that are named after a vendor: `telegram_api_token = "…"`. A vendor's tokens have a form, and its rules know it. What
//! bears the name and not the form is a sample, a cut or an invention far more often than a secret.

use std::collections::HashSet;

use crate::rule::{Confidence, RuleSet, Shape};

/// What a generic match says while nobody knows whether the vendor's own rules see the value, too.
pub(super) const NAMED: &str = "named-after-a-vendor";

/// What it says when they do not.
pub(super) const FORMLESS: &str = "not-of-the-vendor-s-form";

/// Ids of providers that are ordinary words in names of programs: a `line_token` or `cursor_key` is nobody's.
const WORDS: &str = "\
    abstract adjust affirm age alloy apple bill bitcoin bit boundary box branch bubble buffer bundler \
    chef circle close column comet copper crossplane curl currents cursor daily defined depot deputy \
    ditto drip drone dub element enigma env0 envoy ethereum exa expo finch float fly front generic \
    ghost guru harbor harvest hash heap height here hex hunter increase jdbc june juniper jwk jwt \
    keen keeper kerberos kite knock kubernetes lever lightning line linear loops luks make matrix \
    maven merge mercury modal monday mono mysql netrc nimble notion npm ntlm oracle otp outline \
    outreach paddle parsers particle phrase pivotal plane pocket polar polygon postgres prefect \
    prisma privacy quaderno radius railway ramp raven redis remote render restpack riot root scale \
    scout segment sentiment snmp socket split sql square stability stream swell synthesia tap team \
    tink together transak trigger twist unit unity unleash url vault verifier vnc webflow \
    webframework webpush wifi wireguard wise wit wix workday x";

/// Words behind a vendor's name that leave only a token of the vendor's making: no password, no key of the program's own.
const REST: &str = "\
    api access auth bot service personal secret token key account integration project live prod \
    production apikey deploy client management org user v1 v2 server admin";

/// Names of vendors whose tokens have a form of their own.
pub(super) struct Vendors(HashSet<String>);

impl Vendors {
    pub(super) fn of(rules: &RuleSet) -> Self {
        let issued = |kind: &str| matches!(kind, "token" | "api-key" | "secret-key" | "oauth-secret");
        let formed = rules.rules().iter().filter(|rule| {
            issued(&rule.kind) && !matches!(rule.shape, Shape::Reader) && rule.confidence != Confidence::Low
        });
        let names = formed.flat_map(|rule| {
            let short = match &rule.shape {
                Shape::Near { words, .. } => words.iter().filter(|word| short(word)).cloned().collect(),
                _ => Vec::new(),
            };
            short.into_iter().chain([rule.provider.id.replace('-', "")])
        });
        let ordinary: HashSet<&str> = WORDS.split(' ').collect();
        Self(names.filter(|name| name.len() > 2 && !ordinary.contains(name.as_str())).collect())
    }

    /// Whether a name says that its value is a token or key of such a vendor: `TELEGRAM_API_TOKEN`, `stripeSecretKey`.
    pub(super) fn name(&self, name: &[u8]) -> bool {
        let words = words(name);
        let told = |words: &[String]| {
            words.iter().all(|word| REST.split(' ').any(|rest| rest == word.as_str()))
                && words.iter().any(|word| matches!(word.as_str(), "token" | "key" | "secret" | "apikey"))
        };
        let spans =
            (0..words.len()).flat_map(|start| (start + 1..words.len().min(start + 4)).map(move |end| (start, end)));
        spans.into_iter().any(|(start, end)| told(&words[end..]) && self.0.contains(&words[start..end].concat()))
    }
}

/// Whether a word near which a rule looks is a name of the vendor and nothing else: `wandb`, not `wandb_api`.
fn short(word: &str) -> bool {
    let more = ["key", "token", "secret", "api", "access", "auth", "pass", "client", "app"];
    word.len() > 4 && word.bytes().all(|b| b.is_ascii_lowercase()) && !more.iter().any(|more| word.contains(more))
}

/// The words of a name in small letters: parted by marks and by capitals after small letters.
pub(super) fn words(name: &[u8]) -> Vec<String> {
    let mut all: Vec<String> = vec![String::new()];
    let mut small = false;
    for byte in name.iter().take(80) {
        let letter = byte.is_ascii_alphanumeric();
        if !letter || byte.is_ascii_uppercase() && small {
            all.push(String::new());
        }
        if letter && let Some(word) = all.last_mut() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        small = byte.is_ascii_lowercase() || byte.is_ascii_digit();
    }
    all.retain(|word| !word.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_speaks_of_a_vendor_only_when_nothing_else_is_meant() {
        let vendors = Vendors::of(&RuleSet::builtin());
        for name in [
            "telegram_api_token",
            "stripeSecretKey",
            "MY_SENDGRID_API_KEY",
            "new-relic.api.key",
            "github_token",
            "WANDB_API_KEY",
        ] {
            assert!(vendors.name(name.as_bytes()), "{name}");
        }
        for name in [
            "api_token",
            "telegram_password",
            "telegram_webhook_path",
            "github_webhook_secret",
            "line_token",
            "cursor_key",
            "stripe_signing_secret",
            "telegram",
            "token",
        ] {
            assert!(!vendors.name(name.as_bytes()), "{name}");
        }
    }
}
