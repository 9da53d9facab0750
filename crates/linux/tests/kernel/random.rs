//! Numbers that look random and are the same in each run.

/// SplitMix64, the source of all that is random in the tests.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Returns a number that is often near `size` or near an end of the range: there a check is most likely to be wrong.
    pub fn number(&mut self, size: u64) -> u64 {
        match self.below(8) {
            0 => self.next(),
            1 => u64::from(u32::MAX) - self.below(9),
            2 => u64::MAX - self.below(9),
            3 => size.wrapping_add(self.below(17)).wrapping_sub(8),
            _ => self.below(size + 2),
        }
    }
}
