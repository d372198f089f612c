//! What holds a guest: the VMM's jail, its control socket, the vsock device, the image's disk.

use std::{fs, os::unix::net::UnixStream, path::PathBuf, time::SystemTime};

use husk_machine::api::Metrics;
use husk_sandbox::{agent::AgentClient, machine::ControlClient};
use husk_tests::guest::Guest;
use oci_spec::runtime::{
    Capabilities, Capability, LinuxCapabilitiesBuilder, LinuxDeviceCgroupBuilder, LinuxResources,
    LinuxResourcesBuilder, Spec,
};
use tokio::sync::mpsc;

/// A new connection to the pod's VMM; must be called on the guest's runtime.
pub(crate) fn control(guest: &Guest) -> ControlClient {
    let socket = UnixStream::connect(guest.run_dir().join("control.sock")).unwrap();
    let (news, _) = mpsc::channel(64);
    ControlClient::new(socket, news).unwrap()
}

/// The VMM's counters, by a connection of their own.
pub(crate) fn metrics(guest: &Guest) -> Metrics {
    guest.wait(async { control(guest).metrics().await.unwrap() })
}

pub(super) fn control_socket(guest: &Guest) {
    guest.wait(async {
        let first = control(guest);
        first.pause().await.unwrap();
        first.pause().await.unwrap();
        let still = first.metrics().await.unwrap();
        drop(first);
        let second = control(guest);
        assert_eq!(
            second.metrics().await.unwrap().instructions,
            still.instructions
        );
        second.resume().await.unwrap();
    });
    assert_eq!(guest.sh("echo on").unwrap().text(), "on\n");
}

