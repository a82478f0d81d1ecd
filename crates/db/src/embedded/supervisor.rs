//! Keeps the server running: waits for it to be ready, starts it again when it dies, stops it when asked.

use std::time::Duration;

use tokio::{
    process::Child,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    cluster::{self, Cluster},
    error::EmbeddedError,
};

/// Recovery after a crash replays what was written since the last checkpoint; this is ample.
const READY_WITHIN: Duration = Duration::from_mins(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const FIRST_RESTART: Duration = Duration::from_millis(100);
const LAST_RESTART: Duration = Duration::from_secs(10);
/// A server that ran this long starts afresh with the first delay.
const HEALTHY_AFTER: Duration = Duration::from_mins(1);

/// What the embedded server is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerState {
    /// It accepts connections.
    Running,
    /// It died and is being started again; why, as far as is known.
    Restarting(String),
    /// It was stopped because it was asked to.
    Stopped,
}

/// Starts the server and waits until it accepts connections.
pub(super) async fn start(cluster: &Cluster) -> Result<Child, EmbeddedError> {
    let mut child = cluster.spawn()?;
    let pid = child.id().unwrap_or_default();
    let began = Instant::now();
    let mut reported = Duration::from_secs(5);
    loop {
        if cluster.is_ready(pid) {
            return Ok(child);
        }
        let ended = timeout(LOOK_AGAIN, child.wait()).await;
        if ended.is_ok() || began.elapsed() > READY_WITHIN {
            if ended.is_err() {
                // Whether it can be stopped does not change what is reported.
                cluster::stop(child).await.ok();
            }
            return Err(EmbeddedError::Failed { program: "postgres", output: cluster.last_words() });
        }
        if began.elapsed() > reported {
            tracing::info!(seconds = began.elapsed().as_secs(), "PostgreSQL is starting, perhaps recovering");
            reported *= 2;
        }
    }
}

/// Watches a running server until `stop`, then stops it.
pub(super) async fn supervise(
    cluster: Cluster,
    mut child: Child,
    stop: CancellationToken,
    state: watch::Sender<ServerState>,
) {
    let mut delay = FIRST_RESTART;
    loop {
        let since = Instant::now();
        tokio::select! {
            () = stop.cancelled() => {
                if let Err(error) = cluster::stop(child).await {
                    tracing::error!(%error, "PostgreSQL did not stop cleanly");
                }
                break;
            }
            ended = child.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                tracing::error!(how, said = cluster.last_words(), "PostgreSQL ended unexpectedly; starting it again");
                state.send_replace(ServerState::Restarting(how));
            }
        }
        if since.elapsed() >= HEALTHY_AFTER {
            delay = FIRST_RESTART;
        }
        let Some(started) = restart(&cluster, &mut delay, &stop, &state).await else { break };
        child = started;
        state.send_replace(ServerState::Running);
    }
    state.send_replace(ServerState::Stopped);
}

/// Starts the server again, as often as it takes, with growing pauses; `None` if asked to stop meanwhile.
async fn restart(
    cluster: &Cluster,
    delay: &mut Duration,
    stop: &CancellationToken,
    state: &watch::Sender<ServerState>,
) -> Option<Child> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(*delay) => {}
        }
        *delay = (*delay * 2).min(LAST_RESTART);
        // Not cut short by `stop`: a child that is half started must not be lost sight of.
        match start(cluster).await {
            Ok(child) => return Some(child),
            Err(error) => {
                tracing::error!(%error, "PostgreSQL does not start");
                state.send_replace(ServerState::Restarting(error.to_string()));
            }
        }
    }
}
