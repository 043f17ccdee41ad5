//! The Merkle tree of RFC 6962, section 2.1: leaf `H(0x00 ‖ data)`, node `H(0x01 ‖ left ‖ right)`.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Hash of an entry.
pub(super) fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The leaves of a log, with proofs over them.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    leaves: Vec<Hash>,
}

impl Tree {
    /// Adds the hash of an entry.
    pub(super) fn push(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
    }

    /// Number of leaves.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// True when the log has no entry.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Hash of the last leaf, if there is one.
    pub(super) fn last(&self) -> Option<&Hash> {
        self.leaves.last()
    }

    /// Root over the first `size` leaves; of an empty tree the hash of nothing.
    pub fn root(&self, size: usize) -> Hash {
        root(&self.leaves[..size])
    }

    /// Sibling hashes from leaf `index` up to the root of the first `size` leaves (RFC 6962, 2.1.1).
    pub fn inclusion(&self, index: usize, size: usize) -> Vec<Hash> {
        path(index, &self.leaves[..size])
    }

    /// Hashes that show that the first `old` leaves are a prefix of the first `new` ones (RFC 6962, 2.1.2).
    pub fn consistency(&self, old: usize, new: usize) -> Vec<Hash> {
        if old == 0 || old == new { Vec::new() } else { subproof(old, &self.leaves[..new], true) }
    }
}

/// Largest power of two smaller than `n`, for `n` of 2 and more.
fn split(n: usize) -> usize {
    1 << (n - 1).ilog2()
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut proof, sibling) =
        if index < at { (path(index, left), root(right)) } else { (path(index - at, right), root(left)) };
    proof.push(sibling);
    proof
}

fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut proof, sibling) = if old <= at {
        (subproof(old, left, whole), root(right))
    } else {
        (subproof(old - at, right, false), root(left))
    };
    proof.push(sibling);
    proof
}

/// Whether `proof` shows that `leaf` is number `index` of a tree of `size` leaves with this root (RFC 9162, 2.1.3.2).
pub fn includes(leaf: Hash, index: usize, size: usize, proof: &[Hash], expected: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node(sibling, &hash);
            while at.is_multiple_of(2) && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *expected
}

/// Whether `proof` shows that the tree of `new` leaves extends the tree of `old` leaves (RFC 9162, 2.1.4.2).
pub fn extends(old: usize, old_root: &Hash, new: usize, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == 0 || old == new {
        return proof.is_empty() && (old == 0 || old_root == new_root);
    }
    if old > new {
        return false;
    }
    let mut rest = proof.iter();
    let (mut at, mut last) = (old - 1, new - 1);
    while at % 2 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let start = if at == 0 { Some(*old_root) } else { rest.next().copied() };
    let Some(start) = start else { return false };
    let (mut first, mut second) = (start, start);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            first = node(hash, &first);
            second = node(hash, &second);
            while at.is_multiple_of(2) && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            second = node(&second, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && first == *old_root && second == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(size: usize) -> Tree {
        let mut tree = Tree::default();
        (0..size).for_each(|n| tree.push(leaf(&n.to_be_bytes())));
        tree
    }

    #[test]
    fn roots_are_those_of_the_test_vectors_of_certificate_transparency() {
        // The reference implementation's vectors: leaves "", 00, 10, 2021, 3031, …
        let inputs: [&[u8]; 4] = [b"", &[0x00], &[0x10], &[0x20, 0x21]];
        let mut tree = Tree::default();
        inputs.iter().for_each(|input| tree.push(leaf(input)));
        let hex = |hash: Hash| data_encoding::HEXLOWER.encode(&hash);
        assert_eq!(hex(tree.root(0)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex(tree.root(1)), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex(tree.root(2)), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(hex(tree.root(3)), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
        assert_eq!(hex(tree.root(4)), "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    }

    proptest! {
        #[test]
        fn every_leaf_is_included_and_a_changed_one_is_not(size in 1usize..70, index in 0usize..70) {
            prop_assume!(index < size);
            let tree = tree(size);
            let (root, proof) = (tree.root(size), tree.inclusion(index, size));
            prop_assert!(includes(leaf(&index.to_be_bytes()), index, size, &proof, &root));
            prop_assert!(!includes(leaf(b"other"), index, size, &proof, &root));
            prop_assert!(size == 1 || !includes(leaf(&index.to_be_bytes()), (index + 1) % size, size, &proof, &root));
        }

        #[test]
        fn every_prefix_is_consistent_and_another_tree_is_not(old in 1usize..70, more in 0usize..70) {
            let new = old + more;
            let tree = tree(new);
            let (old_root, new_root, proof) = (tree.root(old), tree.root(new), tree.consistency(old, new));
            prop_assert!(extends(old, &old_root, new, &new_root, &proof));
            prop_assert!(!extends(old, &leaf(b"x"), new, &new_root, &proof));
        }
    }
}
