//! The owner of a pod's state: one task that reads one queue.

use std::time::Duration;

use husk_machine::api::{Event, ExitReport, control::Stage};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    MachineEnd, PodError, Timeline,
    guest::{Guest, Meter},
    launch::Remains,
    messages::{Ask, Message, News, Reply},
    processes::{Owed, ProcessExit, Processes},
    table::{self, PodMessage, PodState, ProcessMessage, Verdict},
};
use crate::{
    agent::{AgentClient, Created, GuestInfo, ProcessId},
    machine::{Killer, MachineNews, ProcessEnd},
};

/// How long a VMM may take to end when asked; its answer never waits for the guest.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What the owner starts with.
pub(super) struct Owned {
    pub(super) meter: Meter,
    pub(super) killer: Killer,
    pub(super) remains: Remains,
    pub(super) timeline: Timeline,
    pub(super) queue: mpsc::WeakSender<Message>,
}

/// Everything that is known about a pod, in one place.
pub(super) struct Owner {
    owned: Owned,
    state: PodState,
    guest: Option<(Guest, GuestInfo)>,
    processes: Processes,
    ready: Vec<Reply<GuestInfo>>,
    ends: Vec<Reply<MachineEnd>>,
    fault: Option<String>,
    report: Option<ExitReport>,
    reaped: Option<Option<ProcessEnd>>,
    closed: bool,
    end: Option<MachineEnd>,
}

impl Owner {
    pub(super) fn new(owned: Owned) -> Self {
        Self {
            owned,
            state: PodState::Booting,
            guest: None,
            processes: Processes::default(),
            ready: Vec::new(),
            ends: Vec::new(),
            fault: None,
            report: None,
            reaped: None,
            closed: false,
            end: None,
        }
    }

