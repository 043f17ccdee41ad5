//! Rules of a gitleaks or betterleaks configuration (TOML, `[[rules]]`).

use toml::{Table, Value};

use super::{Draft, Group, Imported};
use crate::rule::Confidence;

/// Fields that narrow a rule and have no counterpart here: without them it finds more.
const NARROWING: &[(&str, &str)] = &[
    ("path", "it looks at certain files only; here it looks at all"),
    ("allowlist", "its allowlist was not translated; `offkey import` takes it into a baseline"),
    ("allowlists", "its allowlists were not translated; `offkey import` takes them into a baseline"),
    ("required", "it wants other rules to match nearby; here it stands alone"),
    ("filter", "its filter was not translated"),
    ("prefilter", "its prefilter was not translated"),
    ("tokenEfficiency", "its measure of words was not translated"),
];

pub(super) fn read(table: &Table) -> Option<Imported> {
    let rules = table.get("rules")?.as_array()?;
    let betterleaks = table.keys().any(|key| key.starts_with("betterleaks")) || rules.iter().any(is_betterleaks);
    let mut imported = Imported::new(if betterleaks { "betterleaks" } else { "gitleaks" });
    if table.get("extend").and_then(|extend| extend.get("path")).is_some() {
        imported.lose("[extend]", "the file that it extends was not read; pass it with its own --rules");
    }
    for rule in rules.iter().filter_map(Value::as_table) {
        one(rule, &mut imported);
    }
    Some(imported)
}

fn is_betterleaks(rule: &Value) -> bool {
    ["filter", "prefilter", "validate", "confidence"].iter().any(|key| rule.get(key).is_some())
}

fn one(rule: &Table, into: &mut Imported) {
    let text = |key: &str| rule.get(key).and_then(Value::as_str);
    let id = text("id").unwrap_or("without id").to_owned();
    let Some(pattern) = text("regex") else {
        return into
            .lose(&id, "it has no pattern: it matches by path only, or changes a rule of a file that it extends");
    };
    for (key, why) in NARROWING {
        if rule.contains_key(*key) {
            into.lose(&id, why);
        }
    }
    let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    let group = rule.get("secretGroup").and_then(Value::as_integer).filter(|group| *group > 1);
    let keywords = rule.get("keywords").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    into.add(Draft {
        name: text("description").unwrap_or(&id).to_owned(),
        pattern: pattern.to_owned(),
        group: group.and_then(|group| u32::try_from(group).ok()).map(Group::Number),
        keywords: keywords.iter().filter_map(Value::as_str).map(str::to_lowercase).collect(),
        confidence: match text("confidence") {
            Some("high") => Confidence::High,
            Some("low") => Confidence::Low,
            _ => Confidence::Medium,
        },
        min_entropy: rule.get("entropy").and_then(number).map(|least| least as f32),
        id,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_translated_and_losses_are_listed() {
        let text = r#"
[extend]
path = "other.toml"
[[rules]]
id = "shop-token"
description = "Token of the shop"
regex = '''\b(shop)_([a-z0-9]{12})\b'''
secretGroup = 2
entropy = 3
keywords = ["SHOP_"]
[[rules]]
id = "look-around"
regex = '''(?!x)shop'''
[[rules]]
id = "by-path"
path = '''\.pem$'''
[[rules]]
id = "shapeless"
regex = '''[a-f0-9]{32}'''
[[rules]]
id = "narrow"
regex = '''narrow_[0-9]{8}'''
path = '''\.py$'''
"#;
        let imported = read(&text.parse().expect("TOML")).expect("known");
        assert_eq!(imported.format, "gitleaks");
        let ids: Vec<&str> = imported.rules.iter().map(|rule| &*rule.id).collect();
        assert_eq!(ids, ["gitleaks/shop-token", "gitleaks/narrow"]);
        assert_eq!(imported.rules[0].shape.regex(), r"\b(shop)_(?P<secret>[a-z0-9]{12})\b");
        assert_eq!(
            (imported.rules[0].min_entropy, &imported.rules[0].keywords[..]),
            (Some(3.0), &["shop_".to_owned()][..])
        );
        let lost: Vec<&str> = imported.lost.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(lost, ["[extend]", "look-around", "by-path", "shapeless", "narrow"]);
        assert!(read(&"[package]\nname = 'x'\n".parse().expect("TOML")).is_none());
    }
}
