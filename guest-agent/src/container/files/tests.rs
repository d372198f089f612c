//! Tests of files in a hostile root, as an ordinary user.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use husk_protocol::agent::PushedFile;

use super::Inside;

fn pushed(path: &str) -> PushedFile {
    let own = fs::metadata("/proc/self").unwrap();
    PushedFile {
        path: path.into(),
        content: b"new\n".to_vec(),
        mode: 0o640,
        uid: own.uid(),
        gid: own.gid(),
        ..PushedFile::default()
    }
}

#[test]
fn put_makes_parents_and_sets_mode() {
    let root = tempfile::tempdir().unwrap();
    let inside = Inside::open(root.path()).unwrap();
    inside.put(&pushed("/etc/deep/hosts")).unwrap();
    let file = root.path().join("etc/deep/hosts");
    assert_eq!(fs::read(&file).unwrap(), b"new\n");
    assert_eq!(
        file.metadata().unwrap().permissions().mode() & 0o7777,
        0o640
    );
}

#[test]
fn put_through_symlinked_directory_stays_inside() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), root.path().join("etc")).unwrap();
    let inside = Inside::open(root.path()).unwrap();
    // The link names a directory that does not exist inside.
    assert!(inside.put(&pushed("/etc/hosts")).is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn put_replaces_symlink_instead_of_following_it() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    symlink(outside.path(), root.path().join("etc/hosts")).unwrap();
    let inside = Inside::open(root.path()).unwrap();
    inside.put(&pushed("/etc/hosts")).unwrap();
    assert_eq!(fs::read(root.path().join("etc/hosts")).unwrap(), b"new\n");
    assert_eq!(fs::read(outside.path()).unwrap(), b"");
}

#[test]
fn climbing_or_relative_path_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let inside = Inside::open(root.path()).unwrap();
    for path in ["/../x", "x", "/a/../../x", "/", ""] {
        assert!(inside.put(&pushed(path)).is_err(), "{path:?}");
    }
}

#[test]
fn read_follows_links_only_inside() {
    let root = tempfile::tempdir().unwrap();
    symlink("/etc/passwd", root.path().join("passwd")).unwrap();
    let inside = Inside::open(root.path()).unwrap();
    assert_eq!(inside.read(Path::new("/passwd")).unwrap(), None);
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), "inside").unwrap();
    assert_eq!(
        inside.read(Path::new("/passwd")).unwrap().as_deref(),
        Some("inside")
    );
}
