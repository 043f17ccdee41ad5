//! Rules of other scanners → rules of ours. One file a format; what cannot be translated is listed, never dropped.
//!
//! Invariant: nothing here is a rule; the files stay where their authors keep them, and are read anew in every run.

mod gitleaks;
mod kingfisher;
mod literal;
mod nosey_parker;

use std::path::Path;
use std::sync::Arc;

use regex_syntax::ast::{self, Ast, GroupKind};

use super::{Confidence, Provider, Rule, RuleSet, Shape, check, yaml};
use crate::error::{Error, Result};

/// What was read out of one file.
#[derive(Debug)]
pub struct Imported {
    /// Name of the format.
    pub format: &'static str,
    /// Rules that can be run; their ids start with the name of their scanner.
    pub rules: Vec<Rule>,
    /// What was lost: a rule or a part of one, by its id, and why.
    pub lost: Vec<String>,
}

/// A foreign rule before it is one of ours.
struct Draft {
    id: String,
    name: String,
    pattern: String,
    /// The group that is the secret, where the file says so: its number or name.
    group: Option<Group>,
    keywords: Vec<String>,
    confidence: Confidence,
    min_entropy: Option<f32>,
}

enum Group {
    Number(u32),
    Name(&'static str),
}

/// Reads rule files of ours or of others and adds them to the built-in rules.
///
/// # Errors
/// When a file cannot be read, is of no known format, or a file of ours has problems.
pub fn with_builtin(files: &[impl AsRef<Path>]) -> Result<(Arc<RuleSet>, Vec<Imported>)> {
    if files.is_empty() {
        return Ok((RuleSet::builtin(), Vec::new()));
    }
    let mut rules = RuleSet::builtin().rules().to_vec();
    let mut all = Vec::new();
    for file in files {
        let imported = read(file.as_ref())?;
        rules.extend(imported.rules.iter().cloned());
        all.push(imported);
    }
    Ok((Arc::new(RuleSet::new(rules)), all))
}

/// Reads one file; its format is found by its content.
///
/// # Errors
/// When it cannot be read, is of no known format, or is of ours and has problems.
pub fn read(file: &Path) -> Result<Imported> {
    let shown = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|cause| Error::unreadable(format!("the rule file {shown}"), cause))?;
    if let Ok(table) = text.parse::<toml::Table>() {
        if table.contains_key("provider") {
            let rules = RuleSet::load(file)?.rules().to_vec();
            return Ok(Imported { format: "offkey", rules, lost: Vec::new() });
        }
        if let Some(imported) = gitleaks::read(&table) {
            return Ok(imported);
        }
    } else if let Ok(tree) = yaml(&text)
        && let Some(imported) = nosey_parker::read(&tree).or_else(|| kingfisher::read(&tree))
    {
        return Ok(imported);
    }
    Err(Error::config(format!("the rule file {shown} is of no known format"))
        .next("Known: offkey, gitleaks and betterleaks TOML, kingfisher and Nosey Parker YAML."))
}

impl Imported {
    fn new(format: &'static str) -> Self {
        Self { format, rules: Vec::new(), lost: Vec::new() }
    }

    /// Notes what is lost of a rule.
    fn lose(&mut self, id: &str, why: impl std::fmt::Display) {
        self.lost.push(format!("{id}: {why}"));
    }

    /// Makes a rule of a draft, or notes why there can be none.
    fn add(&mut self, draft: Draft) {
        let id = draft.id.clone();
        match self.translated(draft) {
            Ok(rule) => self.rules.push(rule),
            Err(why) => self.lose(&id, why),
        }
    }

