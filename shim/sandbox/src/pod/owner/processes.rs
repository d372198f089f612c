//! The processes of a pod: their states, and who waits for what of them.

use std::collections::HashMap;

use super::{
    reply::Reply,
    table::{self, ProcessMessage, ProcessState, Verdict},
};
use crate::{
    agent::{Created, Exit, ProcessId, Refusal},
    pod::error::{MachineEnd, PodError},
};

/// The exit code of a process whose machine ended: as if SIGKILL had ended it.
const LOST: u8 = 137;

/// The exit code of a command that does not exist.
const NOT_FOUND: u8 = 127;

/// The exit code of a command that cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

/// The most processes of one pod, ended ones included until they are deleted.
const MAX_PROCESSES: usize = 4096;

/// How a process ended.
#[derive(Clone, Debug)]
pub struct ProcessExit {
    /// 0-255, or 128 + the signal that ended it.
    pub code: u8,
    /// Whether it ran out of the memory that it was allowed.
    pub oom_killed: bool,
    /// Set when it ended because its machine did.
    pub machine: Option<Box<MachineEnd>>,
}

impl ProcessExit {
    /// Of a process that was made and could not be executed: with the exit codes that shells have for it.
    pub(in crate::pod) fn never_ran(refusal: Refusal) -> Self {
        Self {
            code: match refusal {
                Refusal::CommandNotFound => NOT_FOUND,
                Refusal::CommandNotExecutable | Refusal::State | Refusal::Other => NOT_EXECUTABLE,
            },
            oom_killed: false,
            machine: None,
        }
    }
}

impl From<Exit> for ProcessExit {
    fn from(exit: Exit) -> Self {
        Self {
            code: exit.code,
            oom_killed: exit.oom_killed,
            machine: None,
        }
    }
}

/// An answer that is owed to a door.
#[derive(Debug)]
pub(in crate::pod) enum Owed {
    Created(Reply<Created>),
    Done(Reply<()>),
}

impl Owed {
    /// Nothing had to be done.
    pub(in crate::pod) fn done(self) {
        if let Self::Done(reply) = self {
            reply.send(Ok(())).ok();
        }
    }

    pub(in crate::pod) fn fail(self, error: PodError) {
        match self {
            Self::Created(reply) => {
                reply.send(Err(error)).ok();
            }
            Self::Done(reply) => {
                reply.send(Err(error)).ok();
            }
        }
    }
}

#[derive(Debug)]
struct Process {
    state: ProcessState,
    owed: Option<Owed>,
    waiting: Vec<Reply<ProcessExit>>,
    exit: Option<ProcessExit>,
}

/// Every process that a door asked for.
#[derive(Debug, Default)]
pub(in crate::pod) struct Processes {
    map: HashMap<ProcessId, Process>,
}

impl Processes {
    /// Asks the table; `Ok(true)`: the state is entered and the caller acts; `Ok(false)`: nothing to do.
    pub(in crate::pod) fn ask(
        &mut self,
        id: &ProcessId,
        message: ProcessMessage,
        wish: &'static str,
    ) -> Result<bool, PodError> {
        let state = self.state(id);
        let full = message == ProcessMessage::Create && self.map.len() >= MAX_PROCESSES;
        match table::process(state, message) {
            Verdict::Next(next) if !full => {
                self.enter(id, next);
                Ok(true)
            }
            Verdict::Drop => Ok(false),
            Verdict::Next(_) => Err(PodError::Refused {
                what: "pod".to_owned(),
                state: format!("full with {MAX_PROCESSES} processes"),
                wish,
            }),
            Verdict::Refuse => Err(PodError::Refused {
                what: name(id),
                state: state.to_string(),
                wish,
            }),
        }
    }

    /// Applies news; `true`: it counts.
    pub(in crate::pod) fn hear(&mut self, id: &ProcessId, message: ProcessMessage) -> bool {
        match table::process(self.state(id), message) {
            Verdict::Next(next) => {
                self.enter(id, next);
                true
            }
            Verdict::Drop | Verdict::Refuse => false,
        }
    }

    /// Notes the answer that the step under way owes.
    pub(in crate::pod) fn owe(&mut self, id: &ProcessId, owed: Owed) {
        if let Some(process) = self.map.get_mut(id) {
            process.owed = Some(owed);
        }
    }

    /// Takes the answer that is owed.
    pub(in crate::pod) fn take_owed(&mut self, id: &ProcessId) -> Option<Owed> {
        self.map.get_mut(id)?.owed.take()
    }

    /// Answers a wait now or when the process ends.
    pub(in crate::pod) fn wait(&mut self, id: &ProcessId, reply: Reply<ProcessExit>) {
        let Some(process) = self.map.get_mut(id) else {
            return;
        };
        match &process.exit {
            Some(exit) => {
                reply.send(Ok(exit.clone())).ok();
            }
            None => {
                process.waiting.retain(|reply| !reply.is_closed());
                process.waiting.push(reply);
            }
        }
    }

    /// Keeps how a process ended and tells everyone who waits.
    pub(in crate::pod) fn ended(&mut self, id: &ProcessId, exit: ProcessExit) {
        let Some(process) = self.map.get_mut(id) else {
            return;
        };
        for reply in process.waiting.drain(..) {
            reply.send(Ok(exit.clone())).ok();
        }
        process.exit = Some(exit);
    }

    /// The machine ended, and with it everything: what is owed fails, what ran was killed.
    pub(in crate::pod) fn machine_ended(&mut self, end: &MachineEnd) {
        let ids: Vec<ProcessId> = self.map.keys().cloned().collect();
        for id in ids {
            if let Some(owed) = self.take_owed(&id) {
                owed.fail(PodError::MachineEnded(Box::new(end.clone())));
            }
            if self.hear(&id, ProcessMessage::Exited) {
                let exit = ProcessExit {
                    code: LOST,
                    oom_killed: false,
                    machine: Some(Box::new(end.clone())),
                };
                self.ended(&id, exit);
            }
        }
    }

    fn state(&self, id: &ProcessId) -> ProcessState {
        self.map
            .get(id)
            .map_or(ProcessState::Absent, |process| process.state)
    }

    fn enter(&mut self, id: &ProcessId, state: ProcessState) {
        if state == ProcessState::Absent {
            self.map.remove(id);
            return;
        }
        if let Some(process) = self.map.get_mut(id) {
            process.state = state;
            return;
        }
        let process = Process {
            state,
            owed: None,
            waiting: Vec::new(),
            exit: None,
        };
        self.map.insert(id.clone(), process);
    }
}

fn name(id: &ProcessId) -> String {
    if id.exec.is_empty() {
        format!("container {}", id.container)
    } else {
        format!("process {} of container {}", id.exec, id.container)
    }
}
