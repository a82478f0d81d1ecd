//! Passwords: the rules of NIST SP 800-63B-4 (length, nothing else) and Argon2id.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use secrecy::{ExposeSecret as _, SecretString};

/// The fewest characters of a password that somebody chooses.
pub const SHORTEST: usize = 12;
/// The most; longer ones only cost.
pub const LONGEST: usize = 256;

/// Made with the parameters of [`Argon2::default`] (19 MiB, 2 passes, 1 lane: the OWASP minimum) from no password
/// at all. Verified when the account does not exist, so that the answer takes as long as if it did.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bWFycXVlZSBub2JvZHlz$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password that keeps the rules.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Checks a password that somebody wants to have. Length is all that is asked: rules of composition make
    /// passwords worse.
    pub fn choose(text: SecretString) -> Result<Self, &'static str> {
        match text.expose_secret().chars().count() {
            SHORTEST..=LONGEST => Ok(Self(text)),
            _ => Err("must have 12 to 256 characters; any characters will do"),
        }
    }

    /// The Argon2id hash in PHC form. Takes tens of milliseconds and 19 MiB: not on an async thread.
    pub fn hash(&self) -> Result<String, anyhow::Error> {
        let hash = Argon2::default()
            .hash_password(self.0.expose_secret().as_bytes())
            .map_err(|error| anyhow::anyhow!("cannot hash a password: {error}"))?;
        Ok(hash.to_string())
    }
}

/// Whether the password belongs to the hash; without a hash the answer is no, after the same work.
/// Takes tens of milliseconds and 19 MiB: not on an async thread.
pub fn verify(password: &SecretString, hash: Option<&str>) -> Result<bool, anyhow::Error> {
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODYS_HASH))
        .map_err(|error| anyhow::anyhow!("a stored password hash cannot be read: {error}"))?;
    let matches = Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
    Ok(matches && hash.is_some())
}

#[cfg(test)]
mod tests {
    use argon2::Params;

    use super::*;

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let password = Password::choose("correct horse".into()).expect("long enough");
        let hash = password.hash().expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify(&"correct horse".into(), Some(&hash)).expect("readable"));
        assert!(!verify(&"correct horsE".into(), Some(&hash)).expect("readable"));
        assert_ne!(hash, password.hash().expect("a hash"), "salted");
    }

    #[test]
    fn nobody_can_log_in_as_nobody_and_it_costs_the_same() {
        assert!(!verify(&"".into(), None).expect("readable"));
        let nobody = PasswordHash::new(NOBODYS_HASH).expect("readable");
        assert_eq!(Params::try_from(&nobody).expect("parameters").m_cost(), Params::DEFAULT_M_COST);
        assert_eq!(Params::try_from(&nobody).expect("parameters").t_cost(), Params::DEFAULT_T_COST);
        assert_eq!(nobody.hash.expect("a digest").len(), 32);
    }

    #[test]
    fn length_is_the_only_rule() {
        for good in ["aaaaaaaaaaaa", "Ünïcödé ist ok", &"x".repeat(256)] {
            assert!(Password::choose((*good).into()).is_ok(), "{good}");
        }
        for bad in ["elevenchars", "", &"x".repeat(257)] {
            assert!(Password::choose((*bad).into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unreadable_hash_is_an_error_not_a_refusal() {
        assert!(verify(&"x".into(), Some("$argon2id$nonsense")).is_err());
    }
}
