//! The states of an operation, long-running work that survives a crash.

crate::words! {
    /// Where an operation stands. [`OperationState::is_done`] says whether it will still move.
    pub enum OperationState {
        /// Accepted, not started.
        Pending = "pending",
        /// Waits for a second person.
        AwaitingApproval = "awaiting_approval",
        /// A worker is on it.
        Running = "running",
        /// Stopped at a step boundary for a stated reason; can be resumed.
        Paused = "paused",
        /// Asked to stop; the step under way is being finished.
        Cancelling = "cancelling",
        /// A step failed; what was done is being undone.
        Undoing = "undoing",
        /// All of it happened.
        Succeeded = "succeeded",
        /// Some parts happened and some did not; the progress says which.
        PartiallySucceeded = "partially_succeeded",
        /// It did not happen, and something may be left; the error says what.
        Failed = "failed",
        /// It did not happen, and nothing is left.
        Undone = "undone",
        /// Stopped on request before it changed anything more.
        Cancelled = "cancelled",
    }
}

impl OperationState {
    /// Whether the state is final.
    pub fn is_done(self) -> bool {
        match self {
            Self::Succeeded | Self::PartiallySucceeded | Self::Failed | Self::Undone | Self::Cancelled => {
                true
            }
            Self::Pending
            | Self::AwaitingApproval
            | Self::Running
            | Self::Paused
            | Self::Cancelling
            | Self::Undoing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_are_those_that_never_change_again() {
        let done: Vec<_> =
            OperationState::ALL.iter().filter(|state| state.is_done()).map(|s| s.as_str()).collect();
        assert_eq!(done, ["succeeded", "partially_succeeded", "failed", "undone", "cancelled"]);
    }
}
