//! The first pass over a text: which positions could be the marked four bytes of a keyword.
//!
//! Three bytes, five bits of each, choose a byte of a table; three bits of the fourth byte choose a bit in it. The five bits
//! are the same for both cases of a letter. With AVX2 thirty-two positions are prepared and judged at once, and only the
//! look-ups themselves go one by one; without it everything does. Both give the same positions, which a test compares.

// The one place of this room that needs `unsafe`: vector loads and stores, and the call of code for AVX2.
#![allow(unsafe_code)]

/// Positions that are looked at in one call.
pub(super) const BLOCK: usize = 256;
/// Bytes behind the last position that are looked at, too.
pub(super) const BEHIND: usize = 3;
/// Text of a block.
pub(super) type Block = [u8; BLOCK + BEHIND];
/// A bit for each position of a block.
pub(super) type Hits = [u32; BLOCK / 32];
/// Which fourth bytes are wanted, by the first three.
pub(super) type Table = [u8; 1 << 15];

/// Place of three bytes in the table.
#[inline(always)]
pub(super) fn place(a: u8, b: u8, c: u8) -> usize {
    usize::from(a & 31) | usize::from(b & 31) << 5 | usize::from(c & 31) << 10
}

/// Bit of the fourth byte.
#[inline(always)]
pub(super) fn bit(d: u8) -> u8 {
    1 << (d & 7)
}

/// The way of this machine to do the pass.
#[derive(Clone, Copy)]
pub(super) struct Pass(fn(&Table, &Block, usize, &mut Hits));

impl Pass {
    /// The fastest that this processor can do.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self(x86::pass);
        }
        Self::portable()
    }

    /// The one for every processor.
    pub(super) fn portable() -> Self {
        Self(portable)
    }

    /// Marks those of the first `count` positions of a block whose four bytes are in the table; the marks of positions behind
    /// them mean nothing.
    #[inline]
    pub(super) fn run(self, table: &Table, block: &Block, count: usize, hits: &mut Hits) {
        (self.0)(table, block, count.min(BLOCK).div_ceil(32), hits);
    }
}

/// `words` of thirty-two positions each are marked.
fn portable(table: &Table, block: &Block, words: usize, hits: &mut Hits) {
    for (word, hit) in hits.iter_mut().enumerate().take(words) {
        *hit = 0;
        for (at, four) in block[word * 32..word * 32 + 32 + BEHIND].windows(4).enumerate() {
            let wanted = table[place(four[0], four[1], four[2])] & bit(four[3]) != 0;
            *hit |= u32::from(wanted) << at;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Block, Hits, Table};

    /// Only handed out where AVX2 is there.
    pub(super) fn pass(table: &Table, block: &Block, words: usize, hits: &mut Hits) {
        // SAFETY: `Pass::best` is the only one that names this function, after it saw that the processor has AVX2.
        unsafe { avx2(table, block, words, hits) }
    }

    /// Thirty-two bytes from an offset.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8], at: usize) -> __m256i {
        let part: &[u8; 32] = bytes[at..at + 32].try_into().expect("because the range has this length");
        // SAFETY: the reference is to thirty-two bytes, and the instruction asks for no alignment.
        unsafe { _mm256_loadu_si256(part.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(places: &mut [u16], at: usize, value: __m256i) {
        let part: &mut [u16; 16] = (&mut places[at..at + 16]).try_into().expect("because the range has this length");
        // SAFETY: the reference is to thirty-two bytes, and the instruction asks for no alignment.
        unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast(), value) }
    }

    #[target_feature(enable = "avx2")]
    fn avx2(table: &Table, block: &Block, words: usize, hits: &mut Hits) {
        let mut places = [0u16; BLOCK];
        let mut found = [0u8; BLOCK];
        let five = _mm256_set1_epi8(31);
        let weights = _mm256_set1_epi16(0x2001);
        for at in (0..words * 32).step_by(32) {
            let a = _mm256_and_si256(load(block, at), five);
            let b = _mm256_and_si256(load(block, at + 1), five);
            let c = _mm256_and_si256(load(block, at + 2), five);
            let zero = _mm256_setzero_si256();
            // a + 32 b in sixteen bits, then c ten bits higher.
            let low = _mm256_maddubs_epi16(_mm256_unpacklo_epi8(a, b), weights);
            let high = _mm256_maddubs_epi16(_mm256_unpackhi_epi8(a, b), weights);
            let low = _mm256_or_si256(low, _mm256_slli_epi16(_mm256_unpacklo_epi8(zero, c), 2));
            let high = _mm256_or_si256(high, _mm256_slli_epi16(_mm256_unpackhi_epi8(zero, c), 2));
            store(&mut places, at, _mm256_permute2x128_si256(low, high, 0x20));
            store(&mut places, at + 16, _mm256_permute2x128_si256(low, high, 0x31));
        }
        for (found, place) in found.iter_mut().zip(&places).take(words * 32) {
            *found = table[usize::from(*place) & (table.len() - 1)];
        }
        let bits = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
        for (at, hit) in hits.iter_mut().enumerate().take(words) {
            let d = _mm256_and_si256(load(block, at * 32 + 3), _mm256_set1_epi8(7));
            let wanted = _mm256_and_si256(load(&found, at * 32), _mm256_shuffle_epi8(bits, d));
            let none = _mm256_cmpeq_epi8(wanted, _mm256_setzero_si256());
            *hit = !(_mm256_movemask_epi8(none) as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_marks_the_same_positions(
            text in prop::collection::vec(any::<u8>(), BLOCK + BEHIND),
            words in prop::collection::vec(any::<[u8; 4]>(), 0..40),
            planted in prop::collection::vec(0..BLOCK, 0..20),
        ) {
            let mut block: Block = text.try_into().expect("the length is that of a block");
            let mut table: Box<Table> = Box::new([0; 1 << 15]);
            words.iter().for_each(|word| table[place(word[0], word[1], word[2])] |= bit(word[3]));
            words.iter().zip(&planted).for_each(|(word, at)| {
                block[*at..(*at + 4).min(BLOCK + BEHIND)].copy_from_slice(&word[..4.min(BLOCK + BEHIND - *at)]);
            });
            let (mut best, mut plain) = (Hits::default(), [u32::MAX; BLOCK / 32]);
            Pass::best().run(&table, &block, BLOCK, &mut best);
            Pass::portable().run(&table, &block, BLOCK, &mut plain);
            let mut few = Hits::default();
            Pass::best().run(&table, &block, 33, &mut few);
            prop_assert_eq!(few[..2].to_vec(), best[..2].to_vec());
            prop_assert_eq!(best, plain);
            for at in 0..BLOCK {
                let four = &block[at..at + 4];
                let marked = plain[at / 32] >> (at % 32) & 1 == 1;
                prop_assert_eq!(marked, table[place(four[0], four[1], four[2])] & bit(four[3]) != 0);
            }
        }
    }
}
