//! Tests of what is read out of files, on directories that look like cgroups.

use std::{fs, path::Path};

use super::{collect, names_part_of};

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
fn process_is_held_by_its_cgroup_and_those_above() {
    let own = Path::new("/husk/c1");
    for (lines, held) in [
        ("0::/husk/c1\n", true),
        ("1:cpu:/\n0::/husk/c1/below\n", true),
        ("0::/husk/c11\n", false),
        ("0::/\n", false),
        ("1:cpu:/husk/c1\n", false),
        ("", false),
    ] {
        assert_eq!(names_part_of(lines, own), held, "{lines:?}");
    }
}
