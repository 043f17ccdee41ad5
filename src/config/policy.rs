//! What no type can say of `[policy]` and `[[waiver]]`: names that exist, numbers that make sense, dates. Each mistake is shown
//! with its line.

use std::collections::HashSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};
use crate::plan::{Policy, Waiver, Way};

/// One step of the way to a value.
#[derive(Clone, Copy)]
enum At<'a> {
    Key(&'a str),
    Index(usize),
}
use At::{Index, Key};

/// Generated values must be at least this hard to guess.
const LEAST_BITS: f64 = 80.0;

/// Checks the parsed tables against the text that they came from. `systems`: names of all stores and providers.
pub(super) fn check(text: &str, shown: &str, policy: &Policy, waivers: &[Waiver], systems: &[&str]) -> Result<()> {
    let mistakes = of_values(policy)
        .chain(of_targets(policy, systems))
        .chain(of_decisions(policy))
        .chain(of_hooks(policy))
        .chain(of_approval(policy))
        .chain(of_waivers(waivers));
    match mistakes.into_iter().next() {
        None => Ok(()),
        Some((at, what)) => Err(Error::config(format!("{shown}{}: {what}", place(text, &at)))
            .still("Nothing was read and nothing was changed.")
            .next("docs/config.md shows every table and key.")),
    }
}

type Mistake<'a> = (Vec<At<'a>>, String);

fn at<'a>(path: &[At<'a>]) -> Vec<At<'a>> {
    path.to_vec()
}

fn of_values(policy: &Policy) -> impl Iterator<Item = Mistake<'_>> {
    let mut wrong = Vec::new();
    if policy.cap == 0 {
        wrong.push((at(&[Key("policy"), Key("cap")]), "a cap of 0 allows nothing".to_owned()));
    }
    let letters: HashSet<u8> = policy.alphabet.bytes().collect();
    if letters.len() != policy.alphabet.len() || !policy.alphabet.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = "an alphabet is made of visible ASCII characters, each of them once".to_owned();
        wrong.push((at(&[Key("policy"), Key("alphabet")]), what));
    }
    let bits = policy.length as f64 * (letters.len().max(1) as f64).log2();
    if bits < LEAST_BITS {
        let what = format!("{} characters of {} are too easy to guess ({bits:.0} bits)", policy.length, letters.len());
        wrong.push((at(&[Key("policy"), Key("length")]), what));
    }
    if !(0.0..=1.0).contains(&policy.min_confidence) {
        wrong.push((at(&[Key("policy"), Key("min_confidence")]), "a probability is between 0 and 1".to_owned()));
    }
    wrong.into_iter()
}

/// Every pattern names a system that is configured.
fn of_targets<'a>(policy: &'a Policy, systems: &'a [&str]) -> impl Iterator<Item = Mistake<'a>> {
    let policies = |key: &'static str| vec![Key("policy"), Key(key)];
    let mut lists: Vec<(Vec<At<'a>>, &[String])> = vec![
        (policies("protected"), &policy.protected),
        (policies("self_issued"), &policy.self_issued),
        (policies("order"), &policy.order),
    ];
    for (number, tier) in policy.tiers.iter().enumerate() {
        lists.push((at(&[Key("policy"), Key("tier"), Index(number), Key("targets")]), &tier.targets));
    }
    for (number, hook) in policy.hooks.iter().enumerate() {
        lists.push((at(&[Key("policy"), Key("hook"), Index(number), Key("targets")]), &hook.targets));
    }
    for (number, decision) in policy.decisions.iter().enumerate() {
        lists.push((at(&[Key("policy"), Key("treat"), Index(number), Key("targets")]), &decision.targets));
    }
    let patterns = lists.into_iter().flat_map(|(path, patterns)| {
        patterns.iter().enumerate().map(move |(number, pattern)| ([&path[..], &[Index(number)]].concat(), pattern))
    });
    let unknown = patterns.filter_map(move |(path, pattern)| {
        (!is_known(pattern, systems))
            .then(|| (path, format!("{pattern:?} names no store or provider; a target is system:place, * at its end")))
    });
    let rates = policy.rate.keys().filter(move |name| !systems.contains(&name.as_str()));
    unknown.chain(rates.map(|name| {
        (at(&[Key("policy"), Key("rate"), Key(name)]), format!("{name:?} is no store and no provider of this file"))
    }))
}

/// Whether a pattern of targets begins with the name of a system.
pub(super) fn is_known(pattern: &str, systems: &[&str]) -> bool {
    let system = pattern.split_once(':').map_or(pattern, |(system, _)| system);
    match system.strip_suffix('*') {
        Some(start) => systems.iter().any(|name| name.starts_with(start)),
        None => pattern.contains(':') && systems.contains(&system),
    }
}

