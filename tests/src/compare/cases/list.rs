//! All cases, in the order in which they run.

use super::{
    super::case::{Act, Case},
    endings, files, isolation, limits, process,
};

const SIGKILL: u32 = 9;
const SIGTERM: u32 = 15;

/// The base and its variations.
#[must_use]
pub const fn all() -> &'static [Case] {
    CASES
}

const CASES: &[Case] = &[
    Case::new("base", |_| ()),
    // The process.
    Case::new("user-and-groups", process::user),
    Case::new("no-capabilities", process::no_capabilities),
    Case::new("ambient-capabilities", process::ambient_capabilities),
    Case::new("most-capabilities", process::most_capabilities),
    Case::new("no-new-privileges", process::no_new_privileges),
    Case::new("rlimits", process::rlimits),
    Case::new("no-rlimits", process::no_rlimits),
    Case::new("umask-and-oom-score", process::umask_and_oom_score),
    Case::new("cwd-of-user", process::cwd),
    Case::new("odd-environment", process::environment),
    Case::new("terminal", process::terminal),
    // What is apart.
    Case::new("few-namespaces", isolation::few_namespaces),
    Case::new("no-pid-namespace", isolation::no_pid_namespace),
    Case::new("user-namespace", isolation::user_namespace),
    Case::new("names", isolation::names),
    Case::new("sysctls", isolation::sysctls),
    Case::new("nothing-hidden", isolation::nothing_hidden),
    Case::new("hidden-files", isolation::hidden_files),
    Case::new("read-only-paths", isolation::read_only_paths),
    Case::new("seccomp-default", isolation::seccomp_default),
    Case::new("seccomp-odd", isolation::seccomp_odd),
    // Files.
    Case::new("read-only-root", files::read_only_root),
    Case::new("tmpfs-options", files::tmpfs),
    Case::new("tmpfs-copy-up", files::copy_up),
    Case::new("deep-destination", files::deep_destination),
    Case::new("mount-propagation", files::propagation),
    Case::new("writable-proc-and-sys", files::writable),
    Case::new("missing-source", files::missing_source),
    Case::new("extra-device", files::extra_device),
    Case::new("device-rules", files::device_rules),
    // Limits.
    Case::new("memory-cpu-pids", limits::plain),
    Case::new("cpu-shares-and-set", limits::shares),
    // Beginnings and ends.
    Case::new("exit-code", endings::exit_code).with(Act::Feed("42\n")),
    Case::new("killed-child", endings::killed_child),
    Case::new("caught-signal", endings::caught_signal).with(Act::Signal(SIGTERM)),
    Case::new("killed", endings::ready).with(Act::Signal(SIGKILL)),
    Case::new("missing-command", endings::missing_command),
    Case::new("no-program", endings::no_program),
    Case::new("cwd-is-a-file", endings::cwd_is_a_file),
];
