//! How the programs are found.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where administrators' programs are; a person's own search path often lacks it.
const SYSTEM_DIRS: &str = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts a program that is killed when who started it dies (util-linux, on every Debian).
const WRAPPER: &str = "setpriv";

/// A program with nothing on its standard streams, found in the caller's search path or in the system's. It ends with the
/// thread that starts it, however that ends, where the host has the means.
pub(in super::super) fn tool(name: &str) -> Command {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(SYSTEM_DIRS);
    let mut command = match (
        find(WRAPPER, &path).filter(|wrapper| is_itself(wrapper)),
        find(name, &path),
    ) {
        (Some(wrapper), Some(program)) => {
            let mut wrapped = Command::new(wrapper);
            wrapped.args(["--pdeathsig", "KILL", "--"]).arg(program);
            wrapped
        }
        // Who starts it hears that it is missing.
        _ => Command::new(name),
    };
    command.env("PATH", path).env("LC_ALL", "C");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Keys typed at our terminal are ours: what they call off is ended by us, and reported as that.
        .process_group(0);
    command
}

fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    let mut files = env::split_paths(path).map(|dir| dir.join(name));
    let executable = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    files.find(executable)
}

/// Not a program of many names, whose options are fewer.
fn is_itself(program: &Path) -> bool {
    let real = program.canonicalize();
    real.is_ok_and(|real| real.file_name() == program.file_name())
}

#[cfg(test)]
mod tests;
