//! RSA keys that follow from the seed, as everything does: credentials and certificates of a world are the same in every
//! process, so that whoever connected to it yesterday still can today.
//!
//! They are no secrets: whoever has this code has them. Nothing but a simulator on the same machine may trust them.

use rand::{SeedableRng as _, rngs::StdRng};
use rsa::{PrivateKey, pkcs8::EncodePrivateKey as _};

use crate::seed::Seed;

/// A key for a purpose.
pub fn rsa(seed: Seed, purpose: &str) -> Result<PrivateKey, rsa::Error> {
    let mut random = StdRng::from_seed(seed.bytes(&["rsa", purpose]));
    PrivateKey::new(&mut random, 2048)
}

/// The same in PKCS #8.
pub fn rsa_pkcs8(seed: Seed, purpose: &str) -> Result<Vec<u8>, String> {
    let key = rsa(seed, purpose).map_err(|error| error.to_string())?;
    Ok(key.to_pkcs8_der().map_err(|error| error.to_string())?.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_each_time_and_another_for_each_purpose() {
        let key = rsa_pkcs8(Seed(1), "a").unwrap();
        assert_eq!(rsa_pkcs8(Seed(1), "a").unwrap(), key);
        assert_ne!(rsa_pkcs8(Seed(1), "b").unwrap(), key);
        assert_ne!(rsa_pkcs8(Seed(2), "a").unwrap(), key);
    }
}
