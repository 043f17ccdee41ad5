//! Rules of kingfisher (YAML, `rules:` with `pattern`).

use serde_json::Value;

use super::{Draft, Group, Imported};
use crate::rule::Confidence;

/// Fields that narrow a rule and have no counterpart here.
const NARROWING: &[(&str, &str)] = &[
    ("depends_on_rule", "it wants another rule to match nearby; here it stands alone"),
    ("pattern_requirements", "its demands on the characters of the value were not translated"),
];

pub(super) fn read(tree: &Value) -> Option<Imported> {
    let rules = tree.get("rules")?.as_array()?;
    rules.iter().any(|rule| rule["pattern"].is_string()).then(|| {
        let mut imported = Imported::new("kingfisher");
        rules.iter().for_each(|rule| one(rule, &mut imported));
        imported
    })
}

fn one(rule: &Value, into: &mut Imported) {
    let id = rule["id"].as_str().unwrap_or("without id").to_owned();
    let Some(pattern) = rule["pattern"].as_str() else { return into.lose(&id, "it has no pattern") };
    for (key, why) in NARROWING {
        if rule.get(*key).is_some_and(|value| !value.is_null()) {
            into.lose(&id, why);
        }
    }
    let entropy = &rule["min_entropy"];
    let entropy = entropy.as_f64().or_else(|| entropy.as_str().and_then(|text| text.parse().ok()));
    into.add(Draft {
        name: rule["name"].as_str().unwrap_or(&id).to_owned(),
        pattern: pattern.trim().to_owned(),
        group: Some(Group::Name("TOKEN")),
        keywords: Vec::new(),
        confidence: match rule["confidence"].as_str() {
            Some("high") => Confidence::High,
            Some("low") => Confidence::Low,
            _ => Confidence::Medium,
        },
        min_entropy: entropy.map(|least| least as f32),
        id,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::yaml;

    #[test]
    fn rules_are_translated_and_losses_are_listed() {
        let text = "rules:\n  - name: Shop token\n    id: shop.1\n    pattern: |\n      (?x)\n      \\b shop_ # the prefix\n      (?P<TOKEN>[a-z0-9]{12})\n    min_entropy: 3.3\n    confidence: high\n    pattern_requirements:\n      min_digits: 2\n  - name: Behind\n    id: shop.2\n    pattern: '(?<=x)shop'\n";
        let imported = read(&yaml(text).expect("YAML")).expect("known");
        assert_eq!((imported.rules.len(), imported.lost.len()), (1, 2));
        let rule = &imported.rules[0];
        assert_eq!((&*rule.id, rule.confidence, rule.min_entropy), ("kingfisher/shop.1", Confidence::High, Some(3.3)));
        assert!(rule.shape.regex().contains("(?P<secret>"));
        assert_eq!(rule.keywords, ["shop_"]);
    }
}
