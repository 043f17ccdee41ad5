//! Gradient-boosted trees as a static table: features → probability.
//!
//! The table (ranker.txt) is made by `scripts/train-ranker.py` from labelled public data; it holds thresholds and leaf values,
//! no text of any value and no path.

use std::sync::OnceLock;

/// The table: feature names, a base score, then one tree a line.
static TABLE: &str = include_str!("ranker.txt");

/// One inner node or leaf. A leaf has no feature and its score in `threshold`.
#[derive(Clone, Copy, Debug)]
struct Node {
    feature: u16,
    left: u16,
    right: u16,
    threshold: f32,
}

const LEAF: u16 = u16::MAX;

/// All trees.
#[derive(Debug)]
pub(in crate::detect) struct Ranker {
    #[cfg(test)]
    names: Vec<&'static str>,
    base: f32,
    trees: Vec<Vec<Node>>,
}

impl Ranker {
    /// The built-in table, read at its first use.
    pub(in crate::detect) fn get() -> &'static Self {
        static RANKER: OnceLock<Ranker> = OnceLock::new();
        RANKER.get_or_init(|| Self::read(TABLE).expect("because a test reads the table"))
    }

    fn read(text: &'static str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        // What was trained for other features would follow the wrong ones; a test compares the names.
        let _names = lines.next()?;
        let base = lines.next()?.parse().ok()?;
        let trees = lines.map(tree).collect::<Option<Vec<_>>>()?;
        Some(Self {
            #[cfg(test)]
            names: _names.split(' ').collect(),
            base,
            trees,
        })
    }

    /// Names of the features in the order of the table.
    #[cfg(test)]
    pub(in crate::detect) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Probability that the value with these features is a secret.
    pub(in crate::detect) fn probability(&self, features: &[f32]) -> f32 {
        let score: f32 = self.trees.iter().map(|tree| leaf(tree, features)).sum();
        1.0 / (1.0 + (-(score + self.base)).exp())
    }
}

fn leaf(tree: &[Node], features: &[f32]) -> f32 {
    let mut at = 0;
    loop {
        let node = tree[at];
        if node.feature == LEAF {
            return node.threshold;
        }
        at = usize::from(if features.get(usize::from(node.feature)).copied().unwrap_or(0.0) <= node.threshold {
            node.left
        } else {
            node.right
        });
    }
}

/// One tree: nodes in preorder, `feature:threshold` or `=score`; the left child follows its parent.
fn tree(line: &'static str) -> Option<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for word in line.split(' ') {
        let at = nodes.len();
        // This node is the left child of the node before it, or the right child of the last one still open.
        if at > 0 && nodes[at - 1].feature == LEAF {
            let parent = open.pop()?;
            nodes[parent].right = at as u16;
        }
        if let Some(score) = word.strip_prefix('=') {
            nodes.push(Node { feature: LEAF, left: 0, right: 0, threshold: score.parse().ok()? });
        } else {
            let (feature, threshold) = word.split_once(':')?;
            open.push(at);
            nodes.push(Node {
                feature: feature.parse().ok()?,
                left: at as u16 + 1,
                right: 0,
                threshold: threshold.parse().ok()?,
            });
        }
    }
    open.is_empty().then_some(nodes)
}

#[cfg(test)]
mod tests {
    use super::super::features::Features;
    use super::*;

    #[test]
    fn a_small_table_is_read_and_followed() {
        let ranker = Ranker::read("a b\n0.5\n0:1.5 =-1 1:2 =0 =3\n=0.25").expect("reads");
        let score = |features: &[f32]| {
            let p = ranker.probability(features);
            (p / (1.0 - p)).ln()
        };
        assert!((score(&[1.0, 0.0]) + 0.25).abs() < 1e-4);
        assert!((score(&[2.0, 1.0]) - 0.75).abs() < 1e-4);
        assert!((score(&[2.0, 5.0]) - 3.75).abs() < 1e-4);
    }

    #[test]
    fn the_built_in_table_was_made_for_these_features() {
        assert_eq!(Ranker::get().names(), Features::names(), "train the ranker again: scripts/train-ranker.py");
    }
}