    /// Serves until nobody can ask any more.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        while let Some(message) = queue.recv().await {
            match message {
                Message::Ask(ask) => self.ask(ask),
                Message::News(news) => self.hear(news),
            }
        }
    }

    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Ready(reply) => self.ask_ready(reply),
            Ask::Create(container, reply) => {
                let id = ProcessId::init(&container.id);
                let step = Step::new(&id, ProcessMessage::Create, "create it");
                self.step(step, Owed::Created(reply), |guest, id| {
                    guest.spawn(
                        "creation of the container",
                        |agent| async move { agent.create(container).await },
                        |result| News::Created(id, result),
                    );
                });
            }
            Ask::Start(id, reply) => {
                let step = Step::new(&id, ProcessMessage::Start, "start it");
                self.step(step, Owed::Done(reply), |guest, id| {
                    let container = id.container.clone();
                    guest.spawn(
                        "start of the container",
                        |agent| async move { agent.start(&container).await },
                        |result| News::Started(id, result),
                    );
                });
            }
            Ask::Exec(process, reply) => {
                let id = process.id.clone();
                let step = Step::new(&id, ProcessMessage::Create, "execute it");
                self.step(step, Owed::Created(reply), |guest, id| {
                    guest.spawn(
                        "start of the process",
                        |agent| async move { agent.exec(process).await },
                        |result| News::Executed(id, result),
                    );
                });
            }
            Ask::Delete(id, reply) => self.ask_delete(&id, reply),
            Ask::Signal(id, signal, reach, reply) => {
                let allowed = self.allowed("signal it").and_then(|guest| {
                    let asked = self.processes.ask(&id, ProcessMessage::Signal, "signal it");
                    asked.map(|_| guest)
                });
                match allowed {
                    Ok(guest) => guest.spawn_reply(reply, "signal", |agent| async move {
                        agent.signal(&id, signal, reach).await
                    }),
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Ask::Wait(id, reply) => {
                match self.processes.ask(&id, ProcessMessage::Wait, "wait for it") {
                    Ok(_) => self.processes.wait(&id, reply),
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Ask::Mark(stage, at_us, instructions) => {
                self.owned.timeline.mark_at(stage, at_us, instructions);
            }
            Ask::End(reply) => self.ask_end(reply),
        }
    }

    fn ask_ready(&mut self, reply: Reply<GuestInfo>) {
        match (&self.end, &self.guest) {
            (Some(end), _) => drop(reply.send(Err(PodError::MachineEnded(Box::new(end.clone()))))),
            (None, Some((_, info))) => drop(reply.send(Ok(info.clone()))),
            (None, None) => self.ready.push(reply),
        }
    }

    fn ask_delete(&mut self, id: &ProcessId, reply: Reply<()>) {
        if self.end.is_some() {
            // With the machine went everything that could be deleted.
            self.processes.hear(id, ProcessMessage::Delete);
            self.processes.hear(id, ProcessMessage::Deleted);
            reply.send(Ok(())).ok();
            return;
        }
        let step = Step::new(id, ProcessMessage::Delete, "delete it");
        self.step(step, Owed::Done(reply), |guest, id| {
            let deleted = id.clone();
            guest.spawn(
                "deletion",
                |agent| async move { agent.delete(&deleted).await },
                |result| News::Deleted(id, result),
            );
        });
    }

    fn ask_end(&mut self, reply: Reply<MachineEnd>) {
        match &self.end {
            Some(end) => drop(reply.send(Ok(end.clone()))),
            None => self.ends.push(reply),
        }
        if let Verdict::Next(next) = table::pod(self.state, PodMessage::End) {
            self.state = next;
            self.end_machine();
        }
    }

    /// One step of a process: the tables are asked, then the agent; the answer is owed.
    fn step(&mut self, step: Step<'_>, owed: Owed, act: impl FnOnce(&Guest, ProcessId)) {
        let guest = match self.allowed(step.wish) {
            Ok(guest) => guest,
            Err(error) => return owed.fail(error),
        };
        match self.processes.ask(step.id, step.message, step.wish) {
            Ok(true) => {
                self.processes.owe(step.id, owed);
                act(&guest, step.id.clone());
            }
            // Only a deletion of what is not there comes here: repeating it is no error.
            Ok(false) => owed.done(),
            Err(error) => owed.fail(error),
        }
    }

    /// The guest, if the pod can be used now.
    fn allowed(&self, wish: &'static str) -> Result<Guest, PodError> {
        if let Some(end) = &self.end {
            return Err(PodError::MachineEnded(Box::new(end.clone())));
        }
        match (table::pod(self.state, PodMessage::Use), &self.guest) {
            (Verdict::Next(_), Some((guest, _))) => Ok(guest.clone()),
            _ => Err(PodError::Refused {
                what: "pod".to_owned(),
                state: self.state.to_string(),
                wish,
            }),
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::AgentReady(agent, info) => self.agent_ready(agent, info),
            News::AgentLost(text) => self.agent_lost(text),
            News::Created(id, result) => {
                let good = ProcessMessage::Created;
                self.answered(&id, result, good, ProcessMessage::CreateFailed);
            }
            News::Started(id, result) => self.started(&id, result),
            News::Executed(id, result) => self.executed(&id, result),
            News::Exited(id, exit) => {
                if self.processes.hear(&id, ProcessMessage::Exited) {
                    self.processes.ended(&id, exit.into());
                }
            }
            News::Deleted(id, result) => {
                let good = ProcessMessage::Deleted;
                self.answered(&id, result, good, ProcessMessage::DeleteFailed);
            }
            News::Machine(MachineNews::Event(event)) => self.event(event),
            News::Machine(MachineNews::Closed(end)) => {
                self.closed = true;
                if let Err(error) = end {
                    self.agent_lost(error.to_string());
                }
                self.maybe_ended();
            }
            News::Reaped(end) => {
                // One that cannot be watched is as good as gone.
                self.reaped = Some(end.ok());
                self.maybe_ended();
            }
        }
    }

    fn agent_ready(&mut self, agent: AgentClient, info: GuestInfo) {
        let Verdict::Next(next) = table::pod(self.state, PodMessage::AgentReady) else {
            return;
        };
        self.state = next;
        for reply in self.ready.drain(..) {
            reply.send(Ok(info.clone())).ok();
        }
        let guest = Guest {
            agent,
            meter: self.owned.meter.clone(),
            queue: self.owned.queue.clone(),
        };
        guest.keep_asking();
        self.guest = Some((guest, info));
    }

    fn agent_lost(&mut self, text: String) {
        if let Verdict::Next(next) = table::pod(self.state, PodMessage::AgentLost) {
            self.state = next;
            self.fault = Some(text);
            self.end_machine();
        }
    }

    /// The agent's answer to a step. One that is no answer leaves the reply owed until the machine has ended.
    fn answered<T: Settle>(
        &mut self,
        id: &ProcessId,
        result: Result<T, PodError>,
        good: ProcessMessage,
        bad: ProcessMessage,
    ) -> bool {
        if let Err(error) = &result
            && error.refusal().is_none()
        {
            self.agent_lost(error.to_string());
            return false;
        }
        // Taken first: the entry goes when the process does.
        let owed = self.processes.take_owed(id);
        let message = if result.is_ok() { good } else { bad };
        let heard = self.processes.hear(id, message);
        let is_good = result.is_ok();
        if let Some(owed) = owed {
            T::settle(result, owed);
        }
        heard && is_good
    }

    fn started(&mut self, id: &ProcessId, result: Result<(), PodError>) {
        let failed = result
            .as_ref()
            .is_err_and(|error| error.refusal().is_some());
        let good = ProcessMessage::Started;
        let runs = self.answered(id, result, good, ProcessMessage::StartFailed);
        match (&self.guest, runs, failed) {
            (Some((guest, _)), true, _) => guest.spawn_wait(id.clone()),
            // What never ran ended as a command that cannot be executed.
            (_, _, true) => self.processes.ended(id, ProcessExit::never_ran()),
            _ => {}
        }
    }

    fn executed(&mut self, id: &ProcessId, result: Result<Created, PodError>) {
        let good = ProcessMessage::Created;
        if self.answered(id, result, good, ProcessMessage::CreateFailed) {
            self.processes.hear(id, ProcessMessage::Start);
            self.processes.hear(id, ProcessMessage::Started);
            if let Some((guest, _)) = &self.guest {
                guest.spawn_wait(id.clone());
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Started => {}
            Event::Stage(mark) => {
                let name = stage_name(mark.stage);
                let timeline = &mut self.owned.timeline;
                timeline.mark_at(name, mark.at_us, mark.instructions);
            }
            Event::Exited(report) => self.report = Some(*report),
        }
    }

    /// Ends the VMM: by a word first, which lets it report, then by SIGKILL.
    fn end_machine(&self) {
        let control = self.owned.meter.control.clone();
        let killer = self.owned.killer.try_clone();
        tokio::spawn(async move {
            // Whatever comes of the word, the process is gone after the grace.
            let asked = timeout(STOP_GRACE, control.stop()).await;
            if matches!(asked, Ok(Ok(()))) {
                sleep(STOP_GRACE).await;
            }
            if let Ok(killer) = killer {
                killer.kill();
            }
        });
    }

    /// The machine has ended when its process is reaped and everything that it said has been read.
    fn maybe_ended(&mut self) {
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
        let (log_tail, leftovers) = self.owned.remains.clear();
        self.owned.timeline.mark("torn down", instructions);
        let end = MachineEnd {
            fault: self.fault.take(),
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

/// A wish for one process.
struct Step<'a> {
    id: &'a ProcessId,
    message: ProcessMessage,
    wish: &'static str,
}

impl<'a> Step<'a> {
    fn new(id: &'a ProcessId, message: ProcessMessage, wish: &'static str) -> Self {
        Self { id, message, wish }
    }
}

/// Gives a result to the door that it is owed to.
trait Settle: Sized {
    fn settle(result: Result<Self, PodError>, owed: Owed);
}

impl Settle for Created {
    fn settle(result: Result<Self, PodError>, owed: Owed) {
        if let Owed::Created(reply) = owed {
            reply.send(result).ok();
        }
    }
}

impl Settle for () {
    fn settle(result: Result<Self, PodError>, owed: Owed) {
        if let Owed::Done(reply) = owed {
            reply.send(result).ok();
        }
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::VmmStart => "vmm started",
        Stage::GuestStart => "guest started",
        Stage::AgentStarted => "agent started",
        Stage::AgentReady => "agent ready",
    }
}
