//! Pseudo-random numbers from a seed, so that a cluster behaves the same in every run of a test.

use std::cell::Cell;

/// A small generator (SplitMix64). Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which must not be 0.
    pub(crate) fn below(&self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap_or(u64::MAX)).unwrap_or(0)
    }

    /// True with the given probability from 0 to 1.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        let unit = f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        unit < probability
    }

    /// Brings a list into another order.
    pub(crate) fn shuffle<T>(&self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }

    /// Hexadecimal digits.
    pub(crate) fn hex(&self, digits: usize) -> String {
        (0..digits).map(|_| char::from_digit(u32::try_from(self.next() % 16).unwrap_or(0), 16).unwrap_or('0')).collect()
    }

    /// A random UUID.
    pub(crate) fn uuid(&self) -> String {
        let part = |digits| self.hex(digits);
        format!("{}-{}-4{}-8{}-{}", part(8), part(4), part(3), part(3), part(12))
    }
}
