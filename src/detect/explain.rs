//! Why something was found or was not: every place that was looked at, with the numbers behind the decision.

use super::generic::Features;
use super::{Detector, Match};

/// A place that was looked at.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What it would be reported as; its confidence may lie below the threshold.
    pub found: Match,
    /// The filter that dropped it whatever its numbers say.
    pub dropped: Option<&'static str>,
    /// The numbers that the ranker saw; empty for matches of a provider's rule.
    pub features: Vec<(&'static str, f32)>,
}

impl Detector {
    /// Everything that was looked at in a document, kept or not, in order of its place.
    pub fn explain(&self, bytes: &[u8], path_hint: Option<&str>) -> Vec<Explained> {
        let mut all = Vec::new();
        self.everything(bytes, path_hint, &mut |found, dropped, features| {
            let named = |f: Features| Features::names().iter().copied().zip(f.values).collect();
            all.push(Explained { found, dropped, features: features.map(named).unwrap_or_default() });
        });
        all.sort_by_key(|explained| explained.found.span.start);
        all
    }
}
