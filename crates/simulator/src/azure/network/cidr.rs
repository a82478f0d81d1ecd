//! Ranges of IPv4 addresses.

use std::net::Ipv4Addr;

use crate::azure::error::{Outcome, Refused};

/// A range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: u32,
    bits: u32,
}

impl Cidr {
    /// Reads `10.0.0.0/16`; the address must be the range's first.
    pub fn parse(text: &str) -> Outcome<Self> {
        let wrong = || {
            Refused::bad(
                "InvalidAddressPrefixFormat",
                format!(
                    "Address prefix {text} is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24."
                ),
            )
        };
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let first = u32::from(address.parse::<Ipv4Addr>().map_err(|_| wrong())?);
        let bits = bits.parse::<u32>().ok().filter(|bits| (1..=32).contains(bits)).ok_or_else(wrong)?;
        let range = Self { first, bits };
        if first == first & range.mask() { Ok(range) } else { Err(wrong()) }
    }

    fn mask(self) -> u32 {
        u32::MAX << (32 - self.bits)
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

    /// The `n`th address that can be given away: the vendor keeps the first four and the last one.
    pub fn nth(self, n: u64) -> Option<Ipv4Addr> {
        let free = self.size().saturating_sub(5);
        let n = u32::try_from(n).ok().filter(|n| u64::from(*n) < free)?;
        Some(Ipv4Addr::from(self.first + 4 + n))
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
        assert_eq!(range("10.0.0.0/29").nth(2), Some(Ipv4Addr::new(10, 0, 0, 6)));
        assert_eq!(range("10.0.0.0/29").nth(3), None);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["10.0.0.0", "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/0", "x/24", ""] {
            assert!(Cidr::parse(text).is_err(), "{text}");
        }
    }
}
