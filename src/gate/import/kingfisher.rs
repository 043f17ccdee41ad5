//! Baselines of kingfisher: places by path and line. Its own fingerprints depend on its rules, so they are not compared.

use serde_json::Value;

use super::{Means, Wish, Wishes};
use crate::rule::yaml;

pub(super) fn read(text: &str, shown: &str) -> Option<Wishes> {
    let whole = yaml(text).ok()?;
    let mut wishes = Wishes::default();
    if let Some(repositories) = whole.get("repositories").and_then(Value::as_array) {
        let found = repositories.iter().filter_map(|one| one["findings"].as_array()).flatten();
        found.for_each(|one| entry(one, "path", "line", shown, &mut wishes));
        return Some(wishes);
    }
    let found = whole.get("ExactFindings")?.get("matches")?.as_array()?;
    found.iter().for_each(|one| entry(one, "filepath", "linenum", shown, &mut wishes));
    Some(wishes)
}

fn entry(one: &Value, path: &str, line: &str, shown: &str, wishes: &mut Wishes) {
    let number = one[line].as_u64().and_then(|line| u32::try_from(line).ok());
    match (one[path].as_str(), number) {
        (Some(path), Some(line)) => {
            let path = path.trim_start_matches("./").to_owned();
            let origin = format!("{shown}: {path}:{line}");
            wishes.entries.push(Wish::new(origin, None, Means::Place { commit: None, path, line: Some(line) }));
        }
        _ => wishes.untranslated.push(format!("{shown}: an entry without path and line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let second = "version: 2\nrepositories:\n- id: local\n  findings:\n  - path: a.env\n    line: 2\n    rule_id: x\n  - path: b\n";
        let wishes = read(second, "k").expect("known");
        assert_eq!((wishes.entries.len(), wishes.untranslated.len()), (1, 1));
        let first = "ExactFindings:\n  matches:\n    - filepath: ./c.env\n      fingerprint: '1'\n      linenum: 9\n";
        let wishes = read(first, "k").expect("known");
        assert!(matches!(&wishes.entries[0].means, Means::Place { path, line: Some(9), .. } if path == "c.env"));
        assert!(read("a: b\n", "k").is_none());
    }
}
