//! What people saw, out of the markup that an export keeps. Markup that splits a secret is closed up again.

pub(super) mod adf;
pub(super) mod html;
pub(super) mod wiki;

/// Two renderings of one text: the first, and what only the second has, line by line.
pub(super) fn merged(mut first: String, second: &str) -> String {
    for line in second.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !first.contains(line) {
            if !first.is_empty() {
                first.push('\n');
            }
            first.push_str(line);
        }
    }
    first
}
