//! Ranges of IPv4 addresses.

use std::net::Ipv4Addr;

/// A range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: u32,
    bits: u32,
}

impl Cidr {
    /// Reads `10.0.0.0/16`; the address must be the range's first.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let bits = bits.parse::<u32>().ok().filter(|bits| (1..=32).contains(bits))?;
        let range = Self { first, bits };
        (first == first & range.mask()).then_some(range)
    }

    fn mask(self) -> u32 {
        u32::MAX << (32 - self.bits)
    }

    /// Its first address.
    pub fn first(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first)
    }

    /// How many addresses it has.
    pub fn size(self) -> u64 {
        1 << (32 - self.bits)
    }

    /// Whether another lies in it.
    pub fn holds(self, other: Self) -> bool {
        self.bits <= other.bits && other.first & self.mask() == self.first
    }

    /// Whether it has addresses in common with another.
    pub fn meets(self, other: Self) -> bool {
        self.holds(other) || other.holds(self)
    }

    /// Whether an address lies in it.
    pub fn has(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == self.first
    }

    /// The `n`th address that can be given away: a vendor keeps the first `kept` and the last one.
    pub fn nth(self, kept: u32, n: u64) -> Option<Ipv4Addr> {
        let free = self.size().saturating_sub(u64::from(kept) + 1);
        let n = u32::try_from(n).ok().filter(|n| u64::from(*n) < free)?;
        Some(Ipv4Addr::from(self.first + kept + n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_and_meet() {
        let range = |text| Cidr::parse(text).unwrap();
        assert!(range("10.0.0.0/16").holds(range("10.0.3.0/24")));
        assert!(!range("10.0.0.0/16").holds(range("10.1.0.0/24")));
        assert!(range("10.0.3.0/24").meets(range("10.0.0.0/16")));
        assert!(!range("10.0.3.0/24").meets(range("10.0.4.0/24")));
        assert!(range("10.0.3.0/24").has(Ipv4Addr::new(10, 0, 3, 9)));
        assert_eq!(range("10.0.0.0/29").nth(4, 2), Some(Ipv4Addr::new(10, 0, 0, 6)));
        assert_eq!(range("10.0.0.0/29").nth(4, 3), None);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["10.0.0.0", "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/0", "x/24", ""] {
            assert!(Cidr::parse(text).is_none(), "{text}");
        }
    }
}
