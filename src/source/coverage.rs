//! What was read, skipped and failed. Silent partial scans are this field's worst habit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why a part of a source was not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// Left out on purpose, by a rule that the user could change (ignored file, binary content).
    Skipped,
    /// Should have been read and could not be: makes the run partial.
    Failed,
}

/// One part of a source that was not searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Skipped on purpose or failed.
    pub kind: GapKind,
    /// The part: a path, an object id, a member of an archive.
    pub place: String,
    /// Why, as part of a sentence: `encrypted archive`, `binary file`, `pack checksum differs`.
    pub why: String,
}

/// Account of one source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// Name of the source.
    pub source: String,
    /// What the source was taken for: `git`, `slack-export`, `files`.
    pub format: String,
    /// Documents handed on.
    pub documents: u64,
    /// Bytes of text handed on (decoded).
    pub bytes: u64,
    /// Bytes read from disk (before decompression).
    pub raw_bytes: u64,
    /// Parts not searched; long lists keep the first [`Coverage::LISTED`] of each reason, all are counted.
    pub gaps: Vec<Gap>,
    /// How often each reason occurred, skipped and failed apart.
    pub counts: BTreeMap<String, u64>,
}

impl Coverage {
    /// How many gaps of one reason are listed by name.
    pub const LISTED: u64 = 100;

    /// An empty account for a source.
    pub fn new(source: impl Into<String>, format: impl Into<String>) -> Self {
        Self { source: source.into(), format: format.into(), ..Self::default() }
    }

    /// Notes a part that was left out on purpose.
    pub fn skip(&mut self, place: impl Into<String>, why: impl Into<String>) {
        self.gap(GapKind::Skipped, place.into(), why.into());
    }

    /// Notes parts that were left out on purpose and are too many to name.
    pub fn skip_many(&mut self, count: u64, why: &str) {
        if count > 0 {
            *self.counts.entry(format!("skipped: {why}")).or_default() += count;
        }
    }

    /// Notes a part that could not be read; the run is partial from here on.
    pub fn fail(&mut self, place: impl Into<String>, why: impl Into<String>) {
        self.gap(GapKind::Failed, place.into(), why.into());
    }

    fn gap(&mut self, kind: GapKind, place: String, why: String) {
        let label = match kind {
            GapKind::Skipped => "skipped",
            GapKind::Failed => "failed",
        };
        let count = self.counts.entry(format!("{label}: {why}")).or_default();
        *count += 1;
        if *count <= Self::LISTED {
            self.gaps.push(Gap { kind, place, why });
        }
    }

    /// What was read, for people: `7 documents, 1.2 kB`.
    pub fn amount(&self) -> String {
        let documents = if self.documents == 1 { "document" } else { "documents" };
        let (bytes, mut size, mut unit) = (self.bytes, self.bytes as f64, "bytes");
        for larger in ["kB", "MB", "GB", "TB"] {
            if size < 1000.0 {
                break;
            }
            (size, unit) = (size / 1000.0, larger);
        }
        let shown = if bytes < 1000 { bytes.to_string() } else { format!("{size:.1}") };
        format!("{} {documents}, {shown} {unit}", self.documents)
    }

    /// True when something that should have been read was not.
    pub fn is_partial(&self) -> bool {
        self.counts.keys().any(|key| key.starts_with("failed: "))
    }

    /// How many parts of a kind there are, listed or not.
    pub fn count(&self, kind: GapKind) -> u64 {
        let label = match kind {
            GapKind::Skipped => "skipped: ",
            GapKind::Failed => "failed: ",
        };
        self.counts.iter().filter(|(key, _)| key.starts_with(label)).map(|(_, n)| n).sum()
    }

    /// Adds the account of a part (a worker's share, an archive inside) to this one.
    pub fn absorb(&mut self, other: Coverage) {
        self.documents += other.documents;
        self.bytes += other.bytes;
        self.raw_bytes += other.raw_bytes;
        for (reason, count) in other.counts {
            *self.counts.entry(reason).or_default() += count;
        }
        let mut listed: BTreeMap<(GapKind, String), u64> = BTreeMap::new();
        for gap in other.gaps {
            let known = listed.entry((gap.kind, gap.why.clone())).or_insert_with(|| {
                self.gaps.iter().filter(|one| one.kind == gap.kind && one.why == gap.why).count() as u64
            });
            *known += 1;
            if *known <= Self::LISTED {
                self.gaps.push(gap);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_makes_a_run_partial_and_a_skip_does_not() {
        let mut coverage = Coverage::new("here", "files");
        coverage.skip("a.png", "binary file");
        assert!(!coverage.is_partial());
        coverage.fail("b", "cannot be opened");
        assert!(coverage.is_partial());
        assert_eq!((coverage.count(GapKind::Skipped), coverage.count(GapKind::Failed)), (1, 1));
    }

    #[test]
    fn long_lists_are_cut_and_still_counted() {
        let mut coverage = Coverage::new("here", "files");
        for n in 0..500 {
            coverage.skip(format!("{n}.png"), "binary file");
        }
        assert_eq!(coverage.gaps.len() as u64, Coverage::LISTED);
        assert_eq!(coverage.count(GapKind::Skipped), 500);
    }
}
