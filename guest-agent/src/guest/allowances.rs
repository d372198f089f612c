//! What a guest allows that a small machine would not: containers are limited by their cgroups, not by the figures that
//! a kernel derives from its memory.

use std::{fs, io};

use rustix::process::{Resource, Rlimit, setrlimit};

/// Open files of a process, as container engines start containers.
const OPEN_FILES: u64 = 1_048_576;

/// Kernel parameters of the whole guest and their values. Each write costs three to five thousand instructions, so
/// only what programs are known to meet is here. `net.core.somaxconn` is 4096 in every new network namespace.
const PARAMETERS: [(&str, &str); 7] = [
    // systemd's value, the most that a 64-bit kernel takes.
    ("kernel/pid_max", "4194304"),
    // Otherwise by memory: 4,000 in a guest of 512 MiB. Processes of a container are counted by `pids.max`.
    ("kernel/threads-max", "4194304"),
    // What search engines and databases ask for is 262144; distributions have come to this.
    ("vm/max_map_count", "1048576"),
    ("fs/file-max", "9223372036854775807"),
    ("fs/inotify/max_user_instances", "8192"),
    ("fs/inotify/max_user_watches", "1048576"),
    ("fs/aio-max-nr", "1048576"),
];

/// Raises the limits of this process, which all containers inherit, and those of the guest.
pub(super) fn allow() -> io::Result<()> {
    let both = |limit| Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::Nofile, both(Some(OPEN_FILES)))?;
    setrlimit(Resource::Nproc, both(None))?;
    setrlimit(Resource::Core, both(None))?;
    for (name, value) in PARAMETERS {
        // A kernel without one of them, or with a lower bound, still runs containers: its log says what is less.
        if let Err(error) = fs::write(format!("/proc/sys/{name}"), value) {
            eprintln!("husk-agent: {name} is not {value}: {error}");
        }
    }
    Ok(())
}
