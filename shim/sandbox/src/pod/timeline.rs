//! What happened when: stages of a pod in time and in guest-kernel instructions.

use std::{fmt, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// One stage that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its name, lower case with blanks.
    pub stage: String,
    /// Microseconds since the timeline began.
    pub at_us: u64,
    /// Guest-kernel instructions interpreted so far; 0 before the guest runs and on hardware KVM.
    pub instructions: u64,
}

/// Stages in the order in which they were reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    #[serde(skip)]
    began_us: u64,
    /// The stages.
    pub marks: Vec<Mark>,
}

/// The most stages kept: a machine that reports more has lost its mind.
const MAX_MARKS: usize = 64;

impl Timeline {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self::begin_at(monotonic_us())
    }

    pub(crate) fn begin_at(began_us: u64) -> Self {
        Self {
            began_us,
            marks: Vec::new(),
        }
    }

    /// Notes a stage that was reached now.
    pub fn mark(&mut self, stage: &str, instructions: u64) {
        self.mark_at(stage, monotonic_us(), instructions);
    }

    /// Notes a stage, in its place by time: reports may arrive late.
    pub(crate) fn mark_at(&mut self, stage: &str, monotonic_us: u64, instructions: u64) {
        if self.marks.len() >= MAX_MARKS {
            return;
        }
        let at_us = monotonic_us.saturating_sub(self.began_us);
        let place = self.marks.partition_point(|mark| mark.at_us <= at_us);
        self.marks.insert(
            place,
            Mark {
                stage: stage.to_owned(),
                at_us,
                instructions,
            },
        );
    }
}

/// A table: the stage, when it was reached, and what it took since the one before.
impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<18} {:>12} {:>12} {:>14} {:>14}",
            "stage", "at ms", "took ms", "instructions", "took"
        )?;
        let mut before = (0, 0);
        for mark in &self.marks {
            write!(
                f,
                "\n{:<18} {:>12} {:>12} {:>14} {:>14}",
                mark.stage,
                millis(mark.at_us),
                millis(mark.at_us.saturating_sub(before.0)),
                mark.instructions,
                mark.instructions.saturating_sub(before.1),
            )?;
            before = (mark.at_us, mark.instructions);
        }
        Ok(())
    }
}

fn millis(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}

/// `CLOCK_MONOTONIC`, the clock of the VMM's reports.
pub(crate) fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let since_boot = Duration::try_from(now).unwrap_or_default();
    u64::try_from(since_boot.as_micros()).unwrap_or(u64::MAX)
}
