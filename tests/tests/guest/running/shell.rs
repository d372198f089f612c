//! A container whose shell does what it is told, line by line.

use husk_sandbox::{
    agent::{ProcessId, StreamKind},
    pod::{Pod, PodError, ProcessExit},
};
use husk_tests::guest::{Guest, default_spec};
use oci_spec::runtime::LinuxResources;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::UnixStream,
};

/// The container.
pub(super) struct Shell<'a> {
    guest: &'a Guest,
    process: ProcessId,
    stdin: UnixStream,
    lines: Lines<BufReader<UnixStream>>,
}

impl<'a> Shell<'a> {
    /// Starts it with these limits.
    pub(super) async fn start(guest: &'a Guest, resources: Value) -> Result<Self, PodError> {
        let script = "while read -r line; do eval \"$line\" 2>&1; done";
        let mut spec = default_spec(&["/bin/sh", "-c", script]);
        let resources: LinuxResources = serde_json::from_value(resources).unwrap();
        let linux = spec.linux_mut().as_mut().unwrap();
        linux.set_resources(Some(resources));
        let process = guest.create(&guest.fresh_id(), &spec).await?;
        let stdin = guest.pod().stream(&process, StreamKind::Stdin).await?;
        let stdout = guest.pod().stream(&process, StreamKind::Stdout).await?;
        guest.pod().start(&process.container).await?;
        let lines = BufReader::new(stdout).lines();
        Ok(Self {
            guest,
            process,
            stdin,
            lines,
        })
    }

    pub(super) fn pod(&self) -> &Pod {
        self.guest.pod()
    }

    pub(super) fn id(&self) -> &str {
        &self.process.container
    }

    /// Says a line and does not wait.
    pub(super) async fn tell(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.stdin.write_all(line.as_bytes()).await.unwrap();
    }

    /// Says a line; what is written until it is done, the exit code of the last command at its end.
    pub(super) async fn ask(&mut self, line: &str) -> String {
        self.tell(&format!("{line}; echo = $?")).await;
        let mut said = Vec::new();
        loop {
            let line = self.lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the shell ended after {said:?}"));
            let done = line.starts_with("= ");
            said.push(line);
            if done {
                return said.join("; ");
            }
        }
    }

    /// Waits for its end and removes it.
    pub(super) async fn end(self) -> ProcessExit {
        let exit = self.pod().wait(&self.process).await.unwrap();
        self.pod().delete(&self.process).await.unwrap();
        exit
    }
}
