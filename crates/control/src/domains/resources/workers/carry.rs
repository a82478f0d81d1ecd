//! How a step's change is carried to its end: begun once, looked at, left while the cloud takes its time, gone on with; and
//! where the cloud has none of a size, the next one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use marquee_clouds::{Change, Changes, Cloud, CloudError, ErrorKind, Progress, Retry, Ticket, Token, Undo};
use marquee_jobs::{StepContext, StepError};
use serde::{Deserialize, Serialize};

use super::{
    super::{model::plan::PlannedStep, store::shortages},
    change::{ChangeOperation, kind, made_by, read, written},
    sync::open,
};
use crate::domains::providers::Connected;

/// Between two looks at a change: at first, and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));
/// How long a change may take before it is reported as one that does not end. The slowest are databases.
const LONGEST: Duration = Duration::from_hours(3);

/// What a step that was left is gone on with.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    /// How many sizes the cloud had none of before: which of the step's attempts this is.
    #[serde(default)]
    after: usize,
    /// Whether it is the change that takes the attempt back.
    back: bool,
    /// What it is looked at with; none if it has not begun.
    ticket: Option<Ticket>,
    /// When it was begun.
    began_at: DateTime<Utc>,
    /// The wait that was over when it is taken up again.
    waited_ms: u64,
    /// Whether the vendor said that it has no room for it: then nothing of it is to be waited for.
    #[serde(default)]
    refused: bool,
}

/// How a begun change ended.
enum Ended {
    Done {
        native_id: String,
    },
    Failed(CloudError),
    /// Not in the time that changes are given.
    Never {
        said: String,
        thing: String,
    },
}

impl Left {
    /// An attempt that has not begun.
    fn of(after: usize, ctx: &StepContext) -> Self {
        Self { after, back: false, ticket: None, began_at: ctx.clock.now(), waited_ms: 0, refused: false }
    }
}

fn left(ctx: &StepContext) -> Result<Option<Left>, StepError> {
    ctx.kept.as_deref().map(read::<Left>).transpose()
}

/// How many sizes of this step the cloud had none of.
pub(super) fn tried(ctx: &StepContext) -> Result<usize, StepError> {
    Ok(left(ctx)?.map_or(0, |left| left.after))
}

impl ChangeOperation {
    /// Makes the change of a step, with the next size where the cloud has none of one; the id of the thing.
    pub(super) async fn achieve(
        &self,
        ctx: &StepContext,
        connected: &Connected,
        step: &PlannedStep,
    ) -> Result<String, StepError> {
        let after = tried(ctx)?;
        if left(ctx)?.is_some_and(|left| left.back) {
            return self.try_next(ctx, connected, step, after).await;
        }
        let change = step.attempt(after);
        let error = match self.carry_out(ctx, connected, &change, (after, false)).await {
            Err(error) if error.code == ErrorKind::InsufficientCapacity.as_str() => error,
            carried => return carried,
        };
        if let Some(size) = step.attempted(after) {
            let mut tx = ctx.org()?;
            shortages::note(&mut tx, step.provider_id, &change.region, size, ctx.clock.now()).await?;
            tx.commit().await?;
        }
        if after < step.fallbacks.len() {
            return self.try_next(ctx, connected, step, after).await;
        }
        Err(error.keeping(written(&Left { refused: true, ..Left::of(after, ctx) })?))
    }

    /// Clears away what an attempt left behind, and has the next size tried.
    async fn try_next(
        &self,
        ctx: &StepContext,
        connected: &Connected,
        step: &PlannedStep,
        after: usize,
    ) -> Result<String, StepError> {
        let change = step.attempt(after);
        let made = changes(&*connected.cloud)?.made(&change, &token(ctx, after, false)?).await;
        if let (Some(native_id), Undo::Remove { action }) =
            (made.map_err(|error| step_error(&error))?, &step.undo)
        {
            let removal = Change::of(&change.region, kind(&change), native_id, action.clone());
            self.carry_out(ctx, connected, &removal, (after, true)).await?;
        }
        let sizes = [after, after + 1].map(|after| step.attempted(after).unwrap_or("that size"));
        let next = Left::of(after + 1, ctx);
        let detail = format!("The cloud has none of {}: {} is tried next.", sizes[0], sizes[1]);
        Err(StepError::later(Duration::ZERO, detail).keeping(written(&next)?))
    }

