//! `offkey rules …`: look at rules and check them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{RuleFormat, RulesCommand};
use super::exit::Exit;
use super::ui::Ui;
use crate::detect::{Detector, Options};
use crate::error::{Error, Result};
use crate::rule::{self, Rule, RuleSet, check};

/// Runs the command.
pub(super) fn run(command: &RulesCommand) -> Result<Exit> {
    match command {
        RulesCommand::Check { files } => check_files(files),
        RulesCommand::List { format } => list(*format),
        RulesCommand::Show { id } => show(id),
        RulesCommand::Test { file } => test(file),
    }
}

/// The built-in rules and those of the files; what could not be translated is said.
pub(super) fn with(files: &[PathBuf], ui: Ui) -> Result<Arc<RuleSet>> {
    let (rules, imported) = rule::import::with_builtin(files)?;
    for (file, one) in files.iter().zip(&imported) {
        let (shown, lost) = (file.display(), one.lost.len());
        ui.note(format!("{shown}: {} rules of {}, {lost} losses", one.rules.len(), one.format));
        one.lost.iter().for_each(|why| ui.warn(format!("{shown}: {why}")));
    }
    Ok(rules)
}

fn check_files(paths: &[PathBuf]) -> Result<Exit> {
    let mut files = Vec::new();
    if paths.is_empty() {
        files.extend(RuleSet::builtin_files().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    }
    for path in paths {
        files.extend(rule::files(path)?);
    }
    let problems = check::check(&files);
    let mut out = std::io::stdout().lock();
    let rules: usize = files.iter().map(|(_, text)| text.matches("[[rule]]").count()).sum();
    let mut print = || -> std::io::Result<()> {
        problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
        writeln!(out, "{rules} rules in {} files, {} problems", files.len(), problems.len())
    };
    super::ended_early(print())?;
    Ok(if problems.is_empty() { Exit::Clean } else { Exit::Usage })
}

fn list(format: RuleFormat) -> Result<Exit> {
    let set = RuleSet::builtin();
    let mut out = std::io::stdout().lock();
    let json = |rule: &Rule| {
        serde_json::json!({
            "id": &*rule.id, "name": rule.name, "provider": rule.provider.name, "kind": &*rule.kind,
            "confidence": rule.confidence, "source": rule.source,
        })
    };
    let mut print = || -> std::io::Result<()> {
        match format {
            RuleFormat::Text => set.rules().iter().try_for_each(|rule| writeln!(out, "{:<44} {}", rule.id, rule.name)),
            RuleFormat::Jsonl => set.rules().iter().try_for_each(|rule| writeln!(out, "{}", json(rule))),
            RuleFormat::Json => writeln!(out, "{}", serde_json::Value::Array(set.rules().iter().map(json).collect())),
            RuleFormat::Markdown => markdown(&set, &mut out),
        }
    };
    super::ended_early(print())?;
    Ok(Exit::Clean)
}

/// The page of all rules: providers by name, each with its rules and how far each is trusted.
fn markdown(set: &RuleSet, out: &mut impl Write) -> std::io::Result<()> {
    let mut providers: Vec<(&str, Vec<&Rule>)> = Vec::new();
    for rule in set.rules() {
        match providers.last_mut() {
            Some((id, rules)) if *id == rule.provider.id => rules.push(rule),
            _ => providers.push((&rule.provider.id, vec![rule])),
        }
    }
    providers.sort_by_key(|(_, rules)| rules[0].provider.name.to_lowercase());
    writeln!(out, "# Rules\n")?;
    writeln!(
        out,
        "{} rules for {} providers. Made by `offkey rules list --format markdown`;",
        set.rules().len(),
        providers.len()
    )?;
    writeln!(
        out,
        "`offkey rules show ID` prints pattern, keywords and the source of the format. Behind each id: what the"
    )?;
    writeln!(
        out,
        "shape proves before checks and filters (high, medium, low) and the structure check, if there is one.\n"
    )?;
    for (_, rules) in providers {
        let each = rules.iter().map(|rule| {
            let check = rule.check.map(|check| format!(", {}", serde_json::json!(check).as_str().unwrap_or_default()));
            let tier = serde_json::json!(rule.confidence);
            format!("`{}` {}{}", rule.id, tier.as_str().unwrap_or_default(), check.unwrap_or_default())
        });
        writeln!(out, "- {}: {}", rules[0].provider.name, each.collect::<Vec<_>>().join(" · "))?;
    }
    Ok(())
}

fn show(id: &str) -> Result<Exit> {
    let set = RuleSet::builtin();
    let Some(rule) = set.get(id) else {
        return Err(Error::user(format!("there is no rule {id}")).next("`offkey rules list` prints all ids."));
    };
    let mut out = std::io::stdout().lock();
    let mut print = || -> std::io::Result<()> {
        writeln!(out, "{}  {}", rule.id, rule.name)?;
        writeln!(out, "  provider    {} ({})", rule.provider.name, rule.provider.site)?;
        writeln!(out, "  kind        {}", rule.kind)?;
        writeln!(out, "  confidence  {:.2}", rule.confidence.probability())?;
        writeln!(out, "  keywords    {}", rule.keywords.join(", "))?;
        writeln!(out, "  pattern     {}", rule.shape.regex())?;
        writeln!(out, "  source      {}", rule.source)
    };
    super::ended_early(print())?;
    Ok(Exit::Clean)
}

/// Prints every match of a file with what the filters said, also those below the usual threshold. Never a value.
fn test(path: &Path) -> Result<Exit> {
    let bytes = std::fs::read(path).map_err(|cause| Error::unreadable(path.display(), cause))?;
    let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::from(0.0))?;
    let mut found = Vec::new();
    detector.scan(&bytes, path.to_str(), &mut found);
    let mut out = std::io::stdout().lock();
    let mut print = || -> std::io::Result<()> {
        for one in &found {
            let line = memchr::memchr_iter(b'\n', &bytes[..one.span.start]).count() + 1;
            let notes = if one.notes.is_empty() { "no filter spoke".to_owned() } else { one.notes.join(", ") };
            writeln!(out, "{line}: {} {:.2}  [{} characters]  {notes}", one.rule, one.confidence, one.secret.len())?;
        }
        writeln!(out, "{} matches", found.len())
    };
    super::ended_early(print())?;
    Ok(if found.is_empty() { Exit::Clean } else { Exit::Findings })
}
