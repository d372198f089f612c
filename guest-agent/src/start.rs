//! The way from the first instruction to "ready", and the end.
//!
//! Everything before the ready doorbell is paid by every pod: no thread, no file, no mount.

use std::{env, ffi::OsString, io, os::unix::net::UnixStream, path::Path, sync::Arc};

use husk_protocol::ports::{AGENT_PORT, DOORBELL_READY, DOORBELL_STARTED, STREAM_PORT};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
};

use crate::{
    container::Agent,
    guest::{monotonic_us, prepare, reset, ring},
    helper,
    process::{Reaper, job_from_environment},
    service::{AgentService, Timeline, serve_calls, serve_streams},
    stream::Listener,
};

/// Directory for UNIX sockets instead of vsock ports: for tests without a virtual machine, whose harness has prepared
/// the file systems. Never set in a guest, whose environment is the kernel command line that the host writes.
const TEST_SOCKETS_ENV: &str = "HUSK_AGENT_SOCKETS";

/// Does what this process is for and gives its exit status.
pub(crate) fn run() -> i32 {
    let outcome = match job_from_environment() {
        Some(Ok(job)) => return helper::run(&job),
        Some(Err(error)) => Err(io::Error::other(error)),
        None => be_agent(),
    };
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("husk-agent: {error}");
            1
        }
    }
}

/// How the agent is reached.
enum Transport {
    Vsock,
    Unix(OsString),
}

impl Transport {
    fn from_environment() -> Self {
        env::var_os(TEST_SOCKETS_ENV).map_or(Self::Vsock, Self::Unix)
    }

    fn ring(&self, port: u32) -> io::Result<()> {
        match self {
            Self::Vsock => ring(port),
            Self::Unix(directory) => {
                UnixStream::connect(Path::new(directory).join(port.to_string())).map(drop)
            }
        }
    }

    fn listen(&self, port: u32) -> io::Result<Listener> {
        match self {
            Self::Vsock => Listener::vsock(port),
            Self::Unix(directory) => Listener::unix(&Path::new(directory).join(port.to_string())),
        }
    }
}

fn be_agent() -> io::Result<()> {
    let started_us = monotonic_us();
    let transport = Transport::from_environment();
    transport.ring(DOORBELL_STARTED)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let calls = transport.listen(AGENT_PORT)?;
    let streams = transport.listen(STREAM_PORT)?;
    let reaper = Reaper::start()?;
    let timeline = Timeline {
        started_us,
        ready_us: monotonic_us(),
    };
    transport.ring(DOORBELL_READY)?;
    let unprepared = match &transport {
        Transport::Vsock => prepare().err().map(|error| error.to_string()),
        Transport::Unix(_) => None,
    };
    drop(guard);
    let agent = Arc::new(Agent::new(reaper, unprepared));
    serve(&runtime, agent, timeline, (calls, streams))?;
    match transport {
        Transport::Vsock => reset(),
        Transport::Unix(_) => Ok(()),
    }
}

/// Serves until the host has asked for the end and has its answer.
fn serve(
    runtime: &Runtime,
    agent: Arc<Agent>,
    timeline: Timeline,
    (calls, streams): (Listener, Listener),
) -> io::Result<()> {
    runtime.block_on(async {
        let (end, mut ended) = mpsc::channel(1);
        let service = Arc::new(AgentService::new(Arc::clone(&agent), timeline, end));
        let mut server = serve_calls(calls, service)
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(serve_streams(streams, agent));
        ended.recv().await;
        // Waits until the answer to the shutdown is written.
        let _ = server.shutdown().await;
        Ok(())
    })
}
