//! A Bloom filter in blocks of 64 bytes: one look at one block says that a fingerprint is surely not there, or maybe.

use crate::secret::Fingerprint;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// Bits that an entry sets, all in its block.
const BITS: u32 = 8;

/// Entries for each block on average: about 13 bits an entry, one false "maybe" in some two hundred.
const ENTRIES: usize = 40;

/// A filter of these fingerprints.
pub(super) fn build<'a>(fingerprints: impl ExactSizeIterator<Item = &'a Fingerprint>) -> Vec<u8> {
    let blocks = fingerprints.len().div_ceil(ENTRIES).max(1);
    let mut filter = vec![0; blocks * BLOCK];
    for fingerprint in fingerprints {
        let block = &mut filter[block(fingerprint, blocks) * BLOCK..][..BLOCK];
        bits(fingerprint).for_each(|bit| block[bit / 8] |= 1 << (bit % 8));
    }
    filter
}

/// Which of `blocks` blocks a fingerprint belongs to.
pub(super) fn block(fingerprint: &Fingerprint, blocks: usize) -> usize {
    let (first, _) = halves(fingerprint);
    ((u128::from(first) * blocks as u128) >> 64) as usize
}

/// Whether the block may hold the fingerprint.
pub(super) fn may_hold(block: &[u8], fingerprint: &Fingerprint) -> bool {
    bits(fingerprint).all(|bit| block[bit / 8] & (1 << (bit % 8)) != 0)
}

/// Fingerprints are evenly distributed already: pieces of one serve as its hashes.
fn bits(fingerprint: &Fingerprint) -> impl Iterator<Item = usize> {
    let (_, second) = halves(fingerprint);
    let (start, step) = (second >> 32, (second & 0xffff_ffff) | 1);
    (0..u64::from(BITS)).map(move |n| (start.wrapping_add(n.wrapping_mul(step)) % (BLOCK as u64 * 8)) as usize)
}

fn halves(fingerprint: &Fingerprint) -> (u64, u64) {
    let bytes = fingerprint.as_bytes();
    let half = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("because it is 8 bytes"));
    (half(0), half(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_denied_and_few_others_pass() {
        let print = |n: u32| crate::secret::Fingerprinter::new(&"k".to_owned().into()).fingerprint(&n.to_be_bytes());
        let there: Vec<_> = (0..4000).map(print).collect();
        let filter = build(there.iter());
        let asked = |one: &Fingerprint| may_hold(&filter[block(one, filter.len() / BLOCK) * BLOCK..][..BLOCK], one);
        assert!(there.iter().all(asked));
        let wrong = (10_000..20_000).map(print).filter(asked).count();
        assert!(wrong < 200, "{wrong} of 10000 strangers pass");
    }
}
