//! What people saw, out of the markup that an export keeps. Markup that splits a secret is closed up again.

pub(super) mod adf;
pub(super) mod html;
pub(super) mod wiki;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Two renderings of one text: the first, and what only the second has, line by line.
pub(super) fn merged(mut first: String, second: &str) -> String {
    let mut said = Said::default();
    for line in second.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !said.holds(&first, line) {
            if !first.is_empty() {
                first.push('\n');
            }
            first.push_str(line);
        }
    }
    first
}

/// Whether a text has a line in it, asked of many lines of one text that grows by them.
#[derive(Default)]
pub(in crate::source) struct Said {
    searched: usize,
    lines: Option<HashSet<u64>>,
}

/// Bytes that are searched for lines; what is asked after them is compared with whole lines only.
const SEARCHED: usize = 256 << 20;

impl Said {
    /// Whether the text holds a line; one that it does not hold is about to be added to it.
    pub(in crate::source) fn holds(&mut self, text: &str, line: &str) -> bool {
        self.searched += text.len();
        if self.searched < SEARCHED {
            return memchr::memmem::find(text.as_bytes(), line.as_bytes()).is_some();
        }
        let hash = |line: &str| {
            let mut hasher = DefaultHasher::new();
            line.hash(&mut hasher);
            hasher.finish()
        };
        let lines = self.lines.get_or_insert_with(|| text.lines().map(|line| hash(line.trim())).collect());
        !lines.insert(hash(line))
    }
}

#[cfg(test)]
mod tests {
    use super::merged;

    #[test]
    fn two_long_renderings_are_compared_line_by_line() {
        let rendering = |odd: &str| {
            (0..60_000).map(|n| format!("line {n} {}\n", if n % 1000 == 7 { odd } else { "" })).collect::<String>()
        };
        let (first, second) = (rendering("here"), rendering("there"));
        let both = merged(first.clone(), &second);
        assert!(both.starts_with(&first));
        assert_eq!((both.matches("there").count(), both.lines().count()), (60, 60_061));
        assert_eq!(merged("a b\nc".to_owned(), " b \nd\n\nd"), "a b\nc\nd");
    }
}
