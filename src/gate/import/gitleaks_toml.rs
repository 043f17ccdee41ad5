//! The allowlists of a `.gitleaks.toml`: paths, values, stop words and commits that its authors let pass.

use regex::bytes::Regex;
use toml::{Table, Value};

use super::{Means, Wish, Wishes};

pub(super) fn read(text: &str, shown: &str) -> Option<Wishes> {
    let table: Table = text.parse().ok()?;
    if !["allowlist", "allowlists", "rules", "extend"].iter().any(|key| table.contains_key(*key)) {
        return None;
    }
    let mut wishes = Wishes::default();
    lists(&table, &format!("{shown}: allowlist"), &mut wishes);
    for rule in list(&table, "rules").iter().filter_map(Value::as_table) {
        let id = rule.get("id").and_then(Value::as_str).unwrap_or("without id");
        // The rule is left out of account: gitleaks and offkey call the same token by different names.
        lists(rule, &format!("{shown}: rule {id}"), &mut wishes);
    }
    Some(wishes)
}

fn list<'a>(table: &'a Table, key: &str) -> &'a [Value] {
    table.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn lists(table: &Table, origin: &str, wishes: &mut Wishes) {
    let one = table.get("allowlist").and_then(Value::as_table);
    for allowed in one.into_iter().chain(list(table, "allowlists").iter().filter_map(Value::as_table)) {
        allowlist(allowed, origin, wishes);
    }
}

fn allowlist(table: &Table, origin: &str, wishes: &mut Wishes) {
    let reason = table.get("description").and_then(Value::as_str).map(str::to_owned);
    let target = table.get("regexTarget").and_then(Value::as_str).unwrap_or("secret");
    let words =
        |key: &'static str| list(table, key).iter().filter_map(Value::as_str).map(move |word| (key, word.to_owned()));
    let mut all: Vec<(String, Means)> = Vec::new();
    for (key, word) in ["paths", "regexes", "stopwords", "commits"].into_iter().flat_map(words) {
        let origin = format!("{origin}: {key} {word}");
        let pattern = |text: &str| Regex::new(text).map_err(|_| "its pattern is not one of this program's");
        let means = match key {
            "paths" => pattern(&word).map(Means::Path),
            "regexes" if target != "secret" => Err("it looks at the whole line, offkey keeps values only"),
            "regexes" => pattern(&word).map(Means::Value),
            "stopwords" => Ok(Means::Word(word)),
            _ => Ok(Means::Commit(word)),
        };
        match means {
            Ok(means) => all.push((origin, means)),
            Err(why) => wishes.untranslated.push(format!("{origin}: {why}")),
        }
    }
    let together = table.get("condition").and_then(Value::as_str).is_some_and(|word| word.eq_ignore_ascii_case("and"));
    if together && !all.is_empty() {
        let means = all.into_iter().map(|(_, means)| means).collect();
        wishes.entries.push(Wish::new(format!("{origin}: all conditions"), reason, Means::All(means)));
        return;
    }
    wishes.entries.extend(all.into_iter().map(|(origin, means)| Wish::new(origin, reason.clone(), means)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_and_rule_lists_are_read_and_what_looks_at_lines_is_listed() {
        let text = r#"
[extend]
useDefault = true
[allowlist]
description = "fixtures"
paths = ['''^tests/''', '''(?!x)y''']
regexes = ['''EXAMPLE$''']
[[rules]]
id = "generic-api-key"
[[rules.allowlists]]
regexTarget = "line"
regexes = ["x"]
[[rules.allowlists]]
condition = "AND"
paths = ["a"]
stopwords = ["dummy"]
"#;
        let wishes = read(text, "c").expect("known");
        assert_eq!(wishes.entries.len(), 3);
        assert_eq!(wishes.entries[0].reason.as_deref(), Some("fixtures"));
        assert!(matches!(&wishes.entries[2].means, Means::All(all) if all.len() == 2));
        assert_eq!(wishes.untranslated.len(), 2);
        assert!(read("[package]\nname = 'x'\n", "c").is_none());
    }
}
