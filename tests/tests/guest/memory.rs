//! Memory of the guest that nobody uses is the host's again.

use std::fs;

use husk_sandbox::agent::StreamKind;
use husk_tests::guest::{Guest, default_spec};
use oci_spec::runtime::Spec;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::confinement::{all_powers, metrics, vmm_pid};

/// Used for a time. A processor of the guest keeps up to 28 MiB of freed pages at hand for itself.
const MIB: u64 = 64;

/// Ticks of the guest, a second of its time each. It waits 2 s to begin with, and gives back a sixteenth of what is free
/// at a time if there is much.
const MAX_TICKS: u32 = 60;

/// Memory of the VMM that the host has to keep, in MiB.
fn resident_mib(guest: &Guest) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", vmm_pid(guest))).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() / 1024
}

/// Large pages for everybody: they cost a fault each and are given back whole, where small ones would take minutes on a
/// slow host and depend on what lies between them.
fn large_pages(spec: &mut Spec) {
    all_powers(spec);
    let mounts = spec.mounts_mut().as_mut().unwrap();
    let sys = mounts
        .iter_mut()
        .find(|mount| mount.destination().ends_with("sys"))
        .unwrap();
    let mut options = sys.options().clone().unwrap_or_default();
    options.retain(|option| option != "ro");
    sys.set_options(Some(options));
}

pub(super) fn given_back(guest: &Guest) {
    let script = "cd /sys/kernel/mm/transparent_hugepage; echo always > enabled; \
                  /bin/probe memory 64; echo madvise > enabled";
    let mut spec = default_spec(&["/bin/sh", "-c", script]);
    large_pages(&mut spec);
    let before = metrics(guest).returned_bytes;
    guest.wait(async {
        let id = guest.fresh_id();
        let process = guest.create(&id, &spec).await.unwrap();
        let mut stdin = guest
            .pod()
            .stream(&process, StreamKind::Stdin)
            .await
            .unwrap();
        let stdout = guest
            .pod()
            .stream(&process, StreamKind::Stdout)
            .await
            .unwrap();
        let mut lines = BufReader::new(stdout).lines();
        guest.pod().start(&id).await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("held"));
        let held = resident_mib(guest);
        stdin.write_all(b"x").await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("free"));
        let mut ticks = 0;
        while resident_mib(guest) + MIB / 2 > held {
            assert!(
                ticks < MAX_TICKS,
                "{held} MiB before, {} now",
                resident_mib(guest)
            );
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tick"));
            ticks += 1;
        }
        println!(
            "{held} MiB resident, {} after {ticks} s",
            resident_mib(guest)
        );
        stdin.shutdown().await.unwrap();
        assert_eq!(guest.pod().wait(&process).await.unwrap().code, 0);
        guest.pod().delete(&process).await.unwrap();
    });
    let returned = metrics(guest).returned_bytes - before;
    assert!(returned >= MIB << 19, "{returned} bytes were given back");
}
