//! The agent's answers, checked: what leaves this file may be believed to be in range.

use husk_protocol::{PROTOCOL_VERSION, agent};

use super::{AgentError, error::clean};

/// The most processes taken from one list; the guest's pid space is no larger.
const MAX_PIDS: usize = 4 << 20;

/// The most warnings taken for one container.
const MAX_WARNINGS: usize = 64;

/// The longest kernel release taken.
const MAX_RELEASE_BYTES: usize = 128;

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestInfo {
    /// `uname -r` of the guest.
    pub kernel_release: String,
}

/// A process that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its pid in the guest.
    pub pid: u32,
    /// What of its specification was not applied, and why: one line each.
    pub warnings: Vec<String>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// 0-255, or 128 + the signal that ended it.
    pub code: u8,
    /// Whether the guest ran out of the memory that the process was allowed.
    pub oom_killed: bool,
}

fn invalid(call: &'static str, what: String) -> AgentError {
    AgentError::Invalid { call, what }
}

pub(super) fn hello(answer: agent::HelloResponse) -> Result<GuestInfo, AgentError> {
    if answer.version != PROTOCOL_VERSION {
        let what = format!(
            "protocol version {}, this host speaks {PROTOCOL_VERSION}",
            answer.version
        );
        return Err(invalid("Hello", what));
    }
    let release = answer.kernel_release;
    let in_range =
        release.len() <= MAX_RELEASE_BYTES && release.bytes().all(|b| b.is_ascii_graphic());
    if !in_range {
        let what = format!("kernel release of {} bytes", release.len());
        return Err(invalid("Hello", what));
    }
    Ok(GuestInfo {
        kernel_release: release,
    })
}

pub(super) fn created(
    call: &'static str,
    guest_pid: u32,
    warnings: &[String],
) -> Result<Created, AgentError> {
    Ok(Created {
        pid: pid(call, guest_pid)?,
        warnings: warnings
            .iter()
            .take(MAX_WARNINGS)
            .map(|line| clean(line))
            .collect(),
    })
}

fn pid(call: &'static str, pid: u32) -> Result<u32, AgentError> {
    if pid == 0 || i32::try_from(pid).is_err() {
        return Err(invalid(call, format!("pid {pid}")));
    }
    Ok(pid)
}

pub(super) fn wait(answer: &agent::WaitResponse) -> Result<Exit, AgentError> {
    let code = u8::try_from(answer.exit_code)
        .map_err(|_| invalid("Wait", format!("exit code {}", answer.exit_code)))?;
    Ok(Exit {
        code,
        oom_killed: answer.oom_killed,
    })
}

pub(super) fn pids(answer: agent::ListProcessesResponse) -> Result<Vec<u32>, AgentError> {
    let call = "ListProcesses";
    if answer.pids.len() > MAX_PIDS {
        return Err(invalid(call, format!("{} processes", answer.pids.len())));
    }
    for &listed in &answer.pids {
        pid(call, listed)?;
    }
    Ok(answer.pids)
}
