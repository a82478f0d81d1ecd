//! What this process can do: the application lists its handlers here, once, at the start.

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{job::JobHandler, kind::OperationKind, reconciler::Reconciler, record::driver_kind};

/// Job handlers, kinds of operations and reconcilers, by name. A job of a kind that is not listed is left to a
/// process that knows it.
#[derive(Default)]
pub struct Registry {
    handlers: HashMap<String, Handler>,
    reconcilers: Vec<Arc<dyn Reconciler>>,
}

/// Who does a job.
#[derive(Clone)]
pub(crate) enum Handler {
    Job(Arc<dyn JobHandler>),
    Operation(Arc<dyn OperationKind>),
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a job handler.
    ///
    /// # Panics
    /// If its kind is taken: two handlers of one kind is a defect that must not reach the first job.
    #[must_use]
    pub fn job(self, handler: impl JobHandler) -> Self {
        let kind = handler.kind().to_owned();
        self.add(kind, Handler::Job(Arc::new(handler)))
    }

    /// Adds a kind of operation.
    ///
    /// # Panics
    /// If the kind is taken.
    #[must_use]
    pub fn operation(self, kind: impl OperationKind) -> Self {
        self.add(driver_kind(kind.kind()), Handler::Operation(Arc::new(kind)))
    }

    /// Adds a reconciler.
    ///
    /// # Panics
    /// If its name is taken.
    #[must_use]
    pub fn reconciler(mut self, reconciler: impl Reconciler) -> Self {
        let name = reconciler.name();
        assert!(
            self.reconcilers.iter().all(|other| other.name() != name),
            "two reconcilers are named {name}"
        );
        self.reconcilers.push(Arc::new(reconciler));
        self
    }

    fn add(mut self, kind: String, handler: Handler) -> Self {
        assert!(!self.handlers.contains_key(&kind), "two handlers for jobs of the kind {kind}");
        self.handlers.insert(kind, handler);
        self
    }

    pub(crate) fn find(&self, kind: &str) -> Option<&Handler> {
        self.handlers.get(kind)
    }

    /// Every kind of job, with how many of it may run at once.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, usize)> {
        self.handlers.iter().map(|(kind, handler)| match handler {
            Handler::Job(job) => (kind.as_str(), job.parallel()),
            Handler::Operation(_) => (kind.as_str(), usize::MAX),
        })
    }

    pub(crate) fn reconcilers(&self) -> &[Arc<dyn Reconciler>] {
        &self.reconcilers
    }
}

impl Handler {
    /// The application's name for it, for metrics: never with an organization in it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Job(job) => job.kind(),
            Self::Operation(operation) => operation.kind(),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<&str> = self.handlers.keys().map(String::as_str).collect();
        kinds.sort_unstable();
        let reconcilers: Vec<&str> = self.reconcilers.iter().map(|reconciler| reconciler.name()).collect();
        f.debug_struct("Registry").field("kinds", &kinds).field("reconcilers", &reconcilers).finish()
    }
}
