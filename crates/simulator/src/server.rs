//! The simulator as it listens: an address for each face and one for its control, all on loopback.
//!
//! Faces compute answers; here is all the IO, and what faults do to a connection: late answers, none, and half ones.

mod connection;
mod tls;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use marquee_types::Clock;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::{ClockChange, ClockError},
    face::{Face, FaceName},
    faults::{Fault, FaultError},
    plan::Plan,
    seed::Seed,
    world::{World, WorldError},
};

/// How a simulator is started.
#[derive(Debug)]
pub struct Options {
    /// The world.
    pub plan: Plan,
    /// Where to listen; loopback only.
    pub host: IpAddr,
    /// Port of the control; AWS, Azure, Google and Hetzner take the four after it. 0 lets the system choose each.
    pub port: u16,
    /// Simulated seconds a second.
    pub speed: f64,
    /// The time at which the world is entered; the machine's own unless said.
    pub now: Option<DateTime<Utc>>,
    /// When it was entered for the first time: it is made as it was then, and its clock moved to `now`.
    pub entered: Option<DateTime<Utc>>,
    /// Where to write the certificate that clients of Azure must trust; nowhere, if it is only asked for by code.
    pub certificate: Option<PathBuf>,
    /// The machine's clock.
    pub clock: Clock,
}

impl Options {
    /// On 127.0.0.1, ports chosen by the system, at the speed of life.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            host: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            speed: 1.0,
            now: None,
            entered: None,
            certificate: None,
            clock: Clock::system(),
        }
    }
}

/// A simulator that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Simulator {
    served: Arc<Served>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What the control API shows and changes.
pub(crate) struct Served {
    pub(crate) world: World,
    pub(crate) faces: Vec<Box<dyn Face>>,
    pub(crate) addresses: Addresses,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Served({:?})", self.addresses)
    }
}

/// Where a simulator listens.
#[derive(Debug, Clone, Serialize)]
pub struct Addresses {
    /// The control API: `http://127.0.0.1:7470`.
    pub control: String,
    /// AWS.
    pub aws: String,
    /// Azure: Entra and Resource Manager alike.
    pub azure: String,
    /// Google Cloud.
    pub google: String,
    /// Hetzner Cloud.
    pub hetzner: String,
    /// PEM of the certificate authority that clients of `azure` must trust.
    pub certificate: String,
}

impl Addresses {
    /// Where a face listens.
    pub fn of(&self, face: FaceName) -> &str {
        match face {
            FaceName::Aws => &self.aws,
            FaceName::Azure => &self.azure,
            FaceName::Google => &self.google,
            FaceName::Hetzner => &self.hetzner,
        }
    }
}

/// A simulator that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its world cannot be made.
    #[error(transparent)]
    World(#[from] WorldError),
    /// It has no authentication worth the name for its control, so it stays on this machine.
    #[error("the simulator listens on loopback only, not on {0}")]
    NotLoopback(IpAddr),
    /// An address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The certificate cannot be made.
    #[error("cannot make the certificate: {0}")]
    Certificate(String),
    /// The certificate cannot be written.
    #[error("cannot write {0}: {1}")]
    Write(PathBuf, io::Error),
}

/// A fault that cannot be switched on.
#[derive(Debug, thiserror::Error)]
pub enum BadFault {
    /// It is none.
    #[error("this is no fault: {0}")]
    Shape(#[from] serde_json::Error),
    /// It cannot be.
    #[error(transparent)]
    Limits(#[from] FaultError),
}

/// Who answers on an address.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Desk {
    Control,
    Face(FaceName),
}

impl Simulator {
    /// Grows the world and begins to listen.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        if !options.host.is_loopback() {
            return Err(StartError::NotLoopback(options.host));
        }
        let identity =
            tls::Identity::new(Seed(options.plan.seed), options.host).map_err(StartError::Certificate)?;
        if let Some(path) = &options.certificate {
            std::fs::write(path, &identity.authority)
                .map_err(|error| StartError::Write(path.clone(), error))?;
        }
        let now = options.now.unwrap_or_else(|| options.clock.now());
        let faces = crate::faces();
        let entered = options.entered.unwrap_or(now);
        let world = World::grow(options.plan, &faces, options.clock, entered, options.speed)?;
        // Growing takes a moment, in which the clock runs.
        if world.clock.now() < now {
            let change = ClockChange { now: Some(now), ..ClockChange::default() };
            world.clock.change(change).map_err(WorldError::from)?;
        }

        let desks = [
            Desk::Control,
            Desk::Face(FaceName::Aws),
            Desk::Face(FaceName::Azure),
            Desk::Face(FaceName::Google),
            Desk::Face(FaceName::Hetzner),
        ];
        let mut listeners = Vec::new();
        for (offset, desk) in (0_u16..).zip(desks) {
            let port = if options.port == 0 { 0 } else { options.port.saturating_add(offset) };
            let address = SocketAddr::new(options.host, port);
            let listener =
                TcpListener::bind(address).await.map_err(|error| StartError::Listen(address, error))?;
            let bound = listener.local_addr().map_err(|error| StartError::Listen(address, error))?;
            listeners.push((desk, listener, bound));
        }
        let origin = |at: usize, scheme: &str| format!("{scheme}://{}", listeners[at].2);
        let addresses = Addresses {
            control: origin(0, "http"),
            aws: origin(1, "http"),
            azure: origin(2, "https"),
            google: origin(3, "http"),
            hetzner: origin(4, "http"),
            certificate: identity.authority,
        };
        let served = Arc::new(Served { world, faces, addresses });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        for (desk, listener, _) in listeners {
            let acceptor = matches!(desk, Desk::Face(FaceName::Azure))
                .then(|| TlsAcceptor::from(identity.server.clone()));
            tasks.spawn(connection::accept(
                listener,
                acceptor,
                desk,
                served.clone(),
                stop.clone(),
                tasks.clone(),
            ));
        }
        Ok(Self { served, stop, tasks })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.served.addresses
    }

    /// Its world.
    pub fn world(&self) -> &World {
        &self.served.world
    }

    /// Credentials of an account, as a client of its vendor takes them.
    pub fn credentials(&self, face: FaceName, account: &str) -> Option<serde_json::Value> {
        self.served.credentials(face, account)
    }

    /// Switches a fault on, written as the control API takes it, and gives its number.
    pub fn fault(&self, fault: serde_json::Value) -> Result<u64, BadFault> {
        let fault: Fault = serde_json::from_value(fault)?;
        Ok(self.world().faults.add(fault)?)
    }

    /// Lets simulated time pass.
    pub fn advance(&self, seconds: f64) -> Result<(), ClockError> {
        let change = ClockChange { advance_seconds: Some(seconds), ..ClockChange::default() };
        self.world().clock.change(change).map(drop)
    }

    /// How many things of a kind an account has now, by the face's name for it.
    pub fn count(&self, account: &str, kind: &str) -> usize {
        self.world().read().all(account, kind, None, self.world().clock.now()).count()
    }

    /// Stops listening and ends every connection.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Served {
    pub(crate) fn credentials(&self, face: FaceName, account: &str) -> Option<serde_json::Value> {
        let account = self.world.plan.account(face, account)?;
        let found = self.faces.iter().find(|known| known.name() == face)?;
        Some(found.credentials(&self.world, account, self.addresses.of(face)))
    }
}
