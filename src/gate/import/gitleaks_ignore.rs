//! `.gitleaksignore`: one fingerprint a line, `commit:path:rule:line` or `path:rule:line`.

use super::{Means, Wish, Wishes};

pub(super) fn read(text: &str, shown: &str) -> Option<Wishes> {
    let mut wishes = Wishes::default();
    let mut reason = None;
    for (at, line) in text.lines().enumerate() {
        let (line, origin) = (line.trim(), format!("{shown}:{}", at + 1));
        if let Some(comment) = line.strip_prefix('#') {
            reason = Some(comment.trim().to_owned()).filter(|text| !text.is_empty());
            continue;
        }
        if line.is_empty() {
            reason = None;
            continue;
        }
        match entry(line) {
            Some(means) => wishes.entries.push(Wish::new(origin, reason.clone(), means)),
            None => wishes.untranslated.push(format!("{origin}: no fingerprint of gitleaks")),
        }
    }
    // Any text has lines: one that has no entry at all is something else.
    (!wishes.entries.is_empty() || wishes.untranslated.is_empty()).then_some(wishes)
}

/// The rule is left out of account: gitleaks and offkey call the same token by different names.
fn entry(line: &str) -> Option<Means> {
    let (rest, number) = line.rsplit_once(':')?;
    let (place, _rule) = rest.rsplit_once(':')?;
    let is_commit = |word: &str| word.len() >= 7 && word.len() <= 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let (commit, path) = match place.split_once(':') {
        Some((commit, path)) if is_commit(commit) => (Some(commit.to_owned()), path),
        _ => (None, place),
    };
    Some(Means::Place { commit, path: path.to_owned(), line: Some(number.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_comments_are_reasons() {
        let text = "# an example\n0123456789abcdef0123456789abcdef01234567:a:b/c.env:generic-api-key:7\n\nd.env:aws:3\nnonsense\n";
        let wishes = read(text, "f").expect("known");
        assert_eq!(wishes.entries.len(), 2);
        assert_eq!(wishes.entries[0].reason.as_deref(), Some("an example"));
        let Means::Place { commit: Some(_), path, line: Some(7) } = &wishes.entries[0].means else { panic!("a place") };
        assert_eq!(path, "a:b/c.env");
        assert!(matches!(&wishes.entries[1].means, Means::Place { commit: None, line: Some(3), .. }));
        assert_eq!(wishes.untranslated, ["f:5: no fingerprint of gitleaks"]);
    }
}
