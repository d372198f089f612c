//! The agent's answers, checked: what leaves this file may be believed to be in range.

use husk_protocol::{PROTOCOL_VERSION, agent};

use super::{AgentError, error::clean};

/// The most processes taken from one list; the guest's pid space is no larger.
const MAX_PIDS: usize = 4 << 20;

/// The most warnings taken for one container.
const MAX_WARNINGS: usize = 64;

/// The longest id that an agent takes.
const MAX_ID_BYTES: usize = 76;

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

/// A process that runs in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestProcess {
    /// Its pid in the guest.
    pub pid: u32,
    /// The exec that made it; `None`: init, or a process that the container made itself.
    pub exec: Option<String>,
    /// It is the container's init.
    pub is_init: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// 0-255, or 128 + the signal that ended it.
    pub code: u8,
    /// Whether the guest ran out of the memory that the process was allowed.
    pub oom_killed: bool,
}

pub(super) fn invalid(call: &'static str, what: String) -> AgentError {
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

pub(super) fn processes(
    answer: agent::ListProcessesResponse,
) -> Result<Vec<GuestProcess>, AgentError> {
    let call = "ListProcesses";
    if answer.processes.len() > MAX_PIDS {
        let what = format!("{} processes", answer.processes.len());
        return Err(invalid(call, what));
    }
    let process = |listed: agent::ListedProcess| {
        if listed.exec_id.len() > MAX_ID_BYTES {
            let what = format!("exec id of {} bytes", listed.exec_id.len());
            return Err(invalid(call, what));
        }
        Ok(GuestProcess {
            pid: pid(call, listed.pid)?,
            exec: (!listed.exec_id.is_empty()).then(|| clean(&listed.exec_id)),
            is_init: listed.init,
        })
    };
    answer.processes.into_iter().map(process).collect()
}

/// An agent that answers without news would be asked again and again.
pub(super) fn kills(seen: u64, kills: u64) -> Result<u64, AgentError> {
    if kills <= seen {
        let what = format!("{kills} kills where {seen} were seen");
        return Err(invalid("WaitOom", what));
    }
    Ok(kills)
}
