//! Scratch disks: usable, sparse, and equal for equal sizes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::super::scratch;

const GIB: u64 = 1 << 30;

#[test]
fn scratch_disk_is_a_sparse_clean_ext4() {
    let dir = tempfile::tempdir().unwrap();
    let templates = dir.path().join("templates");
    for (name, size) in [
        ("small", scratch::MIN_BYTES),
        ("odd", 100_000_001),
        ("large", 64 * GIB),
    ] {
        let path = dir.path().join(name);
        let disk = scratch::create(&templates, &path, size).unwrap();
        let about = disk.metadata().unwrap();
        assert_eq!(about.size(), size.next_multiple_of(4096));
        assert!(
            about.blocks() * 512 < 8 << 20,
            "{name} takes {} bytes",
            about.blocks() * 512
        );
        let check = Command::new("/sbin/e2fsck")
            .args(["-fn"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(check.status.success(), "{check:?}");
    }
    // Neither do the templates take what nobody has written.
    for template in fs::read_dir(&templates).unwrap() {
        let taken = template.unwrap().metadata().unwrap().blocks() * 512;
        assert!(taken < 8 << 20, "a template takes {taken} bytes");
    }
}

#[test]
fn scratch_disk_mounts_and_takes_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    scratch::create(&dir.path().join("templates"), &path, 64 << 20).unwrap();
    let mount = dir.path().join("mount");
    fs::create_dir(&mount).unwrap();
    let mut attach = Command::new("mount");
    assert!(run(attach
        .args(["-t", "ext4", "-o", "loop"])
        .args([&path, &mount])));
    let written = fs::write(mount.join("most"), vec![1; 48 << 20]);
    let owner = mount.metadata().unwrap().uid();
    assert!(run(Command::new("umount").arg(&mount)));
    written.unwrap();
    assert_eq!(owner, 0);
}

fn run(command: &mut Command) -> bool {
    command.status().unwrap().success()
}

#[test]
fn scratch_disk_never_replaces_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    fs::write(&path, b"mine").unwrap();
    let error = scratch::create(&dir.path().join("templates"), &path, GIB).unwrap_err();
    assert!(error.to_string().contains("cannot make"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    for size in [0, scratch::MIN_BYTES - 1, u64::MAX] {
        let error = scratch::create(&dir.path().join("templates"), &path, size).unwrap_err();
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }
}

#[test]
fn writes_to_a_scratch_disk_do_not_reach_the_template() {
    let dir = tempfile::tempdir().unwrap();
    let templates = dir.path().join("templates");
    let first = dir.path().join("first");
    scratch::create(&templates, &first, 64 << 20).unwrap();
    let clean = fs::read(&first).unwrap();
    fs::write(&first, b"dirty").unwrap();
    let second = dir.path().join("second");
    scratch::create(&templates, &second, 64 << 20).unwrap();
    assert!(
        fs::read(&second).unwrap() == clean,
        "the second disk differs"
    );
}

#[test]
fn draft_of_a_killed_maker_goes_and_of_a_living_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let templates = dir.path().join("templates");
    fs::create_dir(&templates).unwrap();
    let (dead, alive) = (templates.join("draft-dead"), templates.join("draft-alive"));
    fs::write(&dead, b"half").unwrap();
    let maker = fs::File::create(&alive).unwrap();
    rustix::fs::flock(&maker, rustix::fs::FlockOperation::LockExclusive).unwrap();
    scratch::create(&templates, &dir.path().join("disk"), scratch::MIN_BYTES).unwrap();
    assert!(!dead.exists() && alive.exists());
}
