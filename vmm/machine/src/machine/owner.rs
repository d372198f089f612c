//! The owner of a running machine: one queue, one thread, one table of what each message does.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use husk_devices::legacy::ConsoleTail;
use husk_devices::vsock::Doorbell;

use super::assemble::ReturnedBytes;
use super::console::LastWords;
use super::gauge::{MemoryGauge, monotonic_us};
use super::news::News;
use super::slots::{Blocks, NewNic, Nics};
use crate::api::control::{Stage, StageMark};
use crate::api::{Command, Event, ExitReason, ExitReport, Metrics, Reply};
use crate::kvm::{VcpuEvent, Vcpus};
use crate::process::control::{Handle, Order};

/// How long a guest that has begun to panic may talk before it resets.
const PANIC_TIME: Duration = Duration::from_secs(1);

/// How long vCPUs stand still before they are looked at, and the longest time between two looks.
const LOOK_AFTER: Duration = Duration::from_secs(1);
const LOOK_AT_MOST: Duration = Duration::from_secs(8);

/// Console text in the exit report.
const MAX_TAIL_BYTES: usize = 16 << 10;

/// What a running machine consists of.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) vcpus: Vcpus,
    pub(super) blocks: Blocks,
    pub(super) nics: Nics,
    pub(super) console: ConsoleTail,
    pub(super) control: Handle,
    pub(super) figures: Figures,
}

/// What a machine's metrics are made of beside its vCPUs.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) stages: Vec<StageMark>,
    pub(super) setup_cpu_us: u64,
    pub(super) gauge: Option<MemoryGauge>,
    /// The balloon's counter.
    pub(super) returned: Option<ReturnedBytes>,
    /// Guest memory in this process.
    pub(super) guest: Vec<Range<u64>>,
}

/// Whether vCPUs make progress, seen from outside.
#[derive(Debug)]
struct Watch {
    paused: bool,
    last: (u64, u64),
    wait: Duration,
    panic: Option<(String, Instant)>,
}

impl Owner {
    /// Own the machine until it ends, and say why it did.
    pub(super) fn run(&mut self, queue: &Receiver<News>) -> ExitReason {
        let mut watch = Watch {
            paused: false,
            last: (0, 0),
            wait: LOOK_AFTER,
            panic: None,
        };
        loop {
            let timeout = match &watch.panic {
                Some((_, end)) => end.saturating_duration_since(Instant::now()),
                None => watch.wait,
            };
            let end = match queue.recv_timeout(timeout) {
                Ok(news) => self.take(news, &mut watch),
                Err(RecvTimeoutError::Timeout) => self.look(&mut watch),
                Err(RecvTimeoutError::Disconnected) => {
                    Some(ExitReason::Failed("every thread has ended".to_owned()))
                }
            };
            if let Some(reason) = end {
                return reason;
            }
        }
    }

    /// Stop the vCPUs and tell everybody.
    pub(super) fn finish(mut self, reason: ExitReason) {
        self.vcpus.stop();
        let report = ExitReport {
            reason,
            console_tail: tail(&self.console.text()),
            metrics: self.metrics(),
        };
        self.control.finish(Event::Exited(Box::new(report)));
    }

    fn take(&mut self, news: News, watch: &mut Watch) -> Option<ExitReason> {
        match news {
            News::Order(order) => return self.obey(order, watch),
            News::Doorbell { bell, at_us } => {
                let stage = match bell {
                    Doorbell::Started => Stage::AgentStarted,
                    Doorbell::Ready => Stage::AgentReady,
                };
                self.mark(stage, at_us);
            }
            News::LastWords(LastWords::Panic(words)) => {
                let end = || (words, Instant::now() + PANIC_TIME);
                watch.panic.get_or_insert_with(end);
            }
            News::LastWords(LastWords::Halt) => return Some(ExitReason::GuestHalt),
            News::Vcpu(event) => return Some(end_of(event, watch.panic.take())),
            News::WorkerEnded(text) => return Some(ExitReason::Failed(text)),
        }
        None
    }

    fn obey(&mut self, order: Order, watch: &mut Watch) -> Option<ExitReason> {
        let mut end = None;
        let reply = match order.command {
            Command::Pause => {
                self.vcpus.pause();
                watch.paused = true;
                Reply::Done
            }
            Command::Resume => {
                self.vcpus.resume();
                watch.paused = false;
                Reply::Done
            }
            Command::AttachDrive {
                class,
                slot,
                serial,
            } => match order.fd {
                Some(fd) => outcome(self.blocks.attach((class, slot), fd.into(), &serial)),
                None => Reply::Refused("no descriptor came with the drive".to_owned()),
            },
            Command::DetachDrive { class, slot } => outcome(self.blocks.detach(class, slot)),
            Command::AttachNic { slot, mac, mtu } => match order.fd {
                Some(tap) => {
                    let mac = mac.as_str();
                    outcome(self.nics.attach(slot, NewNic { tap, mac, mtu }))
                }
                None => Reply::Refused("no descriptor came with the network".to_owned()),
            },
            Command::DetachNic { slot } => outcome(self.nics.detach(slot)),
            Command::Metrics => Reply::Metrics(Box::new(self.metrics())),
            Command::Stop => {
                end = Some(ExitReason::Stopped);
                Reply::Done
            }
        };
        self.control.reply(order.from, order.id, reply);
        end
    }