    /// What a step made, whether or not anyone was told. What was just made may be unseen for a while.
    pub(super) async fn what_was_made(
        &self,
        ctx: &StepContext,
        step: &PlannedStep,
    ) -> Result<Option<String>, StepError> {
        if let Some(output) = &ctx.output {
            return Ok(Some(made_by(output)?));
        }
        let connected = open(&self.app, ctx, step.provider_id).await?;
        let after = tried(ctx)?;
        let (changes, token) = (changes(&*connected.cloud)?, token(ctx, after, false)?);
        let change = step.attempt(after);
        // Counted over all attempts: a worker that dies takes the wait with it, and the next goes on with the rest of it.
        let waited = ctx.undo_began_at.map(|began| ctx.clock.now() - began);
        let waited = waited.and_then(|waited| waited.to_std().ok()).unwrap_or_default();
        let refused = left(ctx)?.is_some_and(|left| left.refused);
        let unseen = if refused { Duration::ZERO } else { self.unseen };
        let until = tokio::time::Instant::now() + unseen.saturating_sub(waited);
        let mut wait = LOOKS.0;
        loop {
            let found = match changes.made(&change, &token).await {
                Err(error) if never_asked(&error) => return Ok(None),
                made => made.map_err(|error| step_error(&error))?,
            };
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if found.is_some() || left.is_zero() {
                return Ok(found);
            }
            wait = wait.min(left);
            self.nap(wait, || StepError::later(wait, "It may have been made, and is not seen yet.")).await?;
            wait = (wait * 2).min(LOOKS.1);
        }
    }

