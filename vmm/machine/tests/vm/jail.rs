//! What a running VMM is and has, read from the host's `/proc` (R11).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use husk_machine::api::config::SlotClass;

use crate::harness::{Setup, UID, Vm, guest, without_kvm};

/// What the descriptors of a process lead to.
pub(crate) fn open_files(pid: u32) -> Vec<PathBuf> {
    let dir = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    dir.map(|entry| fs::read_link(entry.unwrap().path()).unwrap())
        .collect()
}

fn status(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

fn running() -> Vm {
    let mut setup = Setup::code(guest::SPIN);
    setup.drive(SlotClass::Writable, 0, "scratch", 16);
    let mut vm = setup.launch();
    vm.started();
    // The vCPU thread is there as well.
    while vm.client.metrics().vcpu_exits == 0 {}
    vm
}

#[test]
fn r11_every_thread_is_without_privileges() {
    if without_kvm() {
        return;
    }
    let vm = running();
    let tasks = fs::read_dir(format!("/proc/{}/task", vm.pid())).unwrap();
    let mut names = Vec::new();
    for task in tasks {
        let status = status(&task.unwrap().path().join("status"));
        let ids = [UID.to_string().as_str(); 4].join("\t");
        assert_eq!((&status["Uid"], &status["Gid"]), (&ids, &ids));
        assert_eq!(status["Groups"], "");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set}");
        }
        assert_eq!(status["NoNewPrivs"], "1");
        names.push(status["Name"].clone());
    }
    // Beside these some hosts' KVM has kernel threads there.
    for name in ["husk-vmm", "io", "block", "vcpu0"] {
        assert!(
            names.iter().any(|other| other == name),
            "{name} in {names:?}"
        );
    }
}

#[test]
fn r11_namespaces_are_its_own_and_its_root_is_empty() {
    if without_kvm() {
        return;
    }
    let vm = running();
    let proc = PathBuf::from(format!("/proc/{}", vm.pid()));
    for namespace in ["mnt", "ipc", "net", "uts", "cgroup", "pid"] {
        let link = |process: &Path| fs::read_link(process.join("ns").join(namespace)).unwrap();
        assert_ne!(link(&proc), link(Path::new("/proc/self")), "{namespace}");
    }
    assert_eq!(fs::read_dir(proc.join("root")).unwrap().count(), 0);
    assert_eq!(fs::read_link(proc.join("cwd")).unwrap(), Path::new("/"));
    let mounts = fs::read_to_string(proc.join("mountinfo")).unwrap();
    assert_eq!(mounts.lines().count(), 1, "{mounts}");
    let words: Vec<_> = mounts.split_ascii_whitespace().collect();
    assert_eq!((words[4], words[7]), ("/", "tmpfs"), "{mounts}");
    assert_eq!(words[5], "ro,nosuid,nodev,noexec,relatime", "{mounts}");
}

#[test]
fn r11_holds_only_what_it_was_given() {
    if without_kvm() {
        return;
    }
    let vm = running();
    let smaps = PathBuf::from(format!("/proc/{}/smaps", vm.pid()));
    let mut files = open_files(vm.pid());
    files.retain(|file| {
        let text = file.to_string_lossy();
        let made = ["anon_inode:", "socket:", "pipe:"];
        !made.iter().any(|kind| text.starts_with(kind))
    });
    // The launcher's log, the drive, and what it reads about itself; kernel and initramfs are closed after boot.
    files.sort();
    files.dedup();
    let log = fs::read_link("/proc/self/fd/2").unwrap();
    let null = PathBuf::from("/dev/null");
    let allowed = [smaps, vm.path("scratch"), log, null];
    files.retain(|file| !allowed.contains(file));
    assert_eq!(files, Vec::<PathBuf>::new());
}

#[test]
fn r11_limits_and_signals_are_set() {
    if without_kvm() {
        return;
    }
    let vm = running();
    let limits = fs::read_to_string(format!("/proc/{}/limits", vm.pid())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let words: Vec<_> = line[name.len()..].split_ascii_whitespace().collect();
        (words[0].to_owned(), words[1].to_owned())
    };
    assert_eq!(
        limit("Max core file size"),
        ("0".to_owned(), "0".to_owned())
    );
    let (soft, hard) = limit("Max open files");
    assert_eq!(soft, hard);
    assert!(soft.parse::<u32>().unwrap() <= 4096, "{soft}");
    let status = status(&PathBuf::from(format!("/proc/{}/status", vm.pid())));
    let ignored = u64::from_str_radix(&status["SigIgn"], 16).unwrap();
    assert_ne!(ignored & (1 << 12), 0, "SIGPIPE: {}", status["SigIgn"]);
    assert_eq!(status["Umask"], "0077");
}

#[test]
fn private_memory_apart_from_the_guest_is_bounded() {
    if without_kvm() {
        return;
    }
    let mut vm = running();
    let metrics = vm.client.metrics();
    let bytes = metrics.private_bytes;
    eprintln!(
        "private memory {} KiB, setup {} us",
        bytes >> 10,
        metrics.setup_cpu_us
    );
    assert!(bytes > 100 << 10, "{bytes}: more than a stack is in use");
    assert!(bytes <= 5 << 20, "{bytes}");
}
