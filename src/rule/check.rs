//! Checks rule files: fields, patterns, examples. Every problem is reported with its file, line and reason.

use std::collections::HashMap;
use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use super::schema::{File, Raw};
use super::{Rule, Shape, Structure, Verdict, expand};

/// Compiled size of a pattern above which it slows the whole set down.
const SIZE_LIMIT: usize = 2 << 20;

const KINDS: &[&str] = &[
    "token",
    "api-key",
    "key-id",
    "secret-key",
    "password",
    "connection-string",
    "private-key",
    "jwt",
    "webhook",
    "session",
    "oauth-secret",
    "encryption-key",
    "hash",
    "identifier",
];

/// One thing that is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Line of the rule, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// Id of the rule, empty when the whole file is meant.
    pub rule: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}{}{}",
            self.file,
            self.line,
            self.rule,
            if self.rule.is_empty() { "" } else { ": " },
            self.why
        )
    }
}

/// Compiles a rule's pattern as the detector does: bytes, ASCII classes.
///
/// # Errors
/// When the pattern does not parse or is too large.
pub fn compile(rule: &Rule) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&rule.shape.regex()).unicode(false).size_limit(SIZE_LIMIT).build()
}

/// The capture that is the secret: the group named so, else group 1, else the whole match.
pub fn secret_group(regex: &Regex) -> usize {
    let named = regex.capture_names().position(|name| name == Some("secret"));
    named.unwrap_or(usize::from(regex.captures_len() > 1))
}

/// Checks files (name and text); an empty list means that all is well.
pub fn check(files: &[(String, String)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut ids: HashMap<String, String> = HashMap::new();
    for (name, text) in files {
        let problem =
            |line: usize, rule: &str, why: String| Problem { file: name.clone(), line, rule: rule.to_owned(), why };
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
                problems.push(problem(line, "", error.message().to_owned()));
                continue;
            }
        };
        if file.rule.is_empty() {
            problems.push(problem(0, "", "has no [[rule]]".to_owned()));
        }
        let stem = name.rsplit(['/', '\\']).next().unwrap_or(name).trim_end_matches(".toml").to_owned();
        if stem != file.provider.id {
            problems.push(problem(
                1,
                "",
                format!("the provider's id is {}, the file is {stem}.toml", file.provider.id),
            ));
        }
        problems.extend(super::check_issuer::check(text).into_iter().map(|(line, why)| problem(line, "", why)));
        let provider = std::sync::Arc::new(file.provider);
        for raw in file.rule {
            let line = line_of(text, &raw.id);
            let id = raw.id.clone();
            if let Some(first) = ids.insert(id.clone(), name.clone()) {
                problems.push(problem(line, &id, format!("the id is taken by a rule in {first}")));
            }
            let mut why = fields(&raw, &provider.id);
            let rule = raw.into_rule(std::sync::Arc::clone(&provider));
            match compile(&rule) {
                Ok(regex) if regex.is_match(b"") => why.push("the pattern matches the empty text".to_owned()),
                // What a reader finds only the detector can say; its tests run these examples.
                Ok(_) if rule.shape == Shape::Reader => {}
                Ok(regex) => why.extend(examples(&rule, &regex)),
                Err(error) => why.push(format!("the pattern does not compile: {error}")),
            }
            problems.extend(why.into_iter().map(|why| problem(line, &id, why)));
        }
    }
    problems
}

fn line_of(text: &str, id: &str) -> usize {
    let quoted = format!("\"{id}\"");
    text.lines().position(|line| line.trim_start().starts_with("id") && line.contains(&quoted)).map_or(0, |n| n + 1)
}

fn fields(raw: &Raw, provider: &str) -> Vec<String> {
    let mut why = Vec::new();
    let mut wrong = |bad: bool, text: &str| {
        if bad {
            why.push(text.to_owned());
        }
    };
    let kebab = raw.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    wrong(!kebab, "the id may hold small letters, digits and hyphens only");
    wrong(!raw.id.starts_with(provider), "the id does not start with the provider's id");
    wrong(!KINDS.contains(&raw.kind.as_str()), "unknown kind");
    let shapes = [raw.pattern.is_some(), raw.value.is_some(), raw.reader].iter().filter(|given| **given).count();
    wrong(shapes != 1, "needs either pattern, or near and value");
    wrong(raw.value.is_some() && raw.near.is_empty(), "value needs near");
    wrong(raw.pattern.is_some() && raw.keywords.is_empty(), "pattern needs keywords");
    wrong(raw.keywords.iter().chain(&raw.near).any(|word| word.len() < 2), "a keyword needs two characters or more");
    wrong(raw.source.is_empty(), "source is empty");
    wrong(raw.examples.len() < 2, "needs two examples");
    wrong(raw.negative_examples.len() < 2, "needs two negative examples");
    why
}