    /// Waits with the worker in hand, or leaves it to others if that takes long.
    async fn nap(&self, wait: Duration, leaving: impl FnOnce() -> StepError) -> Result<(), StepError> {
        if wait > self.in_hand {
            return Err(leaving());
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Begins a change, or goes on with it where it was left, and looks at it until it is over; the id of the thing. A worker
    /// that dies leaves nothing: the next begins the change again with the same token.
    pub(super) async fn carry_out(
        &self,
        ctx: &StepContext,
        connected: &Connected,
        change: &Change,
        (after, back): (usize, bool),
    ) -> Result<String, StepError> {
        let changes = changes(&*connected.cloud)?;
        let left = left(ctx)?.filter(|left| (left.after, left.back) == (after, back));
        let begun = left.and_then(|left| Some((left.ticket?, left.began_at, left.waited_ms)));
        let (ticket, began_at, waited_ms) = if let Some(begun) = begun {
            begun
        } else {
            let token = token(ctx, after, back)?;
            let ticket = changes.begin(change, &token).await.map_err(|error| step_error(&error))?;
            (ticket, ctx.clock.now(), 0)
        };
        let left = Left { back, began_at, waited_ms, ..Left::of(after, ctx) };
        match self.end_of(ctx, changes, change, ticket, left).await? {
            Ended::Done { native_id } => Ok(native_id),
            Ended::Failed(error) => Err(step_error(&error)),
            Ended::Never { said, thing } => {
                let detail = format!(
                    "It did not end within {} hours; the cloud last said: {said}. What it is about: {thing}.",
                    LONGEST.as_secs() / 3600
                );
                Err(StepError::permanent("deadline", detail))
            }
        }
    }

    /// A change that was left and is no longer wanted is let to its end: a vendor refuses to take back what it is still doing.
    pub(super) async fn let_it_end(&self, ctx: &StepContext, step: &PlannedStep) -> Result<(), StepError> {
        let Some(mut left) = left(ctx)?.filter(|left| !left.back) else { return Ok(()) };
        let Some(ticket) = left.ticket.take() else { return Ok(()) };
        let connected = open(&self.app, ctx, step.provider_id).await?;
        let change = step.attempt(left.after);
        let ended = self.end_of(ctx, changes(&*connected.cloud)?, &change, ticket, left).await?;
        match ended {
            Ended::Failed(error)
                if matches!(error.kind, ErrorKind::Unauthenticated | ErrorKind::PermissionDenied) =>
            {
                Err(step_error(&error))
            }
            // Whatever came of it is what is to be taken back.
            Ended::Done { .. } | Ended::Failed(_) | Ended::Never { .. } => Ok(()),
        }
    }

    /// Looks at a begun change until it is over, or leaves it.
    async fn end_of(
        &self,
        ctx: &StepContext,
        changes: &dyn Changes,
        change: &Change,
        ticket: Ticket,
        left: Left,
    ) -> Result<Ended, StepError> {
        let mut wait = Duration::from_millis(left.waited_ms).max(LOOKS.0);
        loop {
            let said = match changes.look(change, &ticket).await {
                Ok(Progress::Done { native_id }) => return Ok(Ended::Done { native_id }),
                Ok(Progress::Working(said)) => said,
                // One look that failed says nothing about the change.
                Err(error) if error.retry_helps() => error.to_string(),
                Ok(Progress::Failed(error)) | Err(error) => return Ok(Ended::Failed(error)),
            };
            let since = ctx.clock.now() - left.began_at;
            if since.to_std().unwrap_or_default() >= LONGEST {
                let thing = ticket.native_id.unwrap_or_else(|| "not yet named".to_owned());
                return Ok(Ended::Never { said, thing });
            }
            let waited_ms = u64::try_from((wait * 2).min(LOOKS.1).as_millis()).unwrap_or_default();
            let kept = written(&Left {
                ticket: Some(ticket.clone()),
                waited_ms,
                after: left.after,
                back: left.back,
                began_at: left.began_at,
                refused: false,
            })?;
            let leaving = || StepError::later(wait, format!("The cloud is at it: {said}")).keeping(kept);
            self.nap(wait, leaving).await?;
            wait = (wait * 2).min(LOOKS.1);
        }
    }
}

/// Whether this is an adapter's own refusal to ask its vendor for something: then it was never asked for, and not made.
fn never_asked(error: &CloudError) -> bool {
    error.kind == ErrorKind::Invalid && error.code.is_none() && error.request_id.is_none()
}

pub(super) fn changes(cloud: &dyn Cloud) -> Result<&dyn Changes, StepError> {
    cloud
        .changes()
        .ok_or_else(|| StepError::permanent("unsupported", "Marquee cannot change anything at this cloud"))
}

/// The token of one of a step's attempts, or of the change that takes it back.
fn token(ctx: &StepContext, after: usize, back: bool) -> Result<Token, StepError> {
    let mut text = ctx.token();
    if after > 0 {
        text = format!("{text}-{after}");
    }
    if back {
        text.push_str("-undo");
    }
    Token::new(text).ok_or_else(|| StepError::permanent("internal", "the step's token is no token"))
}

/// What a cloud's failure means for a step. Credentials that are no longer taken are for a person to repair: the operation
/// pauses, and goes on where it was.
pub(super) fn step_error(error: &CloudError) -> StepError {
    let code = error.kind.as_str();
    let detail = error.to_string();
    match (error.kind, error.retry) {
        (ErrorKind::Unauthenticated | ErrorKind::PermissionDenied, _) => StepError::pause(
            code,
            format!(
                "{detail}. Repair the provider's credentials or their permissions, then resume the operation."
            ),
        ),
        (_, Retry::Never) => StepError::permanent(code, detail),
        (_, Retry::Now) => StepError::transient(code, detail),
        (_, Retry::After(wait)) => StepError::after(wait, code, detail),
    }
}
