//! Programs that Husk starts, when Husk is killed.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::tool;

/// Tells this test that it is the one that is killed.
const VICTIM: &str = "HUSK_TEST_VICTIM";

/// Needs `setpriv`; says so where it is not there.
#[test]
fn program_ends_with_who_started_it() {
    if env::var_os(VICTIM).is_some() {
        let mut child = tool("sleep").arg("100000").spawn().unwrap();
        println!("\nchild {}", child.id());
        child.wait().unwrap();
        return;
    }
    if tool("sleep").get_program() != "/usr/bin/setpriv" {
        eprintln!("left out: there is no setpriv here");
        return;
    }
    let name = "images::tools::command::tests::program_ends_with_who_started_it";
    let mut victim = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let pid = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("child ")?.parse().ok());
    let child = pidfd_open(Pid::from_raw(pid.unwrap()).unwrap(), PidfdFlags::empty()).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    let mut ended = [PollFd::new(&child, PollFlags::IN)];
    let limit = Timespec {
        tv_sec: 120,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut ended, Some(&limit)).unwrap(), 1);
}
