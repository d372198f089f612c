//! Tests on directories that look like cgroups.

use std::{fs, path::Path};

use super::figures;

fn cgroup(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in files {
        fs::write(directory.path().join(file), text).unwrap();
    }
    directory
}

#[test]
fn every_part_is_read_and_max_is_no_limit() {
    let cgroup = cgroup(&[
        (
            "cpu.stat",
            "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 4\nnr_throttled 2\nthrottled_usec 7\n",
        ),
        ("cpu.max", "50000 100000\n"),
        ("cpu.weight", "79\n"),
        ("memory.current", "4096\n"),
        ("memory.max", "max\n"),
        ("memory.swap.max", "0\n"),
        ("memory.stat", "anon 5\nfile 6\n"),
        ("memory.events", "oom 1\noom_kill 3\n"),
        ("pids.current", "2\n"),
        ("pids.max", "64\n"),
        (
            "io.stat",
            "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:0 \nodd\n",
        ),
        ("hugetlb.2MB.current", "0\n"),
        ("hugetlb.2MB.max", "max\n"),
        ("hugetlb.2MB.rsvd.current", "0\n"),
        ("hugetlb.2MB.events", "max 9\n"),
    ]);
    let read = figures(cgroup.path());
    let cpu = read.cpu.unwrap();
    assert_eq!((cpu.usage_us, cpu.user_us, cpu.system_us), (30, 10, 20));
    assert_eq!(
        (cpu.periods, cpu.throttled_periods, cpu.throttled_us),
        (4, 2, 7)
    );
    assert_eq!(
        (cpu.quota_us, cpu.period_us, cpu.weight),
        (Some(50_000), 100_000, 79)
    );
    let memory = read.memory.unwrap();
    assert_eq!((memory.current_bytes, memory.limit_bytes), (4096, None));
    assert_eq!(memory.swap_limit_bytes, Some(0));
    assert_eq!((memory.stat["file"], memory.events["oom_kill"]), (6, 3));
    let pids = read.pids.unwrap();
    assert_eq!((pids.current, pids.limit), (2, Some(64)));
    assert_eq!(read.io.len(), 2);
    assert_eq!((read.io[0].minor, read.io[0].discards), (16, 6));
    assert_eq!(read.hugetlb.len(), 1);
    assert_eq!(read.hugetlb[0].page_size, "2MB");
    assert_eq!(read.hugetlb[0].failures, 9);
}

#[test]
fn parts_without_a_controller_stay_unset() {
    let read = figures(Path::new("/nowhere"));
    assert!(read.cpu.is_none() && read.memory.is_none() && read.pids.is_none());
    assert!(read.io.is_empty() && read.hugetlb.is_empty());
}