    fn translated(&self, draft: Draft) -> Result<Rule, String> {
        let pattern = match draft.group {
            Some(group) => secret_named(&draft.pattern, &group)?,
            None => draft.pattern,
        };
        let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = parser
            .parse(&pattern)
            .map_err(|error| format!("its pattern is not one of this program's: {}", last_line(&error)))?;
        let fixed = literal::words(&hir);
        // Keywords of others may stand anywhere in a file, ours stand in the match; the pattern's own words are safer.
        let keywords = if fixed.is_empty() { draft.keywords } else { fixed };
        if keywords.is_empty() {
            return Err("its pattern has no fixed text of three characters to look for first".to_owned());
        }
        let scanner = self.format.split(' ').next().unwrap_or(self.format);
        let rule = Rule {
            id: format!("{scanner}/{}", draft.id).into(),
            kind: kind(&draft.id, &draft.name).into(),
            name: draft.name,
            provider: Arc::new(Provider { id: scanner.to_owned(), name: scanner.to_owned(), site: String::new() }),
            shape: Shape::Pattern(pattern),
            keywords,
            confidence: draft.confidence,
            check: None,
            min_entropy: draft.min_entropy.filter(|least| *least > 0.0),
            reach: None,
            pair: None,
            source: String::new(),
            examples: Vec::new(),
            negative_examples: Vec::new(),
        };
        check::compile(&rule).map_err(|error| format!("its pattern does not compile: {}", last_line(&error)))?;
        Ok(rule)
    }
}

fn last_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned()
}

/// What kind of credential it is, by the words of its id and name.
fn kind(id: &str, name: &str) -> &'static str {
    let text = format!("{id} {name}").to_lowercase();
    let kinds = [
        ("private key", "private-key"),
        ("private-key", "private-key"),
        ("webhook", "webhook"),
        ("jwt", "jwt"),
        ("password", "password"),
        ("connection string", "connection-string"),
        ("client secret", "oauth-secret"),
        ("secret key", "secret-key"),
        ("secret-key", "secret-key"),
        ("api key", "api-key"),
        ("api-key", "api-key"),
    ];
    kinds.into_iter().find(|(word, _)| text.contains(word)).map_or("token", |(_, kind)| kind)
}

/// The pattern with the group that is the secret named `secret`, as ours are.
fn secret_named(pattern: &str, wanted: &Group) -> Result<String, String> {
    let tree = ast::parse::Parser::new()
        .parse(pattern)
        .map_err(|error| format!("its pattern is not one of this program's: {}", last_line(&error)))?;
    let mut groups = Vec::new();
    collect(&tree, &mut groups);
    for group in groups {
        let at = group.span.start.offset;
        match (&group.kind, wanted) {
            (GroupKind::CaptureIndex(number), Group::Number(wanted)) if number == wanted => {
                return Ok(format!("{}(?P<secret>{}", &pattern[..at], &pattern[at + 1..]));
            }
            (GroupKind::CaptureName { name, .. }, Group::Number(wanted)) if name.index == *wanted => {
                return Ok(renamed(pattern, name));
            }
            (GroupKind::CaptureName { name, .. }, Group::Name(wanted)) if name.name == *wanted => {
                return Ok(renamed(pattern, name));
            }
            _ => {}
        }
    }
    match wanted {
        Group::Number(number) => Err(format!("its pattern has no group {number}")),
        // Without the name, group 1 or the whole match is the secret, as with ours.
        Group::Name(_) => Ok(pattern.to_owned()),
    }
}

fn renamed(pattern: &str, name: &ast::CaptureName) -> String {
    format!("{}secret{}", &pattern[..name.span.start.offset], &pattern[name.span.end.offset..])
}

fn collect<'a>(tree: &'a Ast, into: &mut Vec<&'a ast::Group>) {
    match tree {
        Ast::Group(group) => {
            into.push(group);
            collect(&group.ast, into);
        }
        Ast::Repetition(repetition) => collect(&repetition.ast, into),
        Ast::Alternation(all) => all.asts.iter().for_each(|one| collect(one, into)),
        Ast::Concat(all) => all.asts.iter().for_each(|one| collect(one, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_the_group_that_the_file_names() {
        assert_eq!(secret_named("(a)(b)", &Group::Number(2)), Ok("(a)(?P<secret>b)".to_owned()));
        assert_eq!(secret_named("(a)(?P<x>b)", &Group::Number(2)), Ok("(a)(?P<secret>b)".to_owned()));
        assert_eq!(secret_named("k=(?P<TOKEN>b)", &Group::Name("TOKEN")), Ok("k=(?P<secret>b)".to_owned()));
        assert_eq!(secret_named("k=(b)", &Group::Name("TOKEN")), Ok("k=(b)".to_owned()));
        assert!(secret_named("a", &Group::Number(1)).is_err());
    }
}
