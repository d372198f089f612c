//! Leftovers: with real processes that play owner and machine.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
};

use rustix::fs::{FlockOperation, flock};

use crate::pod::{
    Depth, Keep, Sweep,
    run_dir::{ProcessMark, Record, VERSION, read_record},
    sweep,
};

fn sleeper() -> Child {
    // `cat` lives until its standard input closes.
    Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// A process that is no more.
fn dead() -> ProcessMark {
    let mut child = sleeper();
    let mark = ProcessMark::of(child.id()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    mark
}

fn me() -> ProcessMark {
    ProcessMark::of(process::id()).unwrap()
}

fn pod(run: &Path, owner: ProcessMark, vmm: Option<ProcessMark>, files: Vec<PathBuf>) -> PathBuf {
    let record = Record {
        version: VERSION,
        owner,
        vmm,
        files,
        keep: Keep::Nothing,
        ended: false,
    };
    write(run, &record)
}

/// A pod that is kept, with a log.
fn kept(run: &Path, vmm: Option<ProcessMark>, files: Vec<PathBuf>, ended: bool) -> PathBuf {
    let record = Record {
        version: VERSION,
        owner: dead(),
        vmm,
        files,
        keep: Keep::Papers,
        ended,
    };
    let dir = write(run, &record);
    fs::write(dir.join("log"), "x").unwrap();
    dir
}

fn write(run: &Path, record: &Record) -> PathBuf {
    let dir = run.join("pod");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("record.json"), serde_json::to_vec(record).unwrap()).unwrap();
    fs::write(dir.join("vsock.sock"), "").unwrap();
    dir
}

#[test]
fn pod_of_a_living_owner_stays() {
    let run = tempfile::tempdir().unwrap();
    let dir = pod(run.path(), me(), None, Vec::new());
    assert!(
        sweep(run.path(), Depth::Everything)
            .unwrap()
            .removed
            .is_empty()
    );
    assert!(dir.exists());
}

#[test]
fn pod_of_a_dead_owner_goes_with_machine_and_files() {
    let run = tempfile::tempdir().unwrap();
    let scratch = run.path().join("scratch.ext4");
    fs::write(&scratch, "x").unwrap();
    let mut machine = sleeper();
    let vmm = ProcessMark::of(machine.id());
    let dir = pod(run.path(), dead(), vmm, vec![scratch.clone()]);
    let swept = sweep(run.path(), Depth::Everything).unwrap();
    assert_eq!(swept.removed, ["pod"]);
    assert_eq!(swept.left, Vec::<String>::new());
    assert!(!dir.exists() && !scratch.exists());
    assert!(!machine.wait().unwrap().success());
}

#[test]
fn kept_pod_of_a_dead_owner_loses_machine_and_files_and_shows_what_it_was() {
    let run = tempfile::tempdir().unwrap();
    let scratch = run.path().join("scratch.ext4");
    fs::write(&scratch, "x").unwrap();
    let mut machine = sleeper();
    let vmm = ProcessMark::of(machine.id());
    let dir = kept(run.path(), vmm, vec![scratch.clone()], false);
    let swept = sweep(run.path(), Depth::Resources).unwrap();
    assert_eq!(swept.left, Vec::<String>::new());
    assert!(!machine.wait().unwrap().success());
    assert!(!scratch.exists() && !dir.join("vsock.sock").exists());
    assert!(dir.join("log").exists());
    let record = read_record(&dir).unwrap();
    assert_eq!((record.vmm, record.ended), (None, false));
    // Once more finds nothing to do; all that is left goes when asked for.
    let again = sweep(run.path(), Depth::Resources).unwrap();
    assert!(again.removed.is_empty());
    assert_eq!(
        sweep(run.path(), Depth::Everything).unwrap().removed,
        ["pod"]
    );
    assert!(!dir.exists());
}

#[test]
fn kept_pod_that_ended_in_order_stays() {
    let run = tempfile::tempdir().unwrap();
    let dir = kept(run.path(), None, Vec::new(), true);
    let swept = sweep(run.path(), Depth::Everything).unwrap();
    assert!(swept.removed.is_empty() && swept.left.is_empty());
    assert!(dir.join("log").exists());
}

#[test]
fn process_that_took_over_the_pid_of_the_machine_lives_on() {
    let run = tempfile::tempdir().unwrap();
    let mut stranger = sleeper();
    let mut vmm = ProcessMark::of(stranger.id()).unwrap();
    vmm.start_ticks += 1;
    pod(run.path(), dead(), Some(vmm), Vec::new());
    assert_eq!(
        sweep(run.path(), Depth::Everything).unwrap().removed,
        ["pod"]
    );
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn owner_whose_pid_was_taken_over_is_dead() {
    let run = tempfile::tempdir().unwrap();
    let mut owner = me();
    owner.start_ticks += 1;
    pod(run.path(), owner, None, Vec::new());
    assert_eq!(
        sweep(run.path(), Depth::Everything).unwrap().removed,
        ["pod"]
    );
}

#[test]
fn unborn_directory_of_a_dead_maker_goes_and_of_a_living_one_stays() {
    let run = tempfile::tempdir().unwrap();
    let (dead, me) = (dead(), me());
    let gone = run
        .path()
        .join(format!(".new-{}-{}-a", dead.pid, dead.start_ticks));
    let kept = run
        .path()
        .join(format!(".new-{}-{}-a", me.pid, me.start_ticks));
    fs::create_dir(&gone).unwrap();
    fs::create_dir(&kept).unwrap();
    assert_eq!(
        sweep(run.path(), Depth::Everything).unwrap().left,
        Vec::<String>::new()
    );
    assert!(!gone.exists() && kept.exists());
}

#[test]
fn directory_that_a_killed_owner_was_removing_goes() {
    let run = tempfile::tempdir().unwrap();
    let (dead, me) = (dead(), me());
    let aside = |mark: ProcessMark| {
        let name = format!(".old-{}-{}-a", mark.pid, mark.start_ticks);
        let dir = run.path().join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("vsock.sock"), "").unwrap();
        dir
    };
    let (gone, kept) = (aside(dead), aside(me));
    assert_eq!(
        sweep(run.path(), Depth::Everything).unwrap().left,
        Vec::<String>::new()
    );
    assert!(!gone.exists() && kept.exists());
}

/// Two sweeps see the same dead pod; one removes it, a new pod takes the name, and only then the other goes on.
#[test]
fn sweep_that_comes_late_leaves_the_new_pod_of_the_name_alone() {
    let run = tempfile::tempdir().unwrap();
    let path = run.path().to_owned();
    let dir = pod(&path, dead(), None, Vec::new());
    let first = fs::File::open(&dir).unwrap();
    flock(&first, FlockOperation::LockExclusive).unwrap();
    let inode = format!(":{} ", first.metadata().unwrap().ino());
    let second = thread::spawn(move || sweep(&path, Depth::Everything).unwrap());
    // Until the kernel says that the other one waits.
    while !fs::read_to_string("/proc/locks")
        .unwrap()
        .lines()
        .any(|line| line.contains("->") && line.contains(&inode))
    {
        assert!(!second.is_finished());
        thread::yield_now();
    }
    fs::remove_dir_all(&dir).unwrap();
    pod(run.path(), me(), None, Vec::new());
    drop(first);
    assert_eq!(second.join().unwrap(), Sweep::default());
    assert!(dir.join("record.json").exists());
}

#[test]
fn unreadable_record_is_reported_and_left() {
    let run = tempfile::tempdir().unwrap();
    fs::create_dir(run.path().join("pod")).unwrap();
    fs::write(run.path().join("pod/record.json"), "{").unwrap();
    let swept = sweep(run.path(), Depth::Everything).unwrap();
    assert_eq!(swept.left.len(), 1);
    assert!(run.path().join("pod").exists());
}

#[test]
fn no_directory_is_nothing_to_sweep() {
    let run = tempfile::tempdir().unwrap();
    let swept = sweep(&run.path().join("none"), Depth::Everything).unwrap();
    assert!(swept.removed.is_empty() && swept.left.is_empty());
}
