//! Rules of Nosey Parker (YAML, ids that start with `np.`).

use serde_json::Value;

use super::{Draft, Imported};
use crate::rule::Confidence;

pub(super) fn read(tree: &Value) -> Option<Imported> {
    let rules = tree.get("rules")?.as_array()?;
    let is_ours = |rule: &Value| rule["id"].as_str().is_some_and(|id| id.starts_with("np."));
    rules.first().is_some_and(is_ours).then(|| {
        let mut imported = Imported::new("noseyparker");
        for rule in rules {
            let id = rule["id"].as_str().unwrap_or("without id").to_owned();
            let Some(pattern) = rule["pattern"].as_str() else {
                imported.lose(&id, "it has no pattern");
                continue;
            };
            imported.add(Draft {
                name: rule["name"].as_str().unwrap_or(&id).to_owned(),
                pattern: pattern.trim().to_owned(),
                group: None,
                keywords: Vec::new(),
                confidence: Confidence::Medium,
                min_entropy: None,
                id,
            });
        }
        imported
    })
}

#[cfg(test)]
mod tests {
    use crate::rule::yaml;

    #[test]
    fn rules_are_translated() {
        let text = "rules:\n- name: Shop token\n  id: np.shop.1\n  pattern: '\\b(shop_[a-z0-9]{12})\\b'\n  examples:\n  - x\n- name: None\n  id: np.shop.2\n";
        let imported = super::read(&yaml(text).expect("YAML")).expect("known");
        assert_eq!((imported.rules.len(), imported.lost.len()), (1, 1));
        assert_eq!(&*imported.rules[0].id, "noseyparker/np.shop.1");
        assert!(super::read(&yaml("rules:\n- id: shop.1\n").expect("YAML")).is_none());
    }
}
