//! An index of names. Listings look up millions of them, so it hashes more cheaply than the standard map does; the names
//! are AWS's own, and no one can choose them so that they collide.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// The places of names in a list.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, usize, BuildHasherDefault<Fnv>>);

impl Names {
    /// The place of a name.
    pub fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        Self(names.into_iter().enumerate().map(|(place, name)| (name.to_owned(), place)).collect())
    }
}

/// FNV-1a (Fowler, Noll, Vo 1991).
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
