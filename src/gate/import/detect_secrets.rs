//! `.secrets.baseline` of detect-secrets: SHA-1 of each value, by file.

use serde_json::Value;

use super::{Means, Wish, Wishes};

pub(super) fn read(text: &str, shown: &str) -> Option<Wishes> {
    let whole: Value = serde_json::from_str(text).ok()?;
    let files = whole.get("results")?.as_object()?;
    let mut wishes = Wishes::default();
    for (path, found) in files {
        for one in found.as_array()? {
            let line = one["line_number"].as_u64().unwrap_or(0);
            let origin = format!("{shown}: {path}:{line} {}", one["type"].as_str().unwrap_or("unknown type"));
            let Some(sha1) = one["hashed_secret"].as_str() else {
                wishes.untranslated.push(format!("{origin}: it has no hash"));
                continue;
            };
            // Somebody audited it and said that it is a secret: that is no reason to let it pass.
            if one["is_secret"].as_bool() == Some(true) {
                wishes.untranslated.push(format!("{origin}: it was audited as a real secret"));
                continue;
            }
            let path = path.trim_start_matches("./").replace('\\', "/");
            wishes.entries.push(Wish::new(origin, None, Means::Hash { path, sha1: sha1.to_ascii_lowercase() }));
        }
    }
    Some(wishes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_and_audited_secrets_are_not_let_pass() {
        let text = r#"{"version": "1.5.0", "results": {"a.py": [
            {"type": "Secret Keyword", "filename": "a.py", "hashed_secret": "AB12", "line_number": 3},
            {"type": "AWS Access Key", "hashed_secret": "cd", "line_number": 4, "is_secret": true}]}}"#;
        let wishes = read(text, "s").expect("known");
        assert!(
            matches!(&wishes.entries[..], [Wish { means: Means::Hash { path, sha1 }, .. }] if path == "a.py" && sha1 == "ab12")
        );
        assert_eq!(wishes.untranslated, ["s: a.py:4 AWS Access Key: it was audited as a real secret"]);
        assert!(read("{\"findings\": []}", "s").is_none());
    }
}