fn of_decisions(policy: &Policy) -> impl Iterator<Item = Mistake<'_>> {
    let names: HashSet<&str> = policy.tiers.iter().map(|tier| tier.name.as_str()).collect();
    policy.decisions.iter().enumerate().flat_map(move |(number, decision)| {
        let here = |key| at(&[Key("policy"), Key("treat"), Index(number), Key(key)]);
        let mut wrong = Vec::new();
        if let Some(tier) = decision.tiers.iter().find(|tier| !names.contains(tier.as_str())) {
            wrong.push((here("tiers"), format!("there is no tier {tier:?}")));
        }
        match decision.way {
            Way::HandOver if decision.to.as_deref().unwrap_or_default().trim().is_empty() => {
                wrong.push((here("as"), "hand-over says to whom: to = \"somebody\"".to_owned()));
            }
            Way::LetExpire if decision.within.is_none() => {
                wrong.push((here("as"), "let-expire says until when: within = \"30d\"".to_owned()));
            }
            _ => {}
        }
        if !decision.grace.is_zero() && decision.way != Way::Rotate {
            wrong.push((here("grace"), "only as = \"rotate\" has a grace period".to_owned()));
        }
        wrong
    })
}

fn of_hooks(policy: &Policy) -> impl Iterator<Item = Mistake<'_>> {
    policy.hooks.iter().enumerate().filter_map(|(number, hook)| {
        let one = hook.exec.is_empty() != hook.webhook.is_none();
        let what = "a hook has either a program (exec) or an address (webhook)".to_owned();
        (!one).then(|| (at(&[Key("policy"), Key("hook"), Index(number)]), what))
    })
}

fn of_approval(policy: &Policy) -> impl Iterator<Item = Mistake<'_>> {
    let mut wrong = Vec::new();
    if let Some(approval) = &policy.approval {
        let here = |key| at(&[Key("policy"), Key("approval"), Key(key)]);
        let keys: HashSet<&str> = approval.by.iter().map(|approver| approver.key.as_str()).collect();
        if approval.needed == 0 || approval.needed > keys.len() {
            let what = format!("{} of {} different keys cannot approve", approval.needed, keys.len());
            wrong.push((here("needed"), what));
        }
        let is_key = |key: &str| key.len() == 16 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if let Some(number) = approval.by.iter().position(|approver| !is_key(&approver.key)) {
            let path = [&here("by")[..], &[Index(number), Key("key")]].concat();
            wrong.push((path, "a key id has 16 hexadecimal digits; `offkey approve --show-key` prints it".to_owned()));
        }
    }
    wrong.into_iter()
}

fn of_waivers(waivers: &[Waiver]) -> impl Iterator<Item = Mistake<'_>> {
    let (mut ids, mut values) = (HashSet::new(), HashSet::new());
    waivers.iter().enumerate().filter_map(move |(number, waiver)| {
        let here = |key| at(&[Key("waiver"), Index(number), Key(key)]);
        if waiver.until.len() != 10 || waiver.until.parse::<jiff::civil::Date>().is_err() {
            return Some((here("until"), format!("{:?} is no day: write 2026-12-31", waiver.until)));
        }
        for (key, text) in [("id", &waiver.id), ("owner", &waiver.owner), ("reason", &waiver.reason)] {
            if text.trim().is_empty() {
                return Some((here(key), format!("a waiver needs {key}: nobody answers for it otherwise")));
            }
        }
        if !ids.insert(&waiver.id) {
            return Some((here("id"), format!("two waivers are called {:?}", waiver.id)));
        }
        (!values.insert(waiver.fingerprint)).then(|| {
            (
                here("fingerprint"),
                "another waiver is for the same value: it would be unclear which one counts".to_owned(),
            )
        })
    })
}

