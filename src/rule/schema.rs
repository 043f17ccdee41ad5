//! The fields of a rule file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Structure;

/// One file: a provider and its rules. The tables for the provider's HTTP interface are in `issuer.rs`.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) provider: Provider,
    #[serde(default)]
    pub(super) rule: Vec<Raw>,
}

impl File {
    pub(super) fn into_rules(self) -> Vec<Rule> {
        let provider = Arc::new(self.provider);
        self.rule.into_iter().map(|raw| raw.into_rule(Arc::clone(&provider))).collect()
    }
}

/// Who issues what the rules find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Id, also the name of the file.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Where its documentation lives.
    pub site: String,
}

/// One `[[rule]]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) pattern: Option<String>,
    #[serde(default)]
    pub(super) near: Vec<String>,
    pub(super) value: Option<String>,
    /// Name of a reader in code, for secrets that no pattern describes.
    #[serde(default)]
    pub(super) reader: bool,
    #[serde(default)]
    pub(super) keywords: Vec<String>,
    pub(super) confidence: Confidence,
    pub(super) check: Option<Structure>,
    pub(super) min_entropy: Option<f32>,
    pub(super) reach: Option<usize>,
    pub(super) pair: Option<Pair>,
    pub(super) source: String,
    #[serde(default)]
    pub(super) examples: Vec<String>,
    #[serde(default)]
    pub(super) negative_examples: Vec<String>,
}

/// How much a match is worth before checks and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Its shape alone proves the kind.
    High,
    /// Shape plus context.
    Medium,
    /// A guess worth a look.
    Low,
}

impl Confidence {
    /// Probability before checks and filters.
    pub fn probability(self) -> f32 {
        match self {
            Self::High => 0.95,
            Self::Medium => 0.75,
            Self::Low => 0.4,
        }
    }
}

/// The other half of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Rule id of the other half.
    pub with: String,
    /// How many lines away it may stand.
    pub lines: u32,
}

/// How a rule recognises its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A regular expression over the text.
    Pattern(String),
    /// A bare value in an assignment whose name holds one of the words.
    Near {
        /// Vendor words.
        words: Vec<String>,
        /// Pattern of the value.
        value: String,
    },
    /// Read by code of the detector: a telling name, an operator, a value; or a grammar of its own.
    Reader,
}

impl Shape {
    /// The regular expression that is run. For [`Shape::Near`]: a name that holds a vendor word, an operator, the value.
    pub fn regex(&self) -> String {
        match self {
            Self::Pattern(pattern) => pattern.clone(),
            // Nothing: the detector does not run it.
            Self::Reader => "[^\\s\\S]".to_owned(),
            Self::Near { words, value } => {
                let words: Vec<String> = words.iter().map(|word| regex::escape(word)).collect();
                format!(
                    r#"(?i:{})[\w .\-]{{0,24}}["'\])\\]{{0,3}}\s{{0,4}}(?:[.:?]?=>?|:|,|>|\|\||\(|\s)\s{{0,4}}["'`(>\s=\\]{{0,4}}(?P<secret>{value})(?:[^\w+/=-]|$)"#,
                    words.join("|")
                )
            }
        }
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Stable id.
    pub id: Arc<str>,
    /// What a person calls this credential.
    pub name: String,
    /// Who issues it.
    pub provider: Arc<Provider>,
    /// What it is: decides what can be done about it.
    pub kind: Arc<str>,
    /// How it is recognised.
    pub shape: Shape,
    /// Literals of which at least one stands near every match; compared without case.
    pub keywords: Vec<String>,
    /// How much a match is worth.
    pub confidence: Confidence,
    /// Structure that the secret must have.
    pub check: Option<Structure>,
    /// Least entropy of the secret, bits a character.
    pub min_entropy: Option<f32>,
    /// Longest distance in bytes from the start of a match to its end, where the pattern itself has no limit.
    pub reach: Option<usize>,
    /// The other half of the credential.
    pub pair: Option<Pair>,
    /// Where the format is published.
    pub source: String,
    /// Templates of texts that must match; empty in the compact built-in set.
    pub examples: Vec<String>,
    /// Templates of texts that must not match.
    pub negative_examples: Vec<String>,
}

impl Raw {
    pub(super) fn into_rule(self, provider: Arc<Provider>) -> Rule {
        let (shape, keywords) = match (self.pattern, self.value) {
            _ if self.reader => (Shape::Reader, Vec::new()),
            (Some(pattern), _) => (Shape::Pattern(pattern), self.keywords),
            (None, value) => {
                let keywords = if self.keywords.is_empty() { self.near.clone() } else { self.keywords };
                (Shape::Near { words: self.near, value: value.unwrap_or_default() }, keywords)
            }
        };
        Rule {
            id: self.id.into(),
            name: self.name,
            provider,
            kind: self.kind.into(),
            shape,
            keywords,
            confidence: self.confidence,
            check: self.check,
            min_entropy: self.min_entropy,
            reach: self.reach,
            pair: self.pair,
            source: self.source,
            examples: self.examples,
            negative_examples: self.negative_examples,
        }
    }
}
