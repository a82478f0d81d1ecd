//! Hashing and verifying passwords off the async threads, a few at a time.
//!
//! One verification takes tens of milliseconds of a core and 19 MiB. Without a limit, a hundred log-ins at once
//! would take two gigabytes and every core from everybody else.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    domains::identity::model::{Password, password},
    fault::Fault,
};

/// How long a log-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turns at hashing. Cheap to clone; one per process.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self { turns: Arc::new(Semaphore::new(cores.div_ceil(2))) }
    }
}

impl Passwords {
    /// The hash of a password, to be stored.
    pub async fn hash(&self, password: Password) -> Result<String, Fault> {
        let turn = self.turn().await?;
        run(turn, move || password.hash()).await
    }

    /// Whether the password belongs to the hash. Without a hash: no, after the same work.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, Fault> {
        let turn = self.turn().await?;
        run(turn, move || password::verify(&password, hash.as_deref())).await
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Fault> {
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(turn) => turn.map_err(|error| Fault::Internal(error.into())),
            Err(_) => Err(Fault::Unavailable {
                detail: "Too many people are logging in at once. Nothing was changed; try again.".to_owned(),
                retry_after: PATIENCE,
            }),
        }
    }
}

/// The turn ends with the work, even if the caller has gone by then.
async fn run<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> Result<T, anyhow::Error> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(turn);
        result
    });
    Ok(done.await.map_err(|error| Fault::Internal(error.into()))??)
}
