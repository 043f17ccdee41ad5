//! The pages of stores and providers are what the program says of itself.

use std::path::Path;

use crate::steps::offkey;

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
