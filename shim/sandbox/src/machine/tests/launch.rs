//! Launch and exit of real processes that are no VMM, and the facts that name a process.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process};

use crate::machine::{
    MachineError, ProcessEnd, Vmm, VmmLog, launch::start_ticks, process_start_ticks,
};

/// A program that plays the VMM; as root only, because a pid namespace is made.
fn script(text: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vmm");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Some((dir, path))
}

#[test]
fn vmm_is_first_process_of_its_namespace_and_ends_with_its_launcher() {
    let Some((_dir, binary)) = script("echo pid $$; exec cat >/dev/null") else {
        return;
    };
    let log = VmmLog::new().unwrap();
    let writer = log.writer().unwrap();
    let launched = Vmm {
        binary,
        log: writer,
    }
    .spawn()
    .unwrap();
    let pid = launched.pid();
    assert!(process_start_ticks(pid).is_some());
    drop(launched);
    assert_eq!(process_start_ticks(pid), None);
}

#[tokio::test]
async fn exit_of_the_vmm_is_noticed_with_its_code_and_words() {
    let Some((_dir, binary)) = script("echo pid $$; exit 21") else {
        return;
    };
    let log = VmmLog::new().unwrap();
    let writer = log.writer().unwrap();
    let launched = Vmm {
        binary,
        log: writer,
    }
    .spawn()
    .unwrap();
    let mut watch = launched.into_watch();
    assert_eq!(watch.ended().await.unwrap(), ProcessEnd::Code(21));
    assert_eq!(log.read(), "pid 1");
}

#[tokio::test]
async fn kill_of_the_vmm_is_noticed_as_its_signal() {
    let Some((_dir, binary)) = script("exec cat >/dev/null") else {
        return;
    };
    let log = VmmLog::new().unwrap();
    let launched = Vmm {
        binary,
        log: log.writer().unwrap(),
    }
    .spawn()
    .unwrap();
    let mut watch = launched.into_watch();
    watch.killer().unwrap().kill();
    assert_eq!(watch.ended().await.unwrap(), ProcessEnd::Signal(9));
}

#[test]
fn binary_that_is_not_there_is_named() {
    let log = VmmLog::new().unwrap();
    let error = Vmm {
        binary: "/nowhere/husk-vmm".into(),
        log: log.writer().unwrap(),
    }
    .spawn()
    .unwrap_err();
    if rustix::process::geteuid().is_root() {
        assert!(matches!(error, MachineError::Spawn { .. }), "{error}");
        assert!(error.to_string().contains("/nowhere/husk-vmm"), "{error}");
    }
}

#[test]
fn log_beyond_its_bound_is_refused_to_the_writer() {
    use std::io::Write;
    let log = VmmLog::new().unwrap();
    let mut writer = log.writer().unwrap();
    writer.write_all(&[b'x'; 64 << 10]).unwrap();
    assert!(writer.write_all(b"y").is_err());
    assert_eq!(log.read().len(), 64 << 10);
}

#[test]
fn own_process_has_a_start() {
    assert!(process_start_ticks(process::id()).is_some());
}

#[test]
fn start_is_found_behind_a_name_with_parentheses() {
    let tail = "S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
    assert_eq!(start_ticks(&format!("5 (a) b (c) {tail}")), Some(4711));
}

#[test]
fn process_that_waits_to_be_reaped_has_ended() {
    let tail = "Z 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
    assert_eq!(start_ticks(&format!("5 (a) {tail}")), None);
}
