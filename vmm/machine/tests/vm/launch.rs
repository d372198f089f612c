//! What a launch is refused for, and what the launcher hears.

use std::io::Write;
use std::process::{Command, Stdio};

use husk_machine::api::config::SlotClass;
use husk_machine::api::{ExitReason, wire};
use serde_json::json;

use crate::harness::{Client, Setup, guest, without_kvm};

/// The refusal of a launch, with its exit code.
fn refused(setup: Setup) -> String {
    let (report, code) = setup.launch().end();
    assert_eq!(code, 20);
    match report.reason {
        ExitReason::Refused(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_value_is_refused_by_name() {
    let mut setup = Setup::code(guest::RESET);
    setup.config.jail.uid = 0;
    assert_eq!(
        refused(setup),
        "configuration: jail.uid: 0 is root or no user id"
    );
}

#[test]
fn unused_descriptor_is_refused() {
    let mut setup = Setup::code(guest::RESET);
    let extra = std::fs::File::open("/dev/null").unwrap();
    setup.fds.push(extra.into());
    assert_eq!(
        refused(setup),
        "configuration: descriptor 5 belongs to no field"
    );
}

#[test]
fn unknown_field_and_other_version_are_refused() {
    for (field, value, expected) in [
        (
            "debug",
            json!(true),
            "configuration: debug: unknown field `debug`",
        ),
        ("version", json!(2), "configuration: version 2 is not 1"),
    ] {
        let setup = Setup::code(guest::RESET);
        let mut config = serde_json::to_value(&setup.config).unwrap();
        config[field] = value;
        let (mut child, socket) = crate::harness::spawn();
        let mut client = Client::new(socket.try_clone().unwrap());
        crate::harness::send(&socket, &wire::encode(&config).unwrap(), &setup.fds);
        let ExitReason::Refused(text) = client.exited().reason else {
            panic!("not refused");
        };
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(child.wait().unwrap().code(), Some(20));
    }
}

#[test]
fn launcher_that_closes_without_a_word_leaves_no_process() {
    let (mut child, socket) = crate::harness::spawn();
    drop(socket);
    assert_eq!(child.wait().unwrap().code(), Some(20));
    let (mut child, mut socket) = crate::harness::spawn();
    socket.write_all(&[9, 0, 0, 0, b'{']).unwrap();
    drop(socket);
    assert_eq!(child.wait().unwrap().code(), Some(20));
}

#[test]
fn standard_input_that_is_no_socket_and_odd_arguments_are_refused() {
    let vmm = || Command::new(env!("CARGO_BIN_EXE_husk-vmm"));
    let output = vmm().stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(20));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("standard input is not a UNIX stream socket"),
        "{text}"
    );
    let output = vmm().arg("--config").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("usage: husk-vmm"), "{text}");
    let output = vmm().arg("--version").output().unwrap();
    assert!(output.status.success());
}

#[test]
fn boot_file_with_another_hash_or_of_no_format_is_refused() {
    if without_kvm() {
        return;
    }
    let mut setup = Setup::code(guest::RESET);
    setup.config.kernel.sha256 = "0".repeat(64);
    let text = refused(setup);
    assert!(text.starts_with("kernel: sha-256 is "), "{text}");
    let text = refused(Setup::new(b"#!/bin/sh\n", b""));
    assert_eq!(text, "kernel: neither an x86_64 ELF kernel nor a bzImage");
    let mut cut = guest::kernel(guest::RESET);
    cut.pop();
    let text = refused(Setup::new(&cut, b""));
    assert!(text.starts_with("kernel: elf segment"), "{text}");
}

#[test]
fn drive_that_its_slot_does_not_take_is_refused() {
    if without_kvm() {
        return;
    }
    let mut setup = Setup::code(guest::RESET);
    setup.drive(SlotClass::Writable, 1, "scratch", 8);
    setup.config.drives[0].class = SlotClass::ReadOnly;
    let text = refused(setup);
    assert!(
        text.starts_with("configuration: drives[0]: disk scratch: the file is open"),
        "{text}"
    );
}

#[test]
fn probe_prints_what_the_launcher_passes_on() {
    if without_kvm() {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_husk-vmm"))
        .arg("probe")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let speed = answer["ns_per_instruction"].as_u64().unwrap();
    match answer["kind"].as_str() {
        Some("interpreting") => assert!((1..1_000_000).contains(&speed)),
        Some("hardware") => assert_eq!(speed, 0),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        output.stdout.iter().filter(|byte| **byte == b'\n').count(),
        1
    );
}
