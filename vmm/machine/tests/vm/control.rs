//! Commands to a running machine.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command as Process, Stdio};

use husk_machine::api::config::SlotClass;
use husk_machine::api::{Command, ExitReason, Reply};

use crate::harness::{Client, Setup, guest, without_kvm};

/// Wait until the guest has left to the VMM more often than `exits` times.
fn wait_for_progress(client: &mut Client, exits: u64) {
    while client.metrics().vcpu_exits <= exits {}
}

#[test]
fn paused_guest_stands_still_and_goes_on_after_resume() {
    if without_kvm() {
        return;
    }
    let mut vm = Setup::code(guest::SPIN).launch();
    vm.started();
    wait_for_progress(&mut vm.client, 0);
    for _ in 0..2 {
        assert_eq!(vm.client.ask(Command::Pause), Reply::Done);
    }
    let paused = vm.client.metrics();
    let later = vm.client.metrics();
    assert_eq!(paused.vcpu_exits, later.vcpu_exits);
    assert_eq!(paused.instructions, later.instructions);
    for _ in 0..2 {
        assert_eq!(vm.client.ask(Command::Resume), Reply::Done);
    }
    wait_for_progress(&mut vm.client, later.vcpu_exits);
}

#[test]
fn drives_come_and_go_within_their_rules() {
    if without_kvm() {
        return;
    }
    let mut setup = Setup::code(guest::SPIN);
    setup.drive(SlotClass::Writable, 0, "scratch", 16);
    let mut vm = setup.launch();
    vm.started();
    let file = |class, name: &str| crate::harness::disk(&vm.path(name), class, 8);
    let attach = |class, slot, serial: &str| Command::AttachDrive {
        class,
        slot,
        serial: serial.to_owned(),
    };
    let (read, write) = (SlotClass::ReadOnly, SlotClass::Writable);
    let image = || file(read, "image");
    let refusals = [
        (
            attach(read, 2, "a"),
            image(),
            "there is no read-only slot 2, the machine has 2",
        ),
        (
            attach(read, 0, "a b"),
            image(),
            "serial \"a b\" is not 1 to 20",
        ),
        (
            attach(read, 0, "scratch"),
            image(),
            "serial \"scratch\" is another drive's",
        ),
        (
            attach(write, 0, "b"),
            file(write, "b"),
            "block slot already holds disk scratch",
        ),
        (
            attach(read, 0, "c"),
            file(write, "c"),
            "disk c: the file is open",
        ),
        (attach(write, 1, "d"), image(), "disk d: the file is open"),
    ];
    for (command, fd, expected) in refusals {
        match vm.client.ask_with(command, &[fd]) {
            Reply::Refused(text) => assert!(text.starts_with(expected), "{text}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let (class, slot) = (read, 0);
    for _ in 0..3 {
        let fd = crate::harness::disk(&vm.path("image"), read, 8);
        let reply = vm.client.ask_with(attach(class, slot, "image"), &[fd]);
        assert_eq!(reply, Reply::Done);
        assert!(crate::jail::open_files(vm.pid()).contains(&vm.path("image")));
        let reply = vm.client.ask(Command::DetachDrive { class, slot });
        assert_eq!(reply, Reply::Done);
        assert!(!crate::jail::open_files(vm.pid()).contains(&vm.path("image")));
    }
    let reply = vm.client.ask(Command::DetachDrive { class, slot });
    assert_eq!(
        reply,
        Reply::Refused("read-only slot 0 is empty".to_owned())
    );
}

/// Not a test: the launcher that [`machine_outlives_its_killed_launcher`] kills. It tells where its machine's control
/// socket is and waits.
#[test]
#[ignore = "a process of another test"]
fn launcher_process() {
    let mut vm = Setup::code(guest::SPIN).launch();
    vm.started();
    println!("launched {} {}", vm.pid(), vm.path("control").display());
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

#[test]
fn machine_outlives_its_killed_launcher() {
    if without_kvm() {
        return;
    }
    let mut launcher = Process::new(std::env::current_exe().unwrap())
        .args([
            "control::launcher_process",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = launcher.stdout.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(output));
    let line = lines.find_map(|line| {
        let line = line.unwrap();
        line.split_once("launched ")
            .map(|(_, rest)| rest.to_owned())
    });
    let line = line.unwrap();
    let (pid, path) = line.split_once(' ').unwrap();
    let path = std::path::Path::new(path);
    launcher.kill().unwrap();
    launcher.wait().unwrap();

    // Opened anew, and anew again.
    for _ in 0..2 {
        let mut client = Client::connect(path);
        let exits = client.metrics().vcpu_exits;
        wait_for_progress(&mut client, exits);
    }
    let (mut one, mut two) = (Client::connect(path), Client::connect(path));
    two.metrics();
    assert_eq!(one.ask(Command::Stop), Reply::Done);
    assert_eq!(one.exited().reason, ExitReason::Stopped);
    assert_eq!(
        two.exited().reason,
        ExitReason::Stopped,
        "news goes to everybody"
    );
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    if let Ok(fd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
        let mut poll = [rustix::event::PollFd::new(
            &fd,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut poll, None).unwrap();
    }
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn hostile_client_harms_nobody() {
    if without_kvm() {
        return;
    }
    let mut vm = Setup::code(guest::SPIN).launch();
    vm.started();
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0; 64], &[0xff; 64]] {
        let mut socket = UnixStream::connect(vm.path("control")).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // The socket may be reset because of what was left unread.
        let _ = socket.read_to_end(&mut answer);
        assert!(
            String::from_utf8_lossy(&answer).contains("refused"),
            "{answer:?}"
        );
    }
    let exits = vm.client.metrics().vcpu_exits;
    wait_for_progress(&mut vm.client, exits);
}
