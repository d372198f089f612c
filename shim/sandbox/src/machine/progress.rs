//! Deadlines in the guest's own progress. An interpreted guest may be 12 times slower on one host than on the next, and
//! slower still under load, so seconds say nothing about it; its instruction counter does.

use std::{
    fmt,
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use husk_machine::api::config::KvmKind;
use tokio::time::{MissedTickBehavior, interval};

use super::{ControlClient, MachineError};

/// How often the counter is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a guest with work to do may not execute one kernel instruction.
const STANDSTILL: Duration = Duration::from_secs(60);

/// What a guest may take for one piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestLimit {
    /// Kernel instructions, where they are interpreted and so counted.
    pub instructions: u64,
    /// Wall time, on hardware KVM.
    pub wall: Duration,
}

/// Why a guest is taken for stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalled {
    /// The counter stood still.
    Standstill {
        /// For so long.
        seconds: u64,
        /// At this value.
        at: u64,
    },
    /// It used up what it was given.
    Instructions {
        /// Executed since the work was due.
        used: u64,
        /// Given.
        limit: u64,
    },
    /// On hardware: it took too long.
    Wall {
        /// Given.
        seconds: u64,
    },
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standstill { seconds, at } => write!(
                f,
                "the guest stood still for {seconds} s at {at} kernel instructions"
            ),
            Self::Instructions { used, limit } => write!(
                f,
                "the guest executed {used} kernel instructions without an answer, limit {limit}"
            ),
            Self::Wall { seconds } => write!(f, "no answer of the guest within {seconds} s"),
        }
    }
}

/// The judgement, apart from clock and counter.
#[derive(Debug)]
pub(super) struct Watch {
    kind: KvmKind,
    limit: GuestLimit,
    began: Instant,
    first: Option<u64>,
    last: u64,
    moved: Instant,
}

impl Watch {
    pub(super) fn new(kind: KvmKind, limit: GuestLimit, now: Instant) -> Self {
        Self {
            kind,
            limit,
            began: now,
            first: None,
            last: 0,
            moved: now,
        }
    }

    /// What this reading of the counter says.
    pub(super) fn look(&mut self, now: Instant, instructions: u64) -> Result<(), Stalled> {
        if self.kind == KvmKind::Hardware {
            return if now.duration_since(self.began) > self.limit.wall {
                Err(Stalled::Wall {
                    seconds: self.limit.wall.as_secs(),
                })
            } else {
                Ok(())
            };
        }
        let first = *self.first.get_or_insert(instructions);
        if instructions != self.last {
            self.last = instructions;
            self.moved = now;
        }
        let used = instructions.saturating_sub(first);
        if used > self.limit.instructions {
            return Err(Stalled::Instructions {
                used,
                limit: self.limit.instructions,
            });
        }
        let still = now.duration_since(self.moved);
        if still > STANDSTILL {
            return Err(Stalled::Standstill {
                seconds: still.as_secs(),
                at: instructions,
            });
        }
        Ok(())
    }
}

/// Waits for `work` of the guest as long as the guest gets on with it.
///
/// # Errors
/// The guest is stuck, or the VMM cannot be asked how far it is.
pub async fn within<T>(
    what: &'static str,
    work: impl Future<Output = T>,
    limit: GuestLimit,
    kind: KvmKind,
    control: &ControlClient,
) -> Result<T, MachineError> {
    let mut watch = Watch::new(kind, limit, Instant::now());
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            result = &mut work => return Ok(result),
            _ = look.tick() => {
                let metrics = control.metrics().await?;
                watch
                    .look(Instant::now(), metrics.instructions)
                    .map_err(|stalled| MachineError::Stalled { what, stalled })?;
            }
        }
    }
}