    /// Nothing came for a while: the guest panicked and hangs, it halted for good, or all is well.
    fn look(&mut self, watch: &mut Watch) -> Option<ExitReason> {
        if let Some((words, _)) = watch.panic.take() {
            return Some(ExitReason::GuestPanic(words));
        }
        let now = (self.vcpus.exits(), self.instructions());
        let moved = now != watch.last;
        watch.last = now;
        if watch.paused || moved {
            watch.wait = LOOK_AFTER;
            return None;
        }
        self.vcpus.pause();
        if self.vcpus.halted_for_good() {
            return Some(ExitReason::GuestHalt);
        }
        self.vcpus.resume();
        watch.wait = (watch.wait * 2).min(LOOK_AT_MOST);
        None
    }

    fn mark(&mut self, stage: Stage, at_us: u64) {
        let mark = StageMark {
            stage,
            at_us,
            instructions: self.instructions(),
        };
        self.figures.stages.push(mark);
        self.control.announce(Event::Stage(mark));
    }

    fn instructions(&self) -> u64 {
        self.vcpus.instructions().unwrap_or_else(|error| {
            tracing::error!(%error, "no instruction count");
            0
        })
    }

    fn metrics(&mut self) -> Metrics {
        let figures = &mut self.figures;
        let private = figures
            .gauge
            .as_mut()
            .map(|gauge| gauge.private_bytes(&figures.guest));
        let private_bytes = private.transpose().unwrap_or_else(|error| {
            tracing::error!(%error, "no count of private memory");
            None
        });
        let returned = |bytes: &ReturnedBytes| bytes.load(Ordering::Relaxed);
        Metrics {
            at_us: monotonic_us(),
            instructions: self.instructions(),
            vcpu_exits: self.vcpus.exits(),
            completed_instructions: self.vcpus.completed_instructions(),
            setup_cpu_us: self.figures.setup_cpu_us,
            private_bytes: private_bytes.unwrap_or(0),
            returned_bytes: self.figures.returned.as_ref().map_or(0, returned),
            nics: self.nics.figures(),
            stages: self.figures.stages.clone(),
        }
    }
}

/// A panic ends in a reset or a triple fault: what came first counts.
fn end_of(event: VcpuEvent, panic: Option<(String, Instant)>) -> ExitReason {
    match (event, panic) {
        (VcpuEvent::Failed(text), _) => ExitReason::Failed(text),
        (_, Some((words, _))) => ExitReason::GuestPanic(words),
        (VcpuEvent::Reset, None) => ExitReason::GuestReset,
        (VcpuEvent::TripleFault { .. }, None) => ExitReason::TripleFault,
    }
}

fn outcome<E: std::fmt::Display>(result: Result<(), E>) -> Reply {
    match result {
        Ok(()) => Reply::Done,
        Err(error) => Reply::Refused(error.to_string()),
    }
}

/// The end of the console's text, at a character's border.
fn tail(text: &str) -> String {
    let from = text.len().saturating_sub(MAX_TAIL_BYTES);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at));
    text[from.unwrap_or(text.len())..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::{MAX_TAIL_BYTES, end_of, tail};
    use crate::api::ExitReason;
    use crate::kvm::VcpuEvent;
    use std::time::Instant;

    #[test]
    fn tail_is_bounded_and_whole_characters() {
        assert_eq!(tail("short"), "short");
        let long = format!("x{}", "é".repeat(MAX_TAIL_BYTES));
        let cut = tail(&long);
        assert_eq!(cut, "é".repeat(MAX_TAIL_BYTES / 2));
    }

    #[test]
    fn panic_that_was_heard_names_the_end_that_follows() {
        let panic = || Some(("words".to_owned(), Instant::now()));
        let words = ExitReason::GuestPanic("words".to_owned());
        assert_eq!(end_of(VcpuEvent::Reset, None), ExitReason::GuestReset);
        assert_eq!(end_of(VcpuEvent::Reset, panic()), words);
        assert_eq!(end_of(VcpuEvent::TripleFault { vcpu: 0 }, panic()), words);
        let failed = VcpuEvent::Failed("kvm".to_owned());
        assert_eq!(
            end_of(failed, panic()),
            ExitReason::Failed("kvm".to_owned())
        );
    }
}
