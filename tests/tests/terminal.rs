//! `husk run -it` and `husk exec -it` in a terminal, as a person uses them. One guest serves all of it.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

use std::{
    io::{Read as _, Write as _},
    process::{Child, Command},
};

use husk_tests::{
    cli::{Bench, text},
    pty::{self, Pty},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{LocalModes, tcgetattr},
};

/// A person's terminal and what shows in it.
struct Screen {
    pty: Pty,
    shown: String,
    modes: String,
}

impl Screen {
    fn open(columns: u16, rows: u16) -> Self {
        let pty = pty::open(columns, rows).unwrap();
        let modes = modes(&pty);
        Self {
            pty,
            shown: String::new(),
            modes,
        }
    }

    /// `husk` in it, with the signals that a terminal sends.
    fn start(&self, bench: &Bench, words: &[&str]) -> Child {
        let husk = bench.husk().unwrap();
        let far = || self.pty.far.try_clone().unwrap();
        let mut setsid = Command::new("setsid");
        setsid.args(["--ctty", "--wait"]).arg(husk.get_program());
        for (name, value) in husk.get_envs() {
            setsid.env(name, value.unwrap_or_default());
        }
        setsid.args(words).stdin(far()).stdout(far()).stderr(far());
        setsid.spawn().unwrap()
    }

    fn keys(&mut self, keys: &str) {
        self.pty.near.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until a text shows; everything since the last such wait.
    fn until(&mut self, wanted: &str) -> String {
        let limit = Timespec {
            tv_sec: 300,
            tv_nsec: 0,
        };
        loop {
            if let Some(at) = self.shown.find(wanted) {
                let rest = self.shown.split_off(at + wanted.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            let mut fds = [PollFd::new(&self.pty.near, PollFlags::IN)];
            let ready = poll(&mut fds, Some(&limit)).unwrap();
            assert!(ready > 0, "{wanted:?} does not show in {:?}", self.shown);
            let mut chunk = [0; 4096];
            let count = self.pty.near.read(&mut chunk).unwrap();
            let more = String::from_utf8_lossy(&chunk[..count]);
            self.shown.push_str(&more);
        }
    }

    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.pty.near).unwrap().local_modes;
        !modes.intersects(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Whether it is as it was.
    fn is_given_back(&self) -> bool {
        modes(&self.pty) == self.modes
    }
}

fn modes(pty: &Pty) -> String {
    let modes = tcgetattr(&pty.near).unwrap();
    let (input, output) = (modes.input_modes, modes.output_modes);
    format!(
        "{input:?} {output:?} {:?} {:?}",
        modes.control_modes, modes.local_modes
    )
}

const SHELL: &str = "trap 'stty size' WINCH; trap 'echo interrupted' INT; tty; stty size; echo ready; \
    while :; do line=; read -r line; case $line in end) exit 9;; ?*) echo \"got $line\";; esac; done";

#[test]
fn run_and_exec_in_a_terminal_are_as_if_the_program_ran_in_it() {
    let bench = Bench::new().unwrap();
    let rootfs = bench.rootfs();
    let mut screen = Screen::open(97, 31);
    let mut run = screen.start(
        &bench,
        &[
            "run",
            "-it",
            "--rm",
            "--name",
            "box",
            rootfs.to_str().unwrap(),
            "sh",
            "-c",
            SHELL,
        ],
    );
    let shown = screen.until("ready\r\n");
    assert!(
        shown.ends_with("/dev/pts/0\r\n31 97\r\nready\r\n"),
        "{shown:?}"
    );
    assert!(screen.is_raw());
    // Echoed once, by the container's terminal; the return key is its end of line.
    screen.keys("typed\r");
    assert_eq!(screen.until("got typed\r\n"), "typed\r\ngot typed\r\n");
    screen.pty.resize(132, 50).unwrap();
    assert_eq!(screen.until("50 132\r\n"), "50 132\r\n");
    screen.keys("\x03");
    assert_eq!(screen.until("interrupted\r\n"), "^Cinterrupted\r\n");
    exec_in_a_terminal(&bench);
    exec_with_other_capabilities(&bench);
    screen.keys("end\r");
    assert_eq!(run.wait().unwrap().code(), Some(9), "{}", screen.shown);
    assert_eq!(screen.until("end\r\n"), "end\r\n");
    assert!(screen.is_given_back());
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// With a user, a directory, a variable and fewer capabilities; ended by the interrupt key.
fn exec_in_a_terminal(bench: &Bench) {
    let script = "stty size; id -u; id -g; pwd; echo $COLOUR $HOME; grep -E 'Cap(Eff|Bnd)' /proc/self/status; \
        echo ready; exec sleep 100000";
    let mut screen = Screen::open(100, 40);
    let words = [
        "exec",
        "-it",
        "-u",
        "ann",
        "-w",
        "/tmp",
        "-e",
        "COLOUR=red",
        "--cap-drop",
        "all",
        "--cap-add",
        "chown",
        "box",
        "sh",
        "-c",
        script,
    ];
    let mut exec = screen.start(bench, &words);
    let shown = screen.until("ready\r\n");
    let lines: Vec<&str> = shown.split("\r\n").collect();
    let expected = [
        "40 100",
        "1001",
        "1002",
        "/tmp",
        "red /home/ann",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000001",
        "ready",
        "",
    ];
    assert_eq!(lines, expected);
    assert!(screen.is_raw());
    screen.keys("\x03");
    assert_eq!(exec.wait().unwrap().code(), Some(130));
    assert!(screen.is_given_back());
}

/// Root has what it is given at once.
fn exec_with_other_capabilities(bench: &Bench) {
    let words = [
        "exec",
        "--cap-drop",
        "ALL",
        "--cap-add",
        "NET_ADMIN,kill",
        "box",
        "grep",
        "-E",
        "Cap(Eff|Bnd)",
        "/proc/self/status",
    ];
    let output = bench.run(&words).unwrap();
    let sets = "CapEff:\t0000000000001020\nCapBnd:\t0000000000001020\n";
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        sets,
        "{}",
        text(&output)
    );
    let refused = bench
        .run(&["exec", "--cap-add", "CAP_NOTHING", "box", "true"])
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("CAP_NOTHING"),
        "{said}"
    );
}
