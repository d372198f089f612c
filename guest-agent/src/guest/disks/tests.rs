//! Tests of serials and of the look-up, on a directory that looks like /sys/block.

use std::{fs, path::Path};

use super::{Serial, look, names};

fn disk(block: &Path, name: &str, size: &str, serial: &str) {
    let directory = block.join(name);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("size"), size).unwrap();
    fs::write(directory.join("serial"), serial).unwrap();
}

#[test]
fn serial_that_could_leave_a_directory_is_refused() {
    for text in ["", "..", "a/b", ".hidden", "twenty-one-characters", "a b"] {
        assert!(Serial::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(Serial::parse("img-1.a_B").unwrap().to_string(), "img-1.a_B");
}

#[test]
fn look_finds_disk_with_capacity_by_serial() {
    let block = tempfile::tempdir().unwrap();
    disk(block.path(), "vda", "0\n", "img1\n");
    disk(block.path(), "vdb", "2048\n", "img2");
    disk(block.path(), "loop0", "2048\n", "img3\n");
    let disks = look(block.path(), &Serial::parse("img2").unwrap()).unwrap();
    assert_eq!(disks.get("img2").unwrap(), Path::new("/dev/vdb"));
    assert_eq!(names(&disks), "img2");
}

#[test]
fn look_passes_over_empty_slots() {
    let block = tempfile::tempdir().unwrap();
    disk(block.path(), "vda", "0\n", "img1\n");
    let disks = look(block.path(), &Serial::parse("img1").unwrap()).unwrap();
    assert_eq!(names(&disks), "none");
}
