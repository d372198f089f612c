//! The queue of a pod's owner: wishes of doors and news from below.

use std::io;

use super::{processes::ProcessExit, reply::Reply};
use crate::{
    agent::{
        AgentClient, Created, Exit, GuestInfo, GuestProcess, Interface, NewContainer, NewProcess,
        ProcessId, Reach, Stats, TerminalSize,
    },
    machine::{MachineNews, ProcessEnd},
    pod::{
        error::{MachineEnd, PodError},
        run_dir::Keep,
        timeline::Timeline,
    },
};

/// One entry of the queue.
#[derive(Debug)]
pub(in crate::pod) enum Message {
    /// From a door.
    Ask(Ask),
    /// From below.
    News(News),
}

/// What a door wants.
#[derive(Debug)]
pub(in crate::pod) enum Ask {
    /// To know when the agent answers.
    Ready(Reply<GuestInfo>),
    /// A container, its init waiting.
    Create(NewContainer, Reply<Created>),
    /// Its init to run.
    Start(ProcessId, Reply<()>),
    /// Another process in a container, running.
    Exec(NewProcess, Reply<Created>),
    /// Something that no state depends on.
    Query(Query),
    /// To know when a process has ended.
    Wait(ProcessId, Reply<ProcessExit>),
    /// An ended process forgotten.
    Delete(ProcessId, Reply<()>),
    /// Something noted in the timeline: name, time, instructions.
    Mark(&'static str, u64, u64),
    /// The stages so far.
    Timeline(Reply<Timeline>),
    /// What stays when the machine has ended.
    Keep(Keep, Reply<()>),
    /// The pod's end.
    End(Reply<MachineEnd>),
}

/// One question, or one wish that no state depends on.
#[derive(Debug)]
pub(in crate::pod) enum Query {
    /// A signal sent.
    Signal(ProcessId, u32, Reach, Reply<()>),
    /// A terminal told its size.
    Resize(ProcessId, TerminalSize, Reply<()>),
    /// Standard input ended.
    CloseStdin(ProcessId, Reply<()>),
    /// A container stopped where it is.
    Pause(ProcessId, Reply<()>),
    /// A container going on.
    Resume(ProcessId, Reply<()>),
    /// An interface given to all containers that share their network.
    ConfigureShared(Interface, Reply<()>),
    /// An interface given to a container.
    ConfigureInterface(ProcessId, Interface, Reply<()>),
    /// Limits changed.
    Update(ProcessId, Vec<u8>, Reply<()>),
    /// What a container has used.
    Stats(ProcessId, Reply<Stats>),
    /// Every process of a container.
    Processes(ProcessId, Reply<Vec<GuestProcess>>),
    /// To know when more processes were killed for memory than so many.
    Oom(ProcessId, u64, Reply<u64>),
}

/// What happened.
#[derive(Debug)]
pub(in crate::pod) enum News {
    /// The agent answered for the first time.
    AgentReady(AgentClient, GuestInfo),
    /// The agent cannot be relied on any more, and why.
    AgentLost(String),
    /// The agent's answer about a new container's init.
    Created(ProcessId, Result<Created, PodError>),
    /// The agent's answer about a start.
    Started(ProcessId, Result<(), PodError>),
    /// The agent's answer about a new process, which runs already.
    Executed(ProcessId, Result<Created, PodError>),
    /// A process ended.
    Exited(ProcessId, Exit),
    /// The agent's answer about a deletion.
    Deleted(ProcessId, Result<(), PodError>),
    /// From the control connection.
    Machine(MachineNews),
    /// The VMM process was reaped.
    Reaped(io::Result<ProcessEnd>),
}
