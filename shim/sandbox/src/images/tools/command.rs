//! How the programs are found.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Where administrators' programs are; a person's own search path often lacks it.
const SYSTEM_DIRS: &str = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program with nothing on its standard streams, found in the caller's search path or in the system's.
pub(in super::super) fn tool(name: &str) -> Command {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(SYSTEM_DIRS);
    let mut command = Command::new(name);
    command.env("PATH", path).env("LC_ALL", "C");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Keys typed at our terminal are ours: what they call off is ended by us, and reported as that.
        .process_group(0);
    command
}
