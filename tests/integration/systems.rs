//! The pages of stores and providers are what the program says of itself.

use std::path::Path;

use crate::steps::offkey;

/// Whoever writes offkey.toml has the documentation only, and is sent there by every message about a key.
#[test]
fn every_key_of_every_table_stands_in_the_documentation() {
    let folder = tempfile::tempdir().expect("a folder");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let pages = std::fs::read_dir(docs).expect("listed").flatten().map(|entry| entry.path());
    let pages: String = pages.filter_map(|page| std::fs::read_to_string(page).ok()).collect();
    std::fs::write(folder.path().join("who.toml"), "name = \"Alice\"\nlogins = [\"alice\"]\n").expect("written");
    let mut asked = 0;
    for (table, which) in [("store", "stores"), ("provider", "providers")] {
        let listed = offkey(folder.path(), &["systems", which], None);
        for line in String::from_utf8(listed.stdout).expect("text").lines() {
            let kind = line.split_whitespace().next().expect("a type");
            let text = format!("[[{table}]]\ntype = \"{kind}\"\nname = \"x\"\nno-such-key = 1\n");
            std::fs::write(folder.path().join("offkey.toml"), text).expect("written");
            let refused = offkey(folder.path(), &["sweep", "--identity", "who.toml", "--case", "case", "."], None);
            assert_eq!(refused.status.code(), Some(2), "{kind}");
            let said = String::from_utf8(refused.stderr).expect("text");
            // A program that was built without this type names the feature instead.
            let Some((_, keys)) = said.split_once("expected one of ") else { continue };
            for key in keys.lines().next().expect("a line").split(", ").map(|key| key.trim_matches('`')) {
                let named = pages.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key);
                assert!(named, "no page under docs/ names the key `{key}` of {table} {kind}");
                asked += 1;
            }
        }
    }
    assert!(asked >= 2, "the tables say which keys they take");
}

#[test]
fn the_pages_of_stores_and_providers_are_current() {
    let folder = tempfile::tempdir().expect("a folder");
    for which in ["stores", "providers"] {
        let told = offkey(folder.path(), &["systems", which, "--format", "markdown"], None);
        assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{which}.md"));
        let kept = std::fs::read(page).expect("the page");
        let how = format!("offkey systems {which} --format markdown > docs/{which}.md");
        assert!(kept == told.stdout, "docs/{which}.md is old: {how}");
        let listed = offkey(folder.path(), &["systems", which], None);
        let lines = String::from_utf8(listed.stdout).expect("text");
        assert!(lines.lines().all(|line| line.contains(": ")) && lines.lines().count() > 5, "{lines}");
    }
}
