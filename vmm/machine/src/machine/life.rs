//! The life of a VMM process: launch, jail, machine, report.

use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vm_memory::{GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

use super::assemble::{Assembled, assemble};
use super::error::MachineError;
use super::gauge::{MemoryGauge, cpu_us, monotonic_us};
use super::news::{DeathNotice, News};
use super::owner::{Figures, Owner};
use crate::api::control::{Stage, StageMark};
use crate::api::{Event, ExitReason, ExitReport, MachineConfig, Message, Metrics, wire};
use crate::kvm::EventSink;
use crate::process::Worker;
use crate::process::control::{Handle, Server};
use crate::process::jail;
use crate::process::launch::{self, Descriptors};

/// How long a launcher that does not read may keep a refused process.
const REFUSAL_TIME: Duration = Duration::from_secs(2);

/// Descriptors beside those of vsock streams: boot files, drives, kicks, lines, vCPUs, control connections.
const BASE_DESCRIPTORS: u64 = 512;

/// Be the machine that the standard input asks for. Returns how it ended, after everybody who listens was told.
#[must_use]
pub fn run() -> ExitReason {
    let begin_us = monotonic_us();
    let launch = match launch::take_socket() {
        Ok(socket) => socket,
        Err(error) => return MachineError::from(error).into_reason(),
    };
    let prepared = prepare(&launch);
    match prepared {
        Ok(prepared) => live(launch, prepared, begin_us),
        Err(error) => refuse(&launch, error.into_reason()),
    }
}

/// Everything that can be refused.
struct Prepared {
    machine: Assembled,
    gauge: Option<MemoryGauge>,
    control: Option<UnixListener>,
    sender: Sender<News>,
    queue: Receiver<News>,
}

fn prepare(launch: &UnixStream) -> Result<Prepared, MachineError> {
    let (config, fds) = launch::receive(launch)?;
    launch::validate(&config).map_err(launch::LaunchError::from)?;
    let mut fds = Descriptors::sort(&config, fds)?;
    let control = fds.control.take();
    // The last file that is opened by its name.
    let gauge = MemoryGauge::open();
    let gauge = gauge.inspect_err(|error| tracing::warn!(%error, "private memory is not counted"));
    jail::confine(&config.jail, descriptors(&config))?;
    let (sender, queue) = mpsc::channel();
    let machine = assemble(&config, fds, &sender)?;
    Ok(Prepared {
        machine,
        gauge: gauge.ok(),
        control,
        sender,
        queue,
    })
}

/// The most descriptors that a machine of this shape opens.
fn descriptors(config: &MachineConfig) -> u64 {
    let limits = husk_devices::vsock::Limits::default();
    let clients = limits.streams + limits.handshakes + limits.held;
    match config.vsock {
        Some(_) => BASE_DESCRIPTORS + u64::try_from(clients).unwrap_or(u64::MAX),
        None => BASE_DESCRIPTORS,
    }
}

fn live(launch: UnixStream, prepared: Prepared, begin_us: u64) -> ExitReason {
    let Prepared {
        machine,
        gauge,
        control,
        sender,
        queue,
    } = prepared;
    let orders = sender.clone();
    // Without an owner the machine is at its end, and nobody is left to answer.
    let take = Box::new(move |order| drop(orders.send(News::Order(order))));
    let server = launch
        .try_clone()
        .and_then(|socket| Server::new(socket, control, take));
    let (server, handle) = match server {
        Ok(made) => made,
        Err(source) => {
            let what = "control connections";
            return refuse(&launch, MachineError::Host { what, source }.into_reason());
        }
    };
    drop(launch);
    let Assembled {
        vm,
        bus,
        blocks,
        nics,
        returned,
        console,
        mut io_worker,
        block_worker,
        net_worker,
    } = machine;
    let guest = guest_ranges(vm.memory());
    let started = io_worker
        .set_control(server)
        .map_err(MachineError::host("epoll of the control connections"))
        .and_then(|()| start(block_worker, "block", &sender))
        .and_then(|_| net_worker.map_or(Ok(()), |worker| start(worker, "net", &sender).map(drop)))
        .and_then(|()| start(io_worker, "io", &sender));
    let io_thread = match started {
        Ok(thread) => thread,
        Err(error) => return error.into_reason(),
    };
    let figures = Figures {
        stages: first_stages(&handle, begin_us),
        setup_cpu_us: cpu_us(),
        gauge,
        returned,
        guest,
    };
    tracing::debug!(cpu_us = figures.setup_cpu_us, "the guest starts");
    let events: EventSink = Arc::new(move |event| drop(sender.send(News::Vcpu(event))));
    let reason = match vm.spawn_vcpus(&Arc::new(bus), &events) {
        Ok(vcpus) => {
            let mut owner = Owner {
                vcpus,
                blocks,
                nics,
                console,
                control: handle,
                figures,
            };
            let reason = owner.run(&queue);
            owner.finish(reason.clone());
            reason
        }
        Err(error) => {
            let reason = MachineError::from(error).into_reason();
            handle.finish(exited(reason.clone()));
            reason
        }
    };
    // A panic of the thread has been printed; there is nothing to add.
    let _ = io_thread.join();
    reason
}

fn start(
    worker: Worker,
    name: &'static str,
    news: &Sender<News>,
) -> Result<JoinHandle<()>, MachineError> {
    let notice = DeathNotice::new(name, news.clone());
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || notice.ended(worker.run()))
        .map_err(MachineError::host("start of a worker thread"))
}

/// Say that the guest begins, and the stages that are past.
fn first_stages(control: &Handle, begin_us: u64) -> Vec<StageMark> {
    control.announce(Event::Started);
    let stages = [
        (Stage::VmmStart, begin_us),
        (Stage::GuestStart, monotonic_us()),
    ];
    let marks = stages.map(|(stage, at_us)| StageMark {
        stage,
        at_us,
        instructions: 0,
    });
    for mark in marks {
        control.announce(Event::Stage(mark));
    }
    marks.to_vec()
}

/// Where guest memory is in this process.
fn guest_ranges(memory: &GuestMemoryMmap) -> Vec<Range<u64>> {
    let ranges = memory.iter().map(|region| {
        let start = region.as_ptr().addr() as u64;
        start..start + region.len()
    });
    ranges.collect()
}

/// Tell the launcher, the only one who listens yet.
fn refuse(mut launch: &UnixStream, reason: ExitReason) -> ExitReason {
    let told = launch.set_write_timeout(Some(REFUSAL_TIME)).and_then(|()| {
        let message = Message::Event(exited(reason.clone()));
        launch.write_all(&wire::encode(&message).map_err(io::Error::other)?)
    });
    if let Err(error) = told {
        tracing::warn!(%error, "the launcher was not told");
    }
    reason
}

fn exited(reason: ExitReason) -> Event {
    let metrics = Metrics {
        at_us: monotonic_us(),
        ..Metrics::default()
    };
    Event::Exited(Box::new(ExitReport {
        reason,
        console_tail: String::new(),
        metrics,
    }))
}
