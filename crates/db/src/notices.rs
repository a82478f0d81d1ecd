//! [`Notices`]: short messages between the processes of an installation, over LISTEN and NOTIFY.
//!
//! A NOTIFY takes a lock of the whole cluster until its transaction commits, so none is ever sent inside a
//! business transaction: what is published here is gathered and sent by one connection of its own, equal
//! messages once. Subscribers of the same process hear at once, without the database.
//!
//! Messages are hints, not records: they may be lost when the connection is, and a process that was away hears
//! none of them. A subscriber is told of every such gap, the one before the connection was first made included,
//! and must then read again what it cares about; whoever waits for work polls as well. The connection is made
//! when somebody first publishes or subscribes.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connect::{self, Target},
    error::DbError,
};

/// The one channel in PostgreSQL; the channels of this module are the first word of its payloads.
const CHANNEL: &str = "marquee";
/// PostgreSQL refuses payloads of 8,000 bytes.
const LONGEST: usize = 7_900;
/// Messages a slow subscriber may be behind before it is told of a gap instead.
const BEHIND: usize = 256;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A message of the channel.
    Message(String),
    /// Messages may have been lost: read again.
    Gap,
}

/// Publishes to and subscribes from all processes on the same database. Cheap to clone.
#[derive(Clone)]
pub struct Notices(Arc<Shared>);

struct Shared {
    channels: Mutex<HashMap<String, broadcast::Sender<Notice>>>,
    outbox: Mutex<HashSet<String>>,
    wake: Notify,
    wanted: Notify,
    own_pid: AtomicI32,
    stop: CancellationToken,
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

/// One subscriber's view of a channel.
#[derive(Debug)]
pub struct Subscription(broadcast::Receiver<Notice>);

impl Subscription {
    /// The next notice; waits for it. After the database was closed it waits for ever.
    pub async fn recv(&mut self) -> Notice {
        match self.0.recv().await {
            Ok(notice) => notice,
            Err(broadcast::error::RecvError::Lagged(_)) => Notice::Gap,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Notices {
    pub(crate) fn start(target: Target, tasks: &TaskTracker) -> Self {
        let shared = Arc::new(Shared {
            channels: Mutex::default(),
            outbox: Mutex::default(),
            wake: Notify::new(),
            wanted: Notify::new(),
            own_pid: AtomicI32::new(0),
            stop: CancellationToken::new(),
        });
        tasks.spawn(keep_connected(shared.clone(), target, tasks.clone()));
        Self(shared)
    }

    pub(crate) fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Hears what is published on a channel from now on.
    pub fn subscribe(&self, channel: &str) -> Subscription {
        self.0.wanted.notify_one();
        let mut channels = self.0.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = channels.entry(channel.to_owned()).or_insert_with(|| broadcast::channel(BEHIND).0);
        Subscription(sender.subscribe())
    }

    /// Tells every subscriber of a channel, here at once and in other processes soon. Call it after the commit
    /// (see [`crate::Tx::after_commit`]). A message too long for PostgreSQL (7,900 bytes with its channel)
    /// arrives elsewhere as a gap.
    pub fn publish(&self, channel: &str, message: &str) {
        self.0.deliver(channel, &Notice::Message(message.to_owned()));
        let mut line = format!("{channel} {message}");
        if line.len() > LONGEST || line.contains('\0') {
            channel.clone_into(&mut line);
        }
        self.0.outbox().insert(line);
        self.0.wanted.notify_one();
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn outbox(&self) -> MutexGuard<'_, HashSet<String>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, channel: &str, notice: &Notice) {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = channels.get(channel) {
            // An error means that nobody subscribes any more.
            let _heard_by = sender.send(notice.clone());
        }
    }

    fn tell_all_of_gap(&self) {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in channels.values() {
            let _heard_by = sender.send(Notice::Gap);
        }
    }

    fn hear(&self, payload: &str) {
        match payload.split_once(' ') {
            Some((channel, message)) => self.deliver(channel, &Notice::Message(message.to_owned())),
            None => self.deliver(payload, &Notice::Gap),
        }
    }
}

async fn keep_connected(shared: Arc<Shared>, target: Target, tasks: TaskTracker) {
    tokio::select! {
        () = shared.stop.cancelled() => return,
        () = shared.wanted.notified() => {}
    }
    let mut retry = FIRST_RETRY;
    while !shared.stop.is_cancelled() {
        let outcome = tokio::select! {
            () = shared.stop.cancelled() => return,
            outcome = converse(&shared, &target, &tasks, &mut retry) => outcome,
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "the connection for notices is lost");
        }
        let wait = retry;
        retry = (retry * 2).min(LAST_RETRY);
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Listens and sends until the connection breaks.
async fn converse(
    shared: &Arc<Shared>,
    target: &Target,
    tasks: &TaskTracker,
    retry: &mut Duration,
) -> Result<(), DbError> {
    let hears = shared.clone();
    let (client, connection) = connect::connect_hearing(target, tasks, move |notification| {
        // This process's own subscribers heard it when it was published.
        if notification.process_id() != hears.own_pid.load(Ordering::Relaxed) {
            hears.hear(notification.payload());
        }
    })
    .await?;
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    shared.own_pid.store(pid, Ordering::Relaxed);
    client.batch_execute(&format!("SET application_name='marquee notices';LISTEN {CHANNEL}")).await?;
    let notify = client.prepare("SELECT pg_notify($1, line) FROM unnest($2::text[]) AS line").await?;
    shared.tell_all_of_gap();
    *retry = FIRST_RETRY;
    let mut connection = std::pin::pin!(connection);
    loop {
        let lines: Vec<String> = shared.outbox().drain().collect();
        if !lines.is_empty()
            && let Err(error) = client.execute(&notify, &[&CHANNEL, &lines]).await
        {
            // The next connection sends them again.
            shared.outbox().extend(lines);
            return Err(error.into());
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            _ = &mut connection => return Err(DbError::unavailable("the server closed it")),
        }
    }
}
