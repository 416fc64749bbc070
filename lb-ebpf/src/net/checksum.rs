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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The checksum of `words` as RFC 1071, section 1 describes it: word by word, each carry at once.
    fn by_the_book(words: &[u16]) -> u16 {
        let sum = words.iter().fold(0_u32, |sum, &word| {
            let sum = sum + u32::from(word);
            (sum & 0xffff) + (sum >> 16)
        });
        !u16::try_from(sum).unwrap()
    }

    fn all(words: &[u16]) -> Sum {
        words.iter().fold(Sum::default(), |sum, &word| sum.be16(Be16::new(word)))
    }

    /// Every word, but the edges of the arithmetic more often.
    fn word() -> impl Strategy<Value = u16> {
        prop_oneof![Just(0), Just(0xffff), Just(1), Just(0xfffe), Just(0x8000), any::<u16>()]
    }

    #[test]
    fn the_example_of_rfc_1071_adds_up() {
        assert_eq!(all(&[0x0001, 0xf203, 0xf4f5, 0xf6f7]).finish(), Be16::new(!0xddf2));
    }

    #[test]
    fn the_example_of_rfc_1624_becomes_zero_and_not_minus_zero() {
        let delta = Sum::default().replace16(Be16::new(0x5555).raw(), Be16::new(0x3285).raw());
        assert_eq!(adjust(Be16::new(0xdd2f), delta), Be16::new(0x0000));
    }

    #[test]
    fn the_largest_sum_folds() {
        assert_eq!(Sum(u64::MAX).fold(), 0xffff);
        assert_eq!(Sum(0xffff_ffff_0000_0001).fold(), 1);
        assert_eq!(Sum(0).fold(), 0);
    }

    proptest! {
        #[test]
        fn a_sum_of_wide_words_is_the_sum_of_their_halves(words in prop::collection::vec([word(), word()], 1..40)) {
            let wide = words.iter().fold(Sum::default(), |sum, &[high, low]| {
                sum.be32(Be32::new(u32::from(high) << 16 | u32::from(low)))
            });
            prop_assert_eq!(wide.finish(), Be16::new(by_the_book(words.as_flattened())));
        }

        /// The words beside the changed ones keep the data from being all zero, as every packet's are.
        #[test]
        fn an_adjusted_checksum_is_the_recomputed_one(
            before in prop::array::uniform6(word()),
            after in prop::array::uniform6(word()),
            rest in 1_u16..,
        ) {
            let [a, b, c, d, e, f] = before;
            let [u, v, w, x, y, z] = after;
            let wide = |high, low| Be32::new(u32::from(high) << 16 | u32::from(low));
            let delta = Sum::default()
                .replace32(wide(a, b), wide(u, v))
                .replace32(wide(c, d), wide(w, x))
                .replace16(Be16::new(e).raw(), Be16::new(y).raw())
                .replace16(Be16::new(f).raw(), Be16::new(z).raw());
            let old = by_the_book(&[a, b, c, d, e, f, rest]);
            let new = by_the_book(&[u, v, w, x, y, z, rest]);
            prop_assert_eq!(adjust(Be16::new(old), delta), Be16::new(new));
        }

        #[test]
        fn a_wrong_checksum_stays_wrong_by_the_same_amount(old: u16, new: u16, rest in 1_u16.., error in 1_u16..0xffff) {
            let damage = |checksum: u16| by_the_book(&[!checksum, error]);
            let delta = Sum::default().replace16(Be16::new(old).raw(), Be16::new(new).raw());
            let adjusted = adjust(Be16::new(damage(by_the_book(&[old, rest]))), delta);
            let wanted = damage(by_the_book(&[new, rest]));
            prop_assert_eq!(adjusted.host() % 0xffff, wanted % 0xffff);
            prop_assert_ne!(adjusted.host() % 0xffff, by_the_book(&[new, rest]) % 0xffff);
        }
    }
}
