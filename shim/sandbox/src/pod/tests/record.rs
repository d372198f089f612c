//! Names and records.

use std::{fs, os::unix::fs::PermissionsExt, process};

use proptest::prelude::*;

use crate::pod::{
    PodError, PodName,
    run_dir::{PodDir, ProcessMark, maker_of, read_record},
};

#[test]
fn name_fit_for_files_and_hosts_is_taken() {
    for name in ["a", "web-1", "0a.b_c", &"x".repeat(63)] {
        assert_eq!(PodName::new(name).unwrap().as_str(), name);
    }
}

#[test]
fn name_that_leaves_its_directory_is_refused() {
    for name in ["", ".", "..", "a/b", "-a", "a b", "ä", &"x".repeat(64)] {
        let error = PodName::new(name).unwrap_err();
        assert!(matches!(error, PodError::BadName { .. }), "{name:?}");
    }
}

proptest! {
    #[test]
    fn name_taken_is_one_plain_path_component(name in ".{0,80}") {
        if let Ok(name) = PodName::new(&name) {
            let path = std::path::Path::new(name.as_str());
            prop_assert_eq!(path.components().count(), 1);
            prop_assert!(!name.as_str().starts_with('.'));
        }
    }
}

#[test]
fn random_names_differ() {
    assert_ne!(PodName::random().unwrap(), PodName::random().unwrap());
}

#[test]
fn directory_of_a_pod_is_private_and_holds_its_record() {
    let run = tempfile::tempdir().unwrap();
    let dir = PodDir::create(run.path(), &PodName::new("a").unwrap()).unwrap();
    let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let record = read_record(dir.path()).unwrap();
    assert_eq!(record.owner.pid, process::id());
    assert!(record.owner.is_alive());
    assert_eq!(record.vmm, None);
}

#[test]
fn name_in_use_is_refused_and_leaves_nothing() {
    let run = tempfile::tempdir().unwrap();
    let name = PodName::new("a").unwrap();
    let _first = PodDir::create(run.path(), &name).unwrap();
    let error = PodDir::create(run.path(), &name).unwrap_err();
    assert!(matches!(error, PodError::NameInUse { .. }), "{error}");
    assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
}

#[test]
fn noted_resources_are_on_disk_before_they_are_made() {
    let run = tempfile::tempdir().unwrap();
    let mut dir = PodDir::create(run.path(), &PodName::new("a").unwrap()).unwrap();
    let file = run.path().join("not made yet");
    dir.note_file(file.clone()).unwrap();
    dir.note_vmm(process::id()).unwrap();
    let record = read_record(dir.path()).unwrap();
    assert_eq!(record.files, [file]);
    assert_eq!(record.vmm, ProcessMark::of(process::id()));
}

#[test]
fn removal_takes_files_and_directory() {
    let run = tempfile::tempdir().unwrap();
    let mut dir = PodDir::create(run.path(), &PodName::new("a").unwrap()).unwrap();
    let file = run.path().join("scratch");
    dir.note_file(file.clone()).unwrap();
    fs::write(&file, "x").unwrap();
    assert_eq!(dir.remove(), Vec::<String>::new());
    assert_eq!(fs::read_dir(run.path()).unwrap().count(), 0);
}

#[test]
fn record_with_unknown_field_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"version":2,"owner":{"pid":1,"start_ticks":1},"vmm":null,"files":[],"keep":"nothing","ended":false,"x":1}"#;
    fs::write(dir.path().join("record.json"), text).unwrap();
    assert!(
        read_record(dir.path())
            .unwrap_err()
            .to_string()
            .contains('x')
    );
}

#[test]
fn record_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"version":1,"owner":{"pid":1,"start_ticks":1},"vmm":null,"files":[],"keep":"nothing","ended":false}"#;
    fs::write(dir.path().join("record.json"), text).unwrap();
    assert!(
        read_record(dir.path())
            .unwrap_err()
            .to_string()
            .contains("version 1")
    );
}

#[test]
fn maker_of_an_unborn_directory_is_in_its_name() {
    let maker = maker_of(".new-12-345-web-1").unwrap();
    assert_eq!((maker.pid, maker.start_ticks), (12, 345));
    assert_eq!(maker_of("web-1"), None);
    assert_eq!(maker_of(".new-x-y"), None);
}
