//! What the kernel knows of a directory: who uses it, what is mounted on it, which loop devices lie on its files.

use std::{fs, path::Path, process};

use anyhow::Result;

/// Processes that run, stand in or hold open anything below `dir`; not this one.
///
/// # Errors
/// /proc cannot be read.
pub fn processes(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(pid) = name.parse::<u32>() else {
            continue;
        };
        if pid == process::id() {
            continue;
        }
        let proc = entry.path();
        let files = fs::read_dir(proc.join("fd")).into_iter().flatten();
        let links = files
            .filter_map(|file| Some(file.ok()?.path()))
            .chain([proc.join("cwd"), proc.join("exe")]);
        // One that ends while it is looked at has no links any more.
        let used = links
            .filter_map(|link| fs::read_link(link).ok())
            .find(|target| target.starts_with(dir));
        if let Some(used) = used {
            let comm = fs::read_to_string(proc.join("comm")).unwrap_or_default();
            found.push(format!(
                "process {pid} ({}) uses {}",
                comm.trim(),
                used.display()
            ));
        }
    }
    Ok(found)
}

/// Mounts on or below `dir`.
///
/// # Errors
/// /proc cannot be read.
pub fn mounts(dir: &Path) -> Result<Vec<String>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    // proc_pid_mountinfo(5): the fifth field is the mount point.
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let below = points.filter(|point| Path::new(point).starts_with(dir));
    Ok(below.map(|point| format!("mount {point}")).collect())
}

/// Loop devices on files below `dir`.
///
/// # Errors
/// /sys cannot be read.
pub fn loop_devices(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/block")? {
        let path = entry?.path();
        let backing = fs::read_to_string(path.join("loop/backing_file")).unwrap_or_default();
        if Path::new(backing.trim()).starts_with(dir) {
            found.push(format!("{} on {}", path.display(), backing.trim()));
        }
    }
    Ok(found)
}
