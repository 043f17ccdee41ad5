//! Changes out of a patch in git's form. A patch holds pieces of files only: a value that reaches beyond its context is
//! not seen whole, and the account says that a patch was all there was.

use super::change::{Added, Change, Take};
use crate::error::Result;
use crate::source::{Coverage, Provenance};

/// One hunk being read: the new side of it.
struct Hunk {
    start: u32,
    left_old: u32,
    left_new: u32,
    text: Vec<u8>,
    lines: u32,
    added: Vec<u32>,
}

/// Hands on the new side of every hunk.
///
/// # Errors
/// Those of `take`.
pub(super) fn read(patch: &[u8], coverage: &mut Coverage, take: &mut Take<'_>) -> Result<()> {
    let mut path = String::new();
    let mut hunk: Option<Hunk> = None;
    for line in patch.split_inclusive(|b| *b == b'\n') {
        if let Some(open) = hunk.as_mut().filter(|h| h.left_old > 0 || h.left_new > 0) {
            match line.first() {
                Some(b'+') => open.line(&line[1..], true),
                Some(b'-') => open.left_old = open.left_old.saturating_sub(1),
                Some(b'\\') => {}
                Some(b' ') => open.line(&line[1..], false),
                // Mail programs cut the blank of an empty line off.
                _ => open.line(line, false),
            }
            continue;
        }
        finish(hunk.take(), &path, take)?;
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if let Some(name) = text.strip_prefix("+++ ") {
            path = file_name(name);
        } else if text.starts_with("@@ ") {
            hunk = header(text);
            if hunk.is_none() {
                coverage.fail(path.clone(), "a hunk whose header cannot be read");
            }
        } else if text.starts_with("@@@") {
            coverage.fail(path.clone(), "a combined diff of a merge: give the range of commits instead");
        } else if text.starts_with("GIT binary patch") || text.starts_with("Binary files ") {
            coverage.skip(path.clone(), "binary content");
        }
    }
    finish(hunk, &path, take)
}

impl Hunk {
    fn line(&mut self, text: &[u8], added: bool) {
        if added {
            self.added.push(self.lines + 1);
        } else {
            self.left_old = self.left_old.saturating_sub(1);
        }
        self.left_new = self.left_new.saturating_sub(1);
        self.text.extend_from_slice(text);
        self.lines += 1;
    }
}

fn finish(hunk: Option<Hunk>, path: &str, take: &mut Take<'_>) -> Result<()> {
    let Some(hunk) = hunk.filter(|hunk| !hunk.added.is_empty()) else { return Ok(()) };
    take(Change {
        path: path.to_owned(),
        bytes: hunk.text,
        added: Added::Lines(hunk.added.into_iter().map(|line| line..=line).collect()),
        offset: hunk.start.saturating_sub(1),
        by: None,
        provenance: Provenance::Stream { name: path.to_owned() },
    })
}

/// `@@ -1,2 +3,4 @@`
fn header(text: &str) -> Option<Hunk> {
    let mut words = text.split(' ').skip(1);
    let range = |word: &str, sign: char| -> Option<(u32, u32)> {
        let word = word.strip_prefix(sign)?;
        let (start, length) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse().ok()?, length.parse().ok()?))
    };
    let (_, left_old) = range(words.next()?, '-')?;
    let (start, left_new) = range(words.next()?, '+')?;
    Some(Hunk { start, left_old, left_new, text: Vec::new(), lines: 0, added: Vec::new() })
}

/// The path behind `+++ `: without the letter of the side, the time stamp of diff(1), and quotes.
fn file_name(name: &str) -> String {
    let name = name.split('\t').next().unwrap_or(name).trim_matches('"');
    name.strip_prefix("b/").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(patch: &str) -> (Vec<Change>, Coverage) {
        let (mut all, mut coverage) = (Vec::new(), Coverage::new("p", "patch"));
        read(patch.as_bytes(), &mut coverage, &mut |change| {
            all.push(change);
            Ok(())
        })
        .expect("reads");
        (all, coverage)
    }

    #[test]
    fn hunks_give_their_new_side_with_line_numbers() {
        let patch =
            "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -3,2 +3,3 @@ fn\n a\n-b\n+B\n+C\n@@ -9 +10 @@\n-+++ b/y\n+z\n";
        let (all, coverage) = changes(patch);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].path.as_str(), all[0].offset, all[0].bytes.as_slice()), ("x", 2, &b"a\nB\nC\n"[..]));
        assert_eq!(all[0].added, Added::Lines(vec![2..=2, 3..=3]));
        assert_eq!((all[1].path.as_str(), all[1].offset), ("x", 9), "a removed line that looks like a header is text");
        assert!(!coverage.is_partial());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(changes("+++ b/x\n@@ nonsense\n+a\n").1.is_partial());
        assert!(changes("+++ b/x\n@@@ -1 -1 +1 @@@\n++a\n").1.is_partial());
    }
}
