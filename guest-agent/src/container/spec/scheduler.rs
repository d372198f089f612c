//! `process.scheduler`: what sched_setattr(2) would refuse without saying which field it means.

use oci_spec::runtime::{LinuxSchedulerFlag, LinuxSchedulerPolicy, Scheduler};

use crate::container::ContainerError;

/// Least time that a deadline scheduler hands out, in nanoseconds (kernel/sched/deadline.c).
const LEAST_RUNTIME: u64 = 1024;

/// Judges every field.
pub(super) fn check(scheduler: &Scheduler) -> Result<(), ContainerError> {
    let policy = scheduler.policy();
    if *policy == LinuxSchedulerPolicy::SchedIso {
        return Err(unsupported("policy: SCHED_ISO, which Linux does not have,"));
    }
    let nice = scheduler.nice().unwrap_or(0);
    if !(-20..=19).contains(&nice) {
        return invalid(&format!("nice: {nice} is not between -20 and 19"));
    }
    let real_time = matches!(
        policy,
        LinuxSchedulerPolicy::SchedFifo | LinuxSchedulerPolicy::SchedRr
    );
    let priority = scheduler.priority().unwrap_or(0);
    if real_time && !(1..=99).contains(&priority) {
        return invalid(&format!("priority: {priority} is not between 1 and 99"));
    }
    if !real_time && priority != 0 {
        return invalid(&format!(
            "priority: {priority} is for SCHED_FIFO and SCHED_RR only"
        ));
    }
    for flag in scheduler.flags().iter().flatten() {
        match flag {
            LinuxSchedulerFlag::SchedFlagUtilClampMin => {
                return Err(unsupported("flags: SCHED_FLAG_UTIL_CLAMP_MIN"));
            }
            LinuxSchedulerFlag::SchedFlagUtilClampMax => {
                return Err(unsupported("flags: SCHED_FLAG_UTIL_CLAMP_MAX"));
            }
            _ => {}
        }
    }
    if *policy == LinuxSchedulerPolicy::SchedDeadline {
        return check_times(scheduler);
    }
    Ok(())
}

fn check_times(scheduler: &Scheduler) -> Result<(), ContainerError> {
    let runtime = scheduler.runtime().unwrap_or(0);
    let deadline = scheduler.deadline().unwrap_or(0);
    let period = scheduler.period().filter(|period| *period > 0);
    let period = period.unwrap_or(deadline);
    if runtime < LEAST_RUNTIME || runtime > deadline || deadline > period {
        return invalid(&format!(
            "runtime {runtime}, deadline {deadline} and period {period} must grow, from {LEAST_RUNTIME} ns"
        ));
    }
    Ok(())
}

fn invalid(text: &str) -> Result<(), ContainerError> {
    Err(ContainerError::Invalid(format!("process.scheduler.{text}")))
}

fn unsupported(text: &str) -> ContainerError {
    ContainerError::Unsupported(format!("process.scheduler.{text}"))
}
