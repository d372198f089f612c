//! A log that grows without end.

use std::{fs, io::Write as _, os::fd::AsFd as _};

use super::{BEFORE, CURRENT, OwnerLog};

#[test]
fn newest_part_is_kept_and_the_rest_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let log = OwnerLog::new(dir.path(), 1000);
    let mut file = log.create().unwrap();
    for number in 0..1000 {
        if let Some(new) = log.turn(file.as_fd()).unwrap() {
            file = new;
        }
        writeln!(file, "message {number:03}").unwrap();
    }
    let names = [BEFORE, CURRENT].map(|name| fs::read_to_string(dir.path().join(name)).unwrap());
    assert!(names.iter().all(|text| text.len() <= 1012));
    let kept = names.concat();
    assert!(kept.len() >= 1000 && kept.ends_with("message 998\nmessage 999\n"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

/// The pod was removed, its owner still talks: nobody sees the file, but it takes room.
#[test]
fn log_without_its_directory_is_bounded_too() {
    let dir = tempfile::tempdir().unwrap();
    let log = OwnerLog::new(dir.path(), 1000);
    let mut file = log.create().unwrap();
    drop(dir);
    for _ in 0..1000 {
        assert!(log.turn(file.as_fd()).unwrap().is_none());
        file.write_all(b"nobody hears\n").unwrap();
    }
    assert!(file.metadata().unwrap().len() <= 1013);
}
