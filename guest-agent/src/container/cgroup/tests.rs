//! Tests of what is read out of files, on directories that look like cgroups.

use std::{fs, path::Path};

use super::{collect, oom_kills, own_path};

#[test]
fn processes_of_cgroups_below_are_listed_too() {
    let root = tempfile::tempdir().unwrap();
    let below = root.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    fs::write(root.path().join("cgroup.procs"), "3\n1\n").unwrap();
    fs::write(below.join("cgroup.procs"), "2\n").unwrap();
    // A cgroup that goes while it is looked at has no file any more: "a" has none here, and so nothing below it counts.
    let mut pids = Vec::new();
    collect(root.path(), &mut pids).unwrap();
    assert_eq!(pids, [3, 1]);
    fs::write(root.path().join("a/cgroup.procs"), "").unwrap();
    let mut pids = Vec::new();
    collect(root.path(), &mut pids).unwrap();
    assert_eq!(pids, [3, 1, 2]);
}

#[test]
fn own_cgroup_is_the_unified_line() {
    for (lines, own) in [
        ("0::/husk/c1\n", Some("/husk/c1")),
        ("1:cpu:/x\n0::/husk/c1/below\n", Some("/husk/c1/below")),
        ("1:cpu:/husk/c1\n", None),
        ("", None),
    ] {
        assert_eq!(own_path(lines), own.map(Path::new), "{lines:?}");
    }
}

#[test]
fn memory_kills_are_counted_by_their_own_line() {
    let events = "low 0\nhigh 1\nmax 7\noom 5\noom_kill 3\noom_group_kill 2\n";
    assert_eq!(oom_kills(events), Some(3));
    assert_eq!(oom_kills("oom 5\noom_group_kill 2\n"), None);
    assert_eq!(oom_kills("oom_kill x\n"), None);
}
