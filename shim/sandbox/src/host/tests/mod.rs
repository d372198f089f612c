//! What each finding means, and a look at the machine that runs the tests.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use husk_machine::api::config::{HostKvm, KvmKind};

use super::files;
use super::kernel::{memory_check, namespaces};
use super::kvm::{CpuVirtualization, device_check, kind_check, virtualization};
use super::tools::tool;
use super::{Artefact, CheckInputs, Report, Status, check};

#[test]
fn cpu_flags_tell_the_vendor() {
    let flags =
        |flags: &str| format!("processor\t: 0\nvmx flags\t: vnmi\nflags\t\t: fpu {flags}\n");
    assert_eq!(virtualization(&flags("vmx sse")), CpuVirtualization::Intel);
    assert_eq!(virtualization(&flags("svm")), CpuVirtualization::Amd);
    assert_eq!(
        virtualization(&flags("vmx_x svmx")),
        CpuVirtualization::None
    );
    assert_eq!(virtualization(""), CpuVirtualization::None);
}

#[test]
fn kvm_device_that_cannot_be_opened_has_a_fix() {
    let fix = |kind: ErrorKind, cpu| {
        let check = device_check(Err(Error::from(kind)), cpu);
        assert_eq!(check.status, Status::Fail);
        assert!(check.found.contains("/dev/kvm"), "{}", check.found);
        check.fix.unwrap()
    };
    let denied = fix(ErrorKind::PermissionDenied, CpuVirtualization::Intel);
    assert!(denied.contains("root"), "{denied}");
    assert_eq!(
        fix(ErrorKind::NotFound, CpuVirtualization::Intel),
        "modprobe kvm_intel"
    );
    assert_eq!(
        fix(ErrorKind::NotFound, CpuVirtualization::Amd),
        "modprobe kvm_amd"
    );
    let none = fix(ErrorKind::NotFound, CpuVirtualization::None);
    assert!(none.contains("nested"), "{none}");
    assert_eq!(
        device_check(Ok(()), CpuVirtualization::None).status,
        Status::Ok
    );
}

#[test]
fn kvm_kind_says_the_speed() {
    let host = |kind, ns_per_instruction| HostKvm {
        kind,
        ns_per_instruction,
    };
    let slow = kind_check(&host(KvmKind::Interpreting, 2700), true);
    assert_eq!(slow.status, Status::Warn);
    assert!(
        slow.found.contains("0.37 million instructions/s"),
        "{}",
        slow.found
    );
    assert!(
        slow.found.contains("kvm_pvm") && slow.found.contains("43 s"),
        "{}",
        slow.found
    );
    let fast = kind_check(&host(KvmKind::Interpreting, 230), false);
    assert!(
        fast.found.contains("4.34 million instructions/s"),
        "{}",
        fast.found
    );
    assert_eq!(
        kind_check(&host(KvmKind::Hardware, 0), false).status,
        Status::Ok
    );
    assert_eq!(
        kind_check(&host(KvmKind::Interpreting, 0), false).status,
        Status::Warn
    );
}

#[test]
fn missing_namespaces_are_named() {
    assert_eq!(namespaces(&[]).status, Status::Ok);
    let check = namespaces(&["pid", "net"]);
    assert_eq!(check.status, Status::Fail);
    assert!(check.found.contains("pid, net"), "{}", check.found);
}

#[test]
fn memory_is_compared_with_the_smallest_guest() {
    let found = |text: &str| memory_check(text).status;
    assert_eq!(
        found("MemTotal: 1 kB\nMemAvailable:  9000000 kB\n"),
        Status::Ok
    );
    assert_eq!(found("MemAvailable:  9000 kB\n"), Status::Warn);
    assert_eq!(found("nonsense"), Status::Warn);
}

#[test]
fn tools_are_looked_for_in_the_search_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("husk-test-tool");
    let search = |expected: Status| {
        let check = tool("husk-test-tool", "some-package", dir.path().as_os_str());
        assert_eq!(check.status, expected, "{check:?}");
        check
    };
    let check = search(Status::Fail);
    assert_eq!(check.fix.as_deref(), Some("apt-get install some-package"));
    fs::write(&file, "").unwrap();
    search(Status::Fail);
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    search(Status::Ok);
    assert_eq!(tool("sh", "dash", OsStr::new("")).status, Status::Ok);
}

#[test]
fn artefacts_must_have_their_recorded_digest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kernel");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let artefact = |sha256: Option<&str>| {
        files::artefact(&Artefact {
            name: "lean kernel".to_owned(),
            path: path.clone(),
            sha256: sha256.map(str::to_owned),
        })
    };
    let check = artefact(Some(empty));
    assert_eq!(
        (check.name.as_str(), check.status),
        ("lean-kernel", Status::Fail)
    );
    fs::write(&path, "").unwrap();
    assert_eq!(artefact(Some(empty)).status, Status::Ok);
    assert_eq!(artefact(None).status, Status::Fail);
    fs::write(&path, "x").unwrap();
    let check = artefact(Some(empty));
    assert!(
        check.status == Status::Fail && check.found.contains(empty),
        "{check:?}"
    );
}

#[test]
fn space_is_judged_by_what_is_free() {
    let judged = |free| files::space_check("image-directory", Path::new("/x"), free).status;
    assert_eq!(
        (judged(1 << 40), judged(1 << 30), judged(1)),
        (Status::Ok, Status::Warn, Status::Fail)
    );
    // A directory that will be made lies where its nearest ancestor is.
    let check = files::space("state-directory", Path::new("/proc/self/stat/deep/er"));
    assert_eq!(check.status, Status::Fail, "{check:?}");
}

#[test]
fn whole_report_names_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = CheckInputs {
        vmm: dir.path().join("no-vmm"),
        artefacts: vec![Artefact {
            name: "initramfs".to_owned(),
            path: dir.path().join("no-initramfs"),
            sha256: None,
        }],
        image_dir: dir.path().join("images"),
        state_dir: dir.path().join("state"),
    };
    let report = check(&inputs);
    assert!(!report.is_usable());
    let by_name = |name: &str| {
        report
            .checks
            .iter()
            .find(|check| check.name == name)
            .unwrap()
    };
    for name in ["vmm", "kvm-kind", "initramfs"] {
        assert_eq!(by_name(name).status, Status::Fail, "{name}");
    }
    for name in [
        "architecture",
        "namespaces",
        "system-calls",
        "mkfs.erofs",
        "mke2fs",
    ] {
        assert_eq!(by_name(name).status, Status::Ok, "{name}");
    }
    assert!(
        report
            .checks
            .iter()
            .all(|check| (check.status == Status::Ok) == check.fix.is_none())
    );
    let text = report.to_string();
    assert!(
        text.contains("FAIL  vmm") && text.contains("fix: build it"),
        "{text}"
    );
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}
