//! One that takes all that it can get.

use std::fs;

use husk_sandbox::agent::{ProcessId, Reach, StreamKind};
use husk_tests::guest::{Guest, default_spec};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::shell::Shell;
use crate::confinement::vmm_pid;

const SIGKILL: u32 = 9;

/// What the VMM has of the host: its threads, and its memory in MiB.
fn burden(guest: &Guest) -> (usize, u64) {
    let process = format!("/proc/{}", vmm_pid(guest));
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    let threads = fs::read_dir(format!("{process}/task")).unwrap().count();
    (threads, kib.unwrap().parse::<u64>().unwrap() / 1024)
}

/// What the guest's kernel and the VMM may need around it.
const AROUND_MIB: u64 = 48;

/// R66, R67, T7: one that takes too much memory and then forks without end hurts nobody but itself: while it does, its
/// neighbour answers, and the host sees no process and hardly any memory of it.
pub(crate) fn greed(guest: &Guest) {
    let script = "probe memory 64 </dev/null; echo ended $?; \
        fork() { while :; do fork & done; }; fork & while :; do wait; done";
    let mut spec = default_spec(&["/bin/sh", "-c", script]);
    let limits = json!({"pids": {"limit": 12}, "memory": {"limit": 16 << 20, "swap": 16 << 20}});
    spec.linux_mut()
        .as_mut()
        .unwrap()
        .set_resources(serde_json::from_value(limits).unwrap());
    let id = guest.fresh_id();
    guest.wait(async {
        let mut neighbour = Shell::start(guest, json!({})).await.unwrap();
        assert_eq!(neighbour.ask("echo up").await, "up; = 0");
        let (threads, mib) = burden(guest);
        let init = guest.create(&id, &spec).await.unwrap();
        let mut stdout = guest.pod().stream(&init, StreamKind::Stdout).await.unwrap();
        let mut stderr = guest.pod().stream(&init, StreamKind::Stderr).await.unwrap();
        guest.pod().start(&id).await.unwrap();
        let mut told = [0; 10];
        stdout.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"ended 137\n", "{}", String::from_utf8_lossy(&told));
        // The rest of what it says is left unread: that stays in its container as well.
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("can't fork") {
            assert_ne!(stderr.read_buf(&mut said).await.unwrap(), 0);
        }
        // The bomb is up: forks fail, those that failed end, and others take their places.
        assert_eq!(neighbour.ask("echo still; (exit 3)").await, "still; = 3");
        let pids = guest.pod().stats(&id).await.unwrap().pids.unwrap();
        assert!(pids.current <= 12 && pids.limit == Some(12), "{pids:?}");
        let (threads_now, mib_now) = burden(guest);
        assert_eq!(threads_now, threads);
        assert!(
            mib_now <= mib + 16 + AROUND_MIB,
            "{mib_now} MiB after {mib}"
        );
        guest
            .pod()
            .signal(&init, SIGKILL, Reach::All)
            .await
            .unwrap();
        assert_eq!(guest.pod().wait(&init).await.unwrap().code, 137);
        guest.pod().delete(&ProcessId::init(&id)).await.unwrap();
        neighbour.tell("exit 4").await;
        assert_eq!(neighbour.end().await.code, 4);
    });
}
