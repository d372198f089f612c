//! The owner of a pod's state: one task that reads one queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use husk_machine::api::ExitReport;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    guest::{Guest, Meter},
    messages::Message,
    processes::Processes,
    reply::Reply,
    table::{self, PodMessage, PodState, Verdict},
};
use crate::{
    agent::GuestInfo,
    machine::{Killer, ProcessEnd},
    pod::{
        error::{MachineEnd, PodError},
        remains::Remains,
        timeline::Timeline,
    },
};

/// How long a VMM may take to answer, and then to end, when asked: neither waits for the guest, but a host under load may
/// be slow, and one that is killed instead takes its report with it.
const STOP_GRACE: Duration = Duration::from_secs(15);

/// What the owner starts with.
pub(in crate::pod) struct Owned {
    pub(in crate::pod) meter: Meter,
    pub(in crate::pod) killer: Killer,
    pub(in crate::pod) remains: Remains,
    pub(in crate::pod) timeline: Timeline,
    pub(in crate::pod) queue: mpsc::WeakSender<Message>,
}

/// Everything that is known about a pod, in one place.
pub(in crate::pod) struct Owner {
    pub(super) owned: Owned,
    pub(super) state: PodState,
    pub(super) guest: Option<(Guest, GuestInfo)>,
    pub(super) processes: Processes,
    pub(super) ready: Vec<Reply<GuestInfo>>,
    pub(super) ends: Vec<Reply<MachineEnd>>,
    pub(super) fault: Option<String>,
    /// Whether we sent the VMM SIGKILL.
    pub(super) killed: Arc<AtomicBool>,
    pub(super) report: Option<ExitReport>,
    pub(super) reaped: Option<Option<ProcessEnd>>,
    pub(super) closed: bool,
    pub(super) end: Option<MachineEnd>,
}

impl Owner {
    pub(in crate::pod) fn new(owned: Owned) -> Self {
        Self {
            owned,
            state: PodState::Booting,
            guest: None,
            processes: Processes::default(),
            ready: Vec::new(),
            ends: Vec::new(),
            fault: None,
            killed: Arc::default(),
            report: None,
            reaped: None,
            closed: false,
            end: None,
        }
    }

    /// Serves until nobody can ask any more.
    pub(in crate::pod) async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        while let Some(message) = queue.recv().await {
            match message {
                Message::Ask(ask) => self.ask(ask),
                Message::News(news) => self.hear(news),
            }
        }
    }

    /// The agent cannot be relied on any more: its machine goes.
    pub(super) fn agent_lost(&mut self, text: String) {
        if let Verdict::Next(next) = table::pod(self.state, PodMessage::AgentLost) {
            self.state = next;
            self.fault = Some(text);
            self.end_machine();
        }
    }

    /// Ends the VMM: by a word first, which lets it report, then by SIGKILL.
    pub(super) fn end_machine(&self) {
        let control = self.owned.meter.control.clone();
        let killer = self.owned.killer.try_clone();
        let killed = Arc::clone(&self.killed);
        tokio::spawn(async move {
            // Whatever comes of the word, the process is gone after the grace.
            let asked = timeout(STOP_GRACE, control.stop()).await;
            if matches!(asked, Ok(Ok(()))) {
                sleep(STOP_GRACE).await;
            }
            if let Ok(killer) = killer {
                killed.store(true, Ordering::Relaxed);
                killer.kill();
            }
        });
    }

    /// The machine has ended when its process is reaped and everything that it said has been read.
    pub(super) fn maybe_ended(&mut self) {
        let (Some(process), true) = (self.reaped, self.closed) else {
            return;
        };
        let Verdict::Next(next) = table::pod(self.state, PodMessage::MachineEnded) else {
            return;
        };
        self.state = next;
        let instructions = self
            .report
            .as_ref()
            .map_or(0, |report| report.metrics.instructions);
        // A VMM that somebody else killed took the agent's connection with it: the signal is the cause, not the fault.
        let foreign = matches!(process, Some(ProcessEnd::Signal(_)))
            && self.report.is_none()
            && !self.killed.load(Ordering::Relaxed);
        let fault = self.fault.take().filter(|_| !foreign);
        let (log_tail, leftovers) = self.owned.remains.clear();
        self.owned.timeline.mark("teardown", instructions);
        let end = MachineEnd {
            fault,
            report: self.report.take(),
            process,
            log_tail,
            timeline: self.owned.timeline.clone(),
            leftovers,
        };
        self.guest = None;
        for reply in self.ready.drain(..) {
            let error = PodError::MachineEnded(Box::new(end.clone()));
            reply.send(Err(error)).ok();
        }
        self.processes.machine_ended(&end);
        for reply in self.ends.drain(..) {
            reply.send(Ok(end.clone())).ok();
        }
        self.end = Some(end);
    }
}
