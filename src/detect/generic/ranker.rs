//! Gradient-boosted trees as a static table: features → probability.
//!
//! The table (ranker.txt) is made by `scripts/train-ranker.py` from labelled public data; it holds thresholds and leaf values,
//! no text of any value and no path.

use std::cell::RefCell;
use std::sync::OnceLock;

/// The table: feature names, a base score, then one tree a line.
static TABLE: &str = include_str!("ranker.txt");

/// One inner node or leaf. A leaf has no feature and its score in `threshold`. The left child follows its parent.
#[derive(Clone, Copy, Debug)]
struct Node {
    feature: u16,
    /// How far behind this node the right child is.
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
    /// The nodes of all trees, one tree after the other.
    nodes: Vec<Node>,
    /// For each tree, where it starts and the most that it and all behind it can still add.
    trees: Vec<(u32, f32)>,
}

impl Ranker {
    /// The built-in table, read at its first use.
    pub(in crate::detect) fn get() -> &'static Self {
        static RANKER: OnceLock<Ranker> = OnceLock::new();
        RANKER.get_or_init(|| Self::read(TABLE).expect("because a test reads the table"))
    }

    /// The built-in table as it stands.
    pub(in crate::detect) fn table() -> &'static str {
        TABLE
    }

    fn read(text: &'static str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        // What was trained for other features would follow the wrong ones; a test compares the names.
        let _names = lines.next()?;
        let base = lines.next()?.parse().ok()?;
        let mut trees = lines.map(tree).collect::<Option<Vec<_>>>()?;
        // A sum has no order; with the most telling trees first, few of them show that a value is nothing.
        trees.sort_by(|a, b| (best(b) - worst(b)).total_cmp(&(best(a) - worst(a))));
        let (mut nodes, mut starts) = (Vec::new(), Vec::new());
        let mut most: f32 = trees.iter().map(|tree| best(tree)).sum();
        for tree in trees {
            starts.push((nodes.len() as u32, most));
            most -= best(&tree);
            nodes.extend(tree);
        }
        Some(Self {
            #[cfg(test)]
            names: _names.split(' ').collect(),
            base,
            nodes,
            trees: starts,
        })
    }

    /// Names of the features in the order of the table.
    #[cfg(test)]
    pub(in crate::detect) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The probability, or 0 as soon as it is certain to stay below `least`: most values are nothing, and a few trees
    /// show it.
    pub(in crate::detect) fn probability_from(&self, features: &[f32], least: f32) -> f32 {
        if let Some(known) = MEMORY.with_borrow(|memory| memory.recall(features, least)) {
            return known;
        }
        let probability = self.climb(features, least);
        MEMORY.with_borrow_mut(|memory| memory.keep(features, least, probability));
        probability
    }

    fn climb(&self, features: &[f32], least: f32) -> f32 {
        let bar = (least / (1.0 - least)).ln() - 0.01;
        let mut score = 0.0;
        for (start, most) in &self.trees {
            if score + self.base + most < bar {
                return 0.0;
            }
            score += self.leaf(*start, features);
        }
        1.0 / (1.0 + (-(score + self.base)).exp())
    }

    /// The score of the tree that starts at a node.
    fn leaf(&self, start: u32, features: &[f32]) -> f32 {
        let mut at = start as usize;
        loop {
            let node = self.nodes[at];
            if node.feature == LEAF {
                return node.threshold;
            }
            let value = features.get(usize::from(node.feature)).copied().unwrap_or(0.0);
            at += if value <= node.threshold { 1 } else { usize::from(node.right) };
        }
    }

    /// Probability that the value with these features is a secret.
    #[cfg(test)]
    pub(in crate::detect) fn probability(&self, features: &[f32]) -> f32 {
        let score: f32 = self.trees.iter().map(|(start, _)| self.leaf(*start, features)).sum();
        1.0 / (1.0 + (-(score + self.base)).exp())
    }
}

thread_local! {
    /// The revisions of a file show one value again and again, with the same surroundings.
    static MEMORY: RefCell<Memory> = const { RefCell::new(Memory { places: Vec::new() }) };
}

/// Last judgements, compared by all of their features: one place for each hash, the newest wins.
struct Memory {
    places: Vec<(Box<[f32]>, f32, f32)>,
}

/// Places of a memory; about one kilobyte each when used.
const PLACES: usize = 1024;

impl Memory {
    fn place(features: &[f32]) -> usize {
        let mix = |hash: u64, value: &f32| {
            (hash.rotate_left(5) ^ u64::from(value.to_bits())).wrapping_mul(0x517c_c1b7_2722_0a95)
        };
        (features.iter().fold(0, mix) >> 40) as usize % PLACES
    }

    fn recall(&self, features: &[f32], least: f32) -> Option<f32> {
        let (known, bar, probability) = self.places.get(Self::place(features))?;
        (**known == *features && *bar == least).then_some(*probability)
    }

    fn keep(&mut self, features: &[f32], least: f32, probability: f32) {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, Default::default);
        }
        let (known, bar, kept) = &mut self.places[Self::place(features)];
        if known.len() == features.len() {
            known.copy_from_slice(features);
        } else {
            *known = features.into();
        }
        (*bar, *kept) = (least, probability);
    }
}

/// The scores that a tree can give.
fn scores(tree: &[Node]) -> impl Iterator<Item = f32> {
    tree.iter().filter(|node| node.feature == LEAF).map(|node| node.threshold)
}

fn best(tree: &[Node]) -> f32 {
    scores(tree).fold(f32::MIN, f32::max)
}

fn worst(tree: &[Node]) -> f32 {
    scores(tree).fold(f32::MAX, f32::min)
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
            nodes[parent].right = (at - parent) as u16;
        }
        if let Some(score) = word.strip_prefix('=') {
            nodes.push(Node { feature: LEAF, right: 0, threshold: score.parse().ok()? });
        } else {
            let (feature, threshold) = word.split_once(':')?;
            open.push(at);
            nodes.push(Node { feature: feature.parse().ok()?, right: 0, threshold: threshold.parse().ok()? });
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
    fn an_early_end_changes_no_value_that_counts() {
        let ranker = Ranker::get();
        let mut features = vec![0.0; Ranker::get().names().len()];
        for round in 0..2000usize {
            let at = round * 7 % features.len();
            features[at] = [0.0, 1.0, 0.5, 3.0, 12.0][round % 5];
            let (whole, early) = (ranker.probability(&features), ranker.probability_from(&features, 0.01));
            assert!(whole == early || (early == 0.0 && whole < 0.01), "{whole} {early}");
        }
    }

    #[test]
    fn the_built_in_table_was_made_for_these_features() {
        assert_eq!(Ranker::get().names(), Features::names(), "train the ranker again: scripts/train-ranker.py");
    }
}
