//! Takes secrets out of what a cloud said before anyone logs or shows it.
//!
//! Vendors quote requests in their errors (the canonical request of a wrong signature holds the session token).
//! The adapter names each secret it uses; whatever an error says, none of them is in it afterwards.

use std::{
    collections::VecDeque,
    fmt,
    sync::{PoisonError, RwLock},
};

use secrecy::{ExposeSecret, SecretString};

use crate::CloudError;

/// What stands where a secret was.
const HIDDEN: &str = "[redacted]";
/// Messages are cut after so many characters: vendors quote whole requests.
const LONGEST: usize = 300;
/// Anything shorter would blank out ordinary words.
const SHORTEST: usize = 6;

/// So many secrets that are replaced now and then are remembered: a call may still be under way with the last.
const REMEMBERED: usize = 16;

/// The secrets of one connection.
#[derive(Default)]
pub struct Redactor(RwLock<Secrets>);

#[derive(Default)]
struct Secrets {
    lasting: Vec<SecretString>,
    passing: VecDeque<SecretString>,
}

impl Redactor {
    /// From now on `secret` appears in no error. Secrets under six characters cannot be told from words and
    /// are not hidden.
    pub fn hide(&self, secret: &str) {
        if secret.len() >= SHORTEST && !self.knows(secret) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).lasting.push(SecretString::from(secret));
        }
    }

    /// The same for a secret that will be replaced (a session token): the oldest are forgotten.
    pub fn hide_for_a_while(&self, secret: &str) {
        if secret.len() < SHORTEST || self.knows(secret) {
            return;
        }
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if secrets.passing.len() == REMEMBERED {
            secrets.passing.pop_front();
        }
        secrets.passing.push_back(SecretString::from(secret));
    }

    /// `text` without secrets.
    pub fn clean(&self, text: &str) -> String {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        secrets.all().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }

    /// Takes secrets out of an error, its source included, and cuts its message to a readable length.
    pub fn clean_error(&self, error: &mut CloudError) {
        error.message = shorten(&self.clean(&error.message));
        error.code = error.code.take().map(|code| self.clean(&code));
        if let Some(source) = error.source.take() {
            let told = format!("{source:?} {source}");
            let clean = self.clean(&told);
            error.source = Some(if clean == told { source } else { Box::new(Cleaned(shorten(&clean))) });
        }
    }

    fn knows(&self, secret: &str) -> bool {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        secrets.all().any(|known| known == secret)
    }
}

impl Secrets {
    fn all(&self) -> impl Iterator<Item = &str> {
        self.lasting.iter().chain(&self.passing).map(ExposeSecret::expose_secret)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// An error that had told a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cleaned(String);

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
