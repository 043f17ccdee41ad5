//! Documented exchanges of one issuer, `fixtures/issuers/ID.toml`. Values are templates, filled in at run time.

use std::collections::BTreeMap;

use offkey::rule::expand;
use serde::Deserialize;
use sha2::{Digest, Sha512};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(skip)]
    pub id: String,
    /// Template of the credential.
    value: String,
    /// Template of the administrator's.
    admin: Option<String>,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Name of a further address.
    pub also: Option<String>,
    pub case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub rule: String,
    /// `validate` or `revoke`.
    pub does: String,
    /// `live`, `dead`, `unknown`; `done`, `gone`, `accepted`, `refused`.
    pub ends: String,
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// Another template of the credential.
    value: Option<String>,
    #[serde(default)]
    pub call: Vec<Call>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    pub sent: String,
    pub carries: Vec<String>,
    pub status: u16,
    pub answer: String,
}

impl Case {
    /// The same value and facts with the calls of another case.
    pub(super) fn with_calls_of(&self, other: &Self) -> Self {
        let (facts, value) = (self.facts.clone(), self.value.clone());
        Self {
            rule: self.rule.clone(),
            does: other.does.clone(),
            ends: other.ends.clone(),
            facts,
            value,
            call: other.call.clone(),
        }
    }
}

impl File {
    pub(super) fn read(id: &str) -> Self {
        let path = format!("{}/fixtures/issuers/{id}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut file: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        file.id = id.to_owned();
        file
    }

    pub(super) fn value(&self, case: &Case) -> String {
        let template = case.value.as_ref().unwrap_or(&self.value);
        expand(template, &self.id, None).unwrap_or_else(|why| panic!("{}: {why}", self.id))
    }

    pub(super) fn admin(&self) -> Option<String> {
        let expanded = |template: &String| expand(template, &format!("{}/admin", self.id), None);
        self.admin.as_ref().map(|template| expanded(template).unwrap_or_else(|why| panic!("{}: {why}", self.id)))
    }

    /// Fills `{{secret}}`, `{{admin}}`, `{{sha512}}`, `{{part2}}`, `{{last4}}`, `{{first16}}` and `{{basic:USER:secret|admin}}` in.
    pub(super) fn fill(&self, case: &Case, template: &str) -> String {
        let value = self.value(case);
        let admin = self.admin().unwrap_or_default();
        let part2 = value.split('.').nth(1).unwrap_or_default();
        let mut text = template
            .replace("{{secret}}", &value)
            .replace("{{admin}}", &admin)
            .replace("{{part2}}", part2)
            .replace("{{last4}}", &value[value.len().saturating_sub(4)..])
            .replace("{{first16}}", &value[..value.len().min(16)])
            .replace("{{sha512}}", &data_encoding::HEXLOWER.encode(&Sha512::digest(&value)));
        while let Some((before, rest)) = text.split_once("{{basic:") {
            let (inside, after) = rest.split_once("}}").expect("an end");
            let (user, which) = inside.rsplit_once(':').expect("user and password");
            let word = |which: &str| match which {
                "secret" => value.clone(),
                "admin" => admin.clone(),
                other => other.to_owned(),
            };
            let pair = data_encoding::BASE64.encode(format!("{}:{}", word(user), word(which)).as_bytes());
            text = format!("{before}{pair}{after}");
        }
        text
    }
}