/// `:12:7`, and the line itself below the message, for the deepest part of the path that the text has.
fn place(text: &str, path: &[At<'_>]) -> String {
    let Ok(table) = DeTable::parse(text) else { return String::new() };
    let mut span = None;
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    for (depth, part) in path.iter().enumerate() {
        let next = match (part, value.map(Spanned::get_ref)) {
            (Key(key), None) if depth == 0 => table.get_ref().get(*key),
            (Key(key), Some(DeValue::Table(table))) => table.get(*key),
            (Index(number), Some(DeValue::Array(array))) => array.get(*number),
            _ => None,
        };
        let Some(next) = next else { break };
        span = Some(next.span());
        value = Some(next);
    }
    let start = span.map_or(0, |span| span.start);
    let line = text[..start].matches('\n').count() + 1;
    let column = start - text[..start].rfind('\n').map_or(0, |at| at + 1) + 1;
    format!(":{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::super::file;

    const HEAD: &str = "[[store]]\nname = \"files\"\ntype = \"files\"\npaths = [\"x.env\"]\n";

    fn refused(text: &str) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("offkey.toml");
        std::fs::write(&path, format!("{HEAD}{text}")).expect("written");
        file::load(&path, false).expect_err("refused").to_string()
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let print = "fp:0123456789abcdef0123456789abcdef";
        let waiver = |until: &str, owner: &str| {
            format!(
                "[[waiver]]\nid = \"w\"\nfingerprint = \"{print}\"\nowner = \"{owner}\"\nreason = \"r\"\nuntil = \"{until}\"\n"
            )
        };
        let twice = format!("{}{}", waiver("2026-12-31", "bob"), waiver("2026-12-31", "bob").replace("\"w\"", "\"v\""));
        for (text, line, word) in [
            ("[policy]\ncap = 0\n", 6, "allows nothing"),
            ("[policy]\nlength = 4\n", 6, "too easy to guess"),
            ("[policy]\nalphabet = \"aab\"\n", 6, "each of them once"),
            ("[policy]\nmin_confidence = 3.0\n", 6, "between 0 and 1"),
            ("[policy]\nprotected = [\n  \"files:*\",\n  \"prod:*\",\n]\n", 8, "\"prod:*\" names no store"),
            ("[policy]\norder = [\"files\"]\n", 6, "system:place"),
            ("[policy]\nrate = { github = \"60/h\" }\n", 6, "\"github\" is no store"),
            ("[[policy.treat]]\ntiers = [\"critical\"]\nas = \"rotate\"\n", 6, "no tier \"critical\""),
            ("[[policy.treat]]\nas = \"hand-over\"\n", 6, "to whom"),
            ("[[policy.treat]]\nas = \"let-expire\"\n", 6, "until when"),
            ("[[policy.treat]]\nas = \"revoke\"\ngrace = \"1h\"\n", 7, "has a grace period"),
            (
                "[policy.approval]\nneeded = 2\nby = [{ name = \"b\", key = \"0123456789abcdef\" }]\n",
                6,
                "cannot approve",
            ),
            ("[policy.approval]\nneeded = 1\nby = [{ name = \"b\", key = \"xyz\" }]\n", 7, "16 hexadecimal digits"),
            (&waiver("31 December", "bob"), 10, "is no day"),
            (&waiver("2026-02-30", "bob"), 10, "is no day"),
            (&waiver("2026-12-31", " "), 8, "needs owner"),
            (&twice, 13, "for the same value"),
        ] {
            let error = refused(text);
            assert!(error.contains(&format!("offkey.toml:{line}:")), "line {line} of {text}: {error}");
            assert!(error.contains(word), "{error} has no {word}");
        }
        let error = refused("[[policy.treat]]\nas = \"rotate\"\ngrace = \"soon\"\n");
        assert!(error.contains("line 7") && error.contains("no span of time"), "{error}");
        let error = refused("[[policy.treat]]\nas = \"burn\"\n");
        assert!(error.contains("line 6") && error.contains("emergency-rotate"), "{error}");
    }

    #[test]
    fn the_example_of_the_documentation_is_valid() {
        let page = include_str!("../../docs/config.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("offkey.toml");
        std::fs::write(&path, example).expect("written");
        let policy = file::load(&path, false).expect("valid").policy;
        assert_eq!((policy.decisions.len(), policy.canary), (4, 1));
    }

    #[test]
    fn a_whole_policy_is_read() {
        let text = "[policy]\ncap = 5\norder = [\"files:canary*\"]\ncanary = 1\nrate = { files = \"600/m\" }\n\
                    [[policy.tier]]\nname = \"critical\"\ntargets = [\"files:prod*\"]\n\
                    [[policy.treat]]\ntiers = [\"critical\"]\nas = \"emergency-rotate\"\n\
                    [[policy.treat]]\nkinds = [\"password\"]\nas = \"rotate\"\ngrace = \"24h\"\n\
                    [policy.approval]\nneeded = 1\nby = [{ name = \"Bob Tanaka\", key = \"0123456789abcdef\" }]\n";
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("offkey.toml");
        std::fs::write(&path, format!("{HEAD}{text}")).expect("written");
        let policy = file::load(&path, false).expect("valid").policy;
        let critical = policy.tier(&["password"], &["files:prod.env#X".to_owned()]);
        assert_eq!(critical, Some("critical"));
        let decision = policy.decision(critical, &["password"], &["files:prod.env#X".to_owned()]).expect("decided");
        assert_eq!(decision.way, crate::plan::Way::EmergencyRotate);
        let calm = policy.decision(None, &["password"], &["files:a.env#X".to_owned()]).expect("decided");
        assert_eq!(calm.grace.0, 86_400);
        assert!(policy.decision(None, &["private-key"], &["files:a.env#X".to_owned()]).is_none());
    }
}
