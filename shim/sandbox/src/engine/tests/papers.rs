//! Papers, and what a list makes of them.

use std::{fs, path::Path, process};

use super::fixture::about;
use crate::{
    engine::{
        EngineError, Papers, Phase, State, Status, find, list,
        list::state,
        papers::{read_about, read_status},
    },
    pod::{Keep, PodName, ProcessMark, Record},
};

/// A pod of this process.
fn pod(run: &Path, name: &str, id: &str) -> Papers {
    let name = PodName::new(name).unwrap();
    let dir = run.join(name.as_str());
    fs::create_dir(&dir).unwrap();
    let record = Record {
        version: crate::pod::RECORD_VERSION,
        owner: ProcessMark::of(process::id()).unwrap(),
        vmm: None,
        files: Vec::new(),
        keep: Keep::Papers,
        ended: false,
    };
    let record = serde_json::to_vec(&record).unwrap();
    fs::write(dir.join("record.json"), record).unwrap();
    Papers::begin(&dir, &about(id)).unwrap()
}

#[test]
fn what_is_written_is_read_and_an_end_is_final() {
    let run = tempfile::tempdir().unwrap();
    let mut papers = pod(run.path(), "web", "0123456789ab");
    let dir = run.path().join("web");
    assert_eq!(read_about(&dir).unwrap().unwrap(), about("0123456789ab"));
    papers
        .change(|status| status.phase = Phase::Exited)
        .unwrap();
    papers
        .change(|status| status.phase = Phase::Paused)
        .unwrap();
    assert_eq!(read_status(&dir).unwrap().unwrap().phase, Phase::Exited);
}

#[test]
fn papers_of_a_pod_that_is_removed_do_not_land_in_its_successor() {
    let run = tempfile::tempdir().unwrap();
    let mut papers = pod(run.path(), "web", "0123456789ab");
    let dir = run.path().join("web");
    fs::remove_dir_all(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    assert!(
        papers
            .change(|status| status.phase = Phase::Exited)
            .is_err()
    );
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn containers_are_found_by_name_by_id_and_by_its_beginning() {
    let run = tempfile::tempdir().unwrap();
    let _web = pod(run.path(), "web", "0123456789ab");
    let _db = pod(run.path(), "db", "01ffffffffff");
    for wanted in ["web", "0123456789ab", "012"] {
        assert_eq!(find(run.path(), wanted).unwrap().name, "web");
    }
    let error = find(run.path(), "01").unwrap_err();
    assert!(matches!(error, EngineError::Ambiguous { .. }), "{error}");
    for wanted in ["", "we", "1", "../web", "2"] {
        let error = find(run.path(), wanted).unwrap_err();
        assert_eq!(error.exit_code(), Some(1));
        assert_eq!(error.to_string(), format!("no such container: {wanted:?}"));
    }
}

#[test]
fn damaged_papers_are_reported_and_hide_nobody_else() {
    let run = tempfile::tempdir().unwrap();
    let _web = pod(run.path(), "web", "0123456789ab");
    let _bad = pod(run.path(), "bad", "1123456789ab");
    fs::write(run.path().join("bad/status.json"), "{\"version\":").unwrap();
    fs::create_dir(run.path().join(".new-1-1-x")).unwrap();
    fs::write(run.path().join("file"), "").unwrap();
    let listing = list(run.path()).unwrap();
    let names: Vec<&str> = listing.pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["web"]);
    assert_eq!(listing.damaged.len(), 1);
    assert!(
        listing.damaged[0].contains("bad/status.json"),
        "{listing:?}"
    );
}

#[test]
fn state_tells_the_truth_about_owners_that_died() {
    let at = |phase| Status {
        phase,
        ..Status::starting()
    };
    let cases = [
        (true, false, None, State::Starting),
        (true, false, Some(Phase::Starting), State::Starting),
        (true, false, Some(Phase::Running), State::Running),
        (true, false, Some(Phase::Paused), State::Paused),
        (true, true, Some(Phase::Exited), State::Exited),
        (false, true, Some(Phase::Exited), State::Exited),
        // Killed between its container's end and its machine's.
        (false, false, Some(Phase::Exited), State::Dead),
        (false, false, Some(Phase::Running), State::Dead),
        (false, true, Some(Phase::Running), State::Dead),
        (false, false, Some(Phase::Starting), State::Dead),
        (false, false, None, State::Dead),
    ];
    for (alive, ended, phase, expected) in cases {
        let status = phase.map(at);
        assert_eq!(
            state(alive, ended, status.as_ref()),
            expected,
            "{alive} {ended} {phase:?}"
        );
    }
}
