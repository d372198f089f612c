//! The document.

use std::{
    env,
    io::{self, Write as _},
};

use serde_json::{Map, Value, json};

use super::{mounts, nodes, process, resources, terminal, text, tries};

/// Parameters of the kernel that belong to a namespace, or that servers look at.
const SYSCTLS: [&str; 14] = [
    "fs/mqueue/msg_max",
    "fs/mqueue/queues_max",
    "kernel/domainname",
    "kernel/hostname",
    "kernel/msgmax",
    "kernel/sem",
    "kernel/shm_rmid_forced",
    "kernel/shmmax",
    "net/core/somaxconn",
    "net/ipv4/ip_forward",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_unprivileged_port_start",
    "net/ipv4/ping_group_range",
    "net/ipv4/tcp_syncookies",
];

/// Writes it.
pub(crate) fn report() -> io::Result<()> {
    let document = json!({
        "argv": env::args().collect::<Vec<_>>(),
        "cgroup": resources::limits(),
        "cwd": env::current_dir().map_or_else(|error| text::error(&error), |dir| dir.display().to_string()),
        "dev": nodes::devices(),
        "env": env::vars().map(|(name, value)| (name, Value::from(value))).collect::<Map<_, _>>(),
        "kernel": kernel(),
        "mounts": mounts::table(),
        "net": network(),
        "paths": nodes::paths(),
        "process": process::facts(),
        "root": nodes::entries("/"),
        "streams": terminal::streams(),
        "sysctl": sysctls(),
        // Last: a try may leave traces in what is looked at above.
        "try": tries::all(),
    });
    let mut out = io::stdout().lock();
    writeln!(out, "{document}")?;
    out.flush()
}

fn kernel() -> Value {
    let name = rustix::system::uname();
    json!({
        "sysname": name.sysname().to_string_lossy(),
        "release": name.release().to_string_lossy(),
        "version": name.version().to_string_lossy(),
        "machine": name.machine().to_string_lossy(),
        "nodename": name.nodename().to_string_lossy(),
        "domainname": name.domainname().to_string_lossy(),
    })
}

fn sysctls() -> Map<String, Value> {
    let value = |name: &str| text::file(&format!("/proc/sys/{name}"));
    SYSCTLS
        .iter()
        .map(|name| (name.replace('/', "."), value(name).into()))
        .collect()
}

/// Interfaces, and where packets would go.
fn network() -> Value {
    let table = text::file("/proc/self/net/dev");
    let interfaces: Vec<&str> = table
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim())
        .collect();
    let routes = text::file("/proc/self/net/route");
    json!({
        "interfaces": interfaces.join(" "),
        "lo_flags": text::file("/sys/class/net/lo/flags"),
        "routes": routes.lines().skip(1).count(),
    })
}