pub(crate) fn vmm_pid(guest: &Guest) -> u32 {
    let record = fs::read_to_string(guest.run_dir().join("record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let pid = record
        .pointer("/vmm/pid")
        .and_then(serde_json::Value::as_u64)
        .unwrap();
    u32::try_from(pid).unwrap()
}

pub(super) fn vmm_process(guest: &Guest) {
    let pid = vmm_pid(guest);
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(proc.join("status")).unwrap();
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_once(':')
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .unwrap()
    };
    let uid = (0x7000_0000 + pid).to_string();
    assert_eq!(field("Uid"), [uid.as_str(); 4].join(" "));
    assert_eq!(field("Gid"), [uid.as_str(); 4].join(" "));
    assert_eq!(field("Groups"), "");
    assert_eq!(field("NoNewPrivs"), "1");
    assert_eq!(field("NSpid"), format!("{pid} 1"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    // R45 among them: it has no socket in the host's network.
    for namespace in ["mnt", "pid", "ipc", "net", "uts", "cgroup"] {
        let theirs = fs::read_link(proc.join("ns").join(namespace)).unwrap();
        let ours = fs::read_link(PathBuf::from("/proc/self/ns").join(namespace)).unwrap();
        assert_ne!(theirs, ours, "{namespace}");
    }
    assert_eq!(
        fs::read_dir(proc.join("root")).unwrap().count(),
        0,
        "its root is not empty"
    );
    let mounts = fs::read_to_string(proc.join("mounts")).unwrap();
    assert_eq!(mounts.lines().count(), 1, "{mounts}");
    assert!(mounts.contains(" ro"), "{mounts}");
}

/// Every capability and no seccomp: the strongest container there is.
pub(crate) fn all_powers(spec: &mut Spec) {
    let all: Capabilities = (0..=40).filter_map(capability).collect();
    let sets = LinuxCapabilitiesBuilder::default()
        .bounding(all.clone())
        .effective(all.clone())
        .permitted(all.clone())
        .inheritable(all.clone())
        .ambient(all)
        .build()
        .unwrap();
    spec.process_mut()
        .as_mut()
        .unwrap()
        .set_capabilities(Some(sets));
    if let Some(linux) = spec.linux_mut() {
        linux.set_seccomp(None);
        linux.set_masked_paths(None);
        linux.set_readonly_paths(None);
        linux.set_resources(Some(every_device()));
    }
}

/// Leave to use every device.
fn every_device() -> LinuxResources {
    let rule = LinuxDeviceCgroupBuilder::default()
        .allow(true)
        .access("rwm")
        .build()
        .unwrap();
    LinuxResourcesBuilder::default()
        .devices([rule])
        .build()
        .unwrap()
}

/// The capability of a name that the specification knows.
fn capability(number: usize) -> Option<Capability> {
    const NAMES: &[&str] = &[
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_ADMIN",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "MKNOD",
        "BPF",
        "PERFMON",
        "SYSLOG",
    ];
    let name = NAMES.get(number)?;
    serde_json::from_value(serde_json::Value::String(format!("CAP_{name}"))).ok()
}

pub(super) fn vsock(guest: &Guest) {
    let outcome = guest
        .run(&["/bin/probe", "vsock"], b"", all_powers)
        .unwrap();
    let text = outcome.text();
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("connect "))
            .count(),
        30,
        "{text}"
    );
    for line in text.lines() {
        assert!(line.contains(": refused ("), "{line}");
    }
    // The agent is still the one that answers.
    assert_eq!(guest.sh("echo still").unwrap().text(), "still\n");
}

/// R70, R51, R50, T5: the strongest container there is has the guest's disks, figures, kernel log and clock, and writes to no
/// image. What its neighbours' filter forbids it may (R72).
pub(super) fn strongest(guest: &Guest) {
    let script = "mount -t sysfs none /sys 2>/dev/null; tries=0; for disk in /sys/block/vd*; do \
        [ $(cat $disk/ro) = 1 ] && [ $(cat $disk/size) != 0 ] || continue; tries=$((tries + 1)); \
        mknod /tmp/disk b $(tr : ' ' < $disk/dev); \
        dd if=/dev/zero of=/tmp/disk bs=4096 count=1 conv=notrunc,fsync 2>/dev/null && echo written; rm /tmp/disk; \
        done; echo $tries; ls /sys/block | grep -v '^vd' | wc -l; nproc; \
        while read name kib rest; do [ $name = MemTotal: ] && echo $kib; done </proc/meminfo; \
        mknod /tmp/log c 1 11; echo of a guest >/tmp/log; dmesg | grep -c 'of a guest'; cat /proc/modules 2>&1; insmod /bin/probe 2>&1; \
        unshare -U true && echo unfiltered; date -s @1000000000 >/dev/null && date +%Y";
    let outcome = guest
        .run(&["/bin/sh", "-c", script], b"", all_powers)
        .unwrap();
    let text = outcome.text();
    let lines: Vec<&str> = text.lines().collect();
    let [tries, strange, processors, kib, log, rest @ ..] = &lines[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        [*tries, strange, processors, log],
        ["1", "0", "1", "1"],
        "{outcome:?}"
    );
    let kib: u32 = kib.parse().unwrap();
    assert!((400 << 10..512 << 10).contains(&kib), "{outcome:?}");
    // The kernel takes no modules at all, and the clock of 2001 is the guest's alone.
    let expected = [
        "cat: can't open '/proc/modules': No such file or directory",
        "insmod: can't insert '/bin/probe': kernel does not support requested operation",
        "unfiltered",
        "2001",
    ];
    assert_eq!(rest, expected, "{outcome:?}");
    let host = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(host > 1_500_000_000, "{host}");
    // The host's next greeting sets the clock that its containers share.
    guest.wait(async {
        let agent = guest.run_dir().join("vsock.sock");
        let agent = AgentClient::connect(&agent).await.unwrap();
        agent.hello().await.unwrap();
    });
    let said = guest.sh("date +%s").unwrap().text();
    assert!(said.trim().parse::<u64>().unwrap() >= host, "{said}");
}