/// Runs the examples against the pattern, keywords and checksum; the detector's own filters are tested elsewhere.
fn examples(rule: &Rule, regex: &Regex) -> Vec<String> {
    let mut why = Vec::new();
    let group = secret_group(regex);
    let matches = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let keyword = rule.keywords.iter().any(|keyword| lower.contains(&keyword.to_ascii_lowercase()));
        let secret = regex.captures(text.as_bytes()).and_then(|found| found.get(group));
        keyword && secret.is_some_and(|secret| !broken(rule.check, secret.as_bytes()) && rich(rule, secret.as_bytes()))
    };
    let all = [(&rule.examples, true), (&rule.negative_examples, false)];
    for (templates, wanted) in all {
        for (n, template) in templates.iter().enumerate() {
            let name = if wanted { "example" } else { "negative example" };
            match expand(template, &format!("{}/{wanted}/{n}", rule.id), rule.check) {
                Err(error) => why.push(format!("{name} {}: {error}", n + 1)),
                Ok(text) if matches(&text) != wanted => {
                    let verb = if wanted { "does not match" } else { "matches" };
                    why.push(format!("{name} {} {verb}: {template}", n + 1));
                }
                Ok(_) => {}
            }
        }
    }
    why
}

fn broken(check: Option<Structure>, secret: &[u8]) -> bool {
    matches!(check.map(|check| check.verdict(secret)), Some(Verdict::Broken(_)))
}

fn rich(rule: &Rule, secret: &[u8]) -> bool {
    rule.min_entropy.is_none_or(|least| entropy(secret) >= least)
}

/// Shannon entropy in bits a byte.
pub fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let length = bytes.len() as f32;
    counts.iter().filter(|count| **count > 0).map(|count| *count as f32 / length).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(rule: &str) -> Vec<String> {
        let text = format!("[provider]\nid = \"x\"\nname = \"X\"\nsite = \"https://x.example\"\n\n[[rule]]\n{rule}\n");
        check(&[("rules/x.toml".to_owned(), text)]).into_iter().map(|problem| problem.to_string()).collect()
    }

    const GOOD: &str = r#"id = "x-token"
name = "X token"
kind = "token"
pattern = '''\b(xt_[a-z0-9]{12})\b'''
keywords = ["xt_"]
confidence = "high"
source = "https://x.example"
examples = ["xt_<<lan:12>>", "t: xt_<<lan:12>>"]
negative_examples = ["xt_<<lan:4>>", "yt_<<lan:12>>"]"#;

    #[test]
    fn a_good_rule_passes() {
        assert_eq!(one(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_named_with_file_and_line() {
        let cases = [
            ("{12}", "{12}(", "does not compile"),
            (r"\b(xt_[a-z0-9]{12})\b", "(xt_)?", "matches the empty text"),
            ("[\"xt_<<lan:12>>\", ", "[", "needs two examples"),
            ("yt_<<lan:12>>", "xt_<<lan:12>>", "negative example 2 matches"),
            ("t: xt_<<lan:12>>", "t: xt_", "example 2 does not match"),
            ("kind = \"token\"", "kind = \"thing\"", "unknown kind"),
            ("{12}", "{12}(?:[a-z]{1000}){1000}", "does not compile"),
        ];
        for (from, to, expected) in cases {
            let problems = one(&GOOD.replacen(from, to, 1));
            assert!(problems.iter().any(|p| p.contains(expected)), "{expected}: {problems:?}");
            assert!(problems[0].starts_with("rules/x.toml:7: x-token"), "{problems:?}");
        }
        let unknown = one(&format!("{GOOD}\ncolour = \"red\""));
        assert!(unknown[0].contains("colour"), "{unknown:?}");
    }

    #[test]
    fn the_same_id_twice_is_refused() {
        let problems = one(&format!("{GOOD}\n\n[[rule]]\n{GOOD}"));
        assert!(problems.iter().any(|p| p.contains("the id is taken")), "{problems:?}");
    }

    #[test]
    fn the_built_in_rules_are_sound() {
        let files: Vec<_> =
            super::super::RuleSet::builtin_files().iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        assert!(!files.is_empty(), "the set is empty");
        let problems: Vec<String> = check(&files).iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}
