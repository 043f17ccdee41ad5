//! The `[gate]` table: which verdicts block a change, and what may excuse a finding.

use serde::Deserialize;

use crate::finding::Verdict;

/// What the organisation decided about changes to its repositories. The gate reads it from the base of a change, so that
/// no change can excuse itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatePolicy {
    /// Verdicts that end the gate with exit code 10.
    pub block: Vec<Verdict>,
    /// Least probability of a finding, 0 to 1.
    #[serde(deserialize_with = "probability")]
    pub min_confidence: f32,
    /// Whether `offkey:allow` with a reason excuses a new finding. A stale one is never excused by it.
    pub inline_allow: bool,
    /// A credential that was first seen more days ago than this is stale; none: no limit.
    pub max_age_days: Option<u32>,
    /// The baseline, relative to the top of the repository.
    pub baseline: String,
    /// Paths that the gate does not look at: `folder/`, `*.lock`, or a whole path. What is left out is counted and said.
    pub exclude: Vec<String>,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            block: vec![Verdict::Stale, Verdict::New],
            min_confidence: 0.5,
            inline_allow: true,
            max_age_days: None,
            baseline: ".offkey-baseline.json".to_owned(),
            exclude: Vec::new(),
        }
    }
}

/// A larger number would let everything pass, without a word.
fn probability<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    let number = f32::deserialize(from)?;
    if (0.0..=1.0).contains(&number) {
        Ok(number)
    } else {
        Err(serde::de::Error::custom("a probability is between 0 and 1"))
    }
}

impl GatePolicy {
    /// Whether a path is left out.
    pub fn excludes(&self, path: &str) -> bool {
        self.exclude.iter().any(|pattern| fits(pattern, path))
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    if let Some(folder) = pattern.strip_suffix("/**").or_else(|| pattern.strip_suffix('/')) {
        return path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    }
    if let Some(ending) = pattern.strip_prefix("**/*").or_else(|| pattern.strip_prefix('*')) {
        return path.ends_with(ending);
    }
    pattern == path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_endings_and_paths_are_left_out() {
        let policy =
            GatePolicy { exclude: vec!["vendor/".into(), "*.lock".into(), "a/b.txt".into()], ..GatePolicy::default() };
        assert!(policy.excludes("vendor/x/y.c") && policy.excludes("deep/Cargo.lock") && policy.excludes("a/b.txt"));
        assert!(!policy.excludes("vendored/x.c") && !policy.excludes("a/b.txt.orig"));
    }
}
