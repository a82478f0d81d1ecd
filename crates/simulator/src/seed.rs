//! Randomness that follows from the seed: the same world gives the same ids, keys and noise, in whatever order they
//! are asked for.

use sha2::{Digest as _, Sha256};

/// Where a world's randomness comes from.
#[derive(Debug, Clone, Copy)]
pub struct Seed(pub u64);

impl Seed {
    /// 64 bits for a purpose. Quick, for noise; no secret may be made of it.
    pub fn number(self, parts: &[&str]) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for part in parts {
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        mix(hash)
    }

    /// From 0 up to, not including, 1.
    pub fn share(self, parts: &[&str]) -> f64 {
        unit(self.number(parts))
    }

    /// Bytes that look random, for ids and keys.
    pub fn bytes(self, parts: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.to_be_bytes());
        for part in parts {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }

    /// `digits` hexadecimal digits, at most 64.
    pub fn hex(self, parts: &[&str], digits: usize) -> String {
        let mut text = hex::encode(self.bytes(parts));
        text.truncate(digits);
        text
    }

    /// A UUID of version 4's shape.
    pub fn uuid(self, parts: &[&str]) -> String {
        let hex = self.hex(parts, 32);
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }
}

/// Finalizer of `SplitMix64` (Steele, Lea, Flood 2014): each bit of the input changes half of the output's.
pub fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Bits as a number from 0 up to, not including, 1.
pub fn unit(bits: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "the 53 bits that are left fit")]
    let share = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_and_the_seed_counts() {
        let seed = Seed(7);
        assert_eq!(seed.number(&["a", "b"]), Seed(7).number(&["a", "b"]));
        assert_ne!(seed.number(&["a", "b"]), seed.number(&["ab"]));
        assert_ne!(seed.number(&["a"]), Seed(8).number(&["a"]));
        assert_ne!(seed.bytes(&["a", "b"]), seed.bytes(&["ab", ""]));
        assert_eq!(seed.uuid(&["x"]).len(), 36);
    }

    #[test]
    fn shares_are_spread_evenly() {
        let shares: Vec<_> = (0..10_000).map(|n| Seed(1).share(&["noise", &n.to_string()])).collect();
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            let count = shares.iter().filter(|share| (from..from + 0.1).contains(*share)).count();
            assert!((900..1100).contains(&count), "{tenth}: {count}");
        }
    }
}
