//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! Everything is added in the processor's own byte order: the one's complement sum does not care, as long as
//! the result is stored in that order too (RFC 1071, section 2 (B)). Words of 32 and 64 bits may be added
//! whole, because folding carries back gives the same residue modulo 2^16 - 1.

use super::{Be16, Be32};

/// A one's complement sum that has not been folded yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    #[inline(always)]
    pub fn u16(self, raw: u16) -> Self {
        Self(self.0 + u64::from(raw))
    }

    #[inline(always)]
    pub fn be16(self, word: Be16) -> Self {
        self.u16(word.raw())
    }

    #[inline(always)]
    pub fn be32(self, word: Be32) -> Self {
        Self(self.0 + u64::from(word.raw()))
    }

    /// Takes `old` out and puts `new` in: adding the complement is subtracting (RFC 1624, equation 3).
    #[inline(always)]
    pub fn replace16(self, old: u16, new: u16) -> Self {
        self.u16(!old).u16(new)
    }

    #[inline(always)]
    pub fn replace32(self, old: Be32, new: Be32) -> Self {
        Self(self.0 + u64::from(!old.raw()) + u64::from(new.raw()))
    }

    /// Folded to 16 bits, not complemented. At most some 2^32 words may have been added.
    #[inline(always)]
    pub fn fold(self) -> u16 {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        #[expect(clippy::cast_possible_truncation, reason = "three folds leave 16 bits")]
        let folded = sum as u16;
        folded
    }

    /// The checksum to store for what has been added.
    #[inline(always)]
    pub fn finish(self) -> Be16 {
        Be16::from_raw(!self.fold())
    }
}

/// `checksum` after the change that `delta` holds: a wrong one stays wrong by the same amount.
#[inline(always)]
pub fn adjust(checksum: Be16, delta: Sum) -> Be16 {
    delta.u16(!checksum.raw()).finish()
}
