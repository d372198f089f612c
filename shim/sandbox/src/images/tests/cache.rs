//! The cache: one build for many, nothing broken, nothing left.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;

use super::super::{CacheUse, ImageError, Limits, Observer, Progress, Stage, Store};
use super::fixture::{Bench, Layer, Packing};

#[test]
fn concurrent_requests_build_once() {
    let bench = Bench::new();
    let files = (0..200).fold(Layer::new(), |layer, name| {
        layer.file(&name.to_string(), b"x")
    });
    let layout = bench.layout(&[(files.bytes(), Packing::Gzip)]);
    let start = Barrier::new(8);
    let uses: Vec<CacheUse> = thread::scope(|scope| {
        let asked: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let store = Store::open(&bench.path("cache"), Limits::default()).unwrap();
                    start.wait();
                    store.resolve(layout.reference(), &mut ()).unwrap().cache
                })
            })
            .collect();
        asked
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        uses.iter().filter(|made| **made == CacheUse::Built).count(),
        1,
        "{uses:?}"
    );
    assert_eq!(
        uses.iter().filter(|made| **made == CacheUse::Hit).count(),
        7,
        "{uses:?}"
    );
    assert_eq!(fs::read_dir(bench.path("cache/v1")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(bench.path("cache/locks")).unwrap().count(), 0);
    assert_eq!(
        fs::read_dir(bench.path("cache/staging")).unwrap().count(),
        0
    );
}

#[test]
fn broken_entries_are_made_again() {
    let bench = Bench::new();
    let layout = bench.layout(&[(Layer::new().file("a", b"a").bytes(), Packing::Plain)]);
    let first = bench.store.resolve(layout.reference(), &mut ()).unwrap();
    let entry = bench.path("cache/v1").join(&first.key);
    let whole = fs::read(entry.join("image.erofs")).unwrap();
    let breaks: [fn(&std::path::Path); 4] = [
        |entry| fs::write(entry.join("image.erofs"), b"short").unwrap(),
        |entry| fs::write(entry.join("info.json"), b"{}").unwrap(),
        |entry| fs::remove_file(entry.join("image.erofs")).unwrap(),
        |entry| fs::remove_file(entry.join("info.json")).unwrap(),
    ];
    for damage in breaks {
        damage(&entry);
        let again = bench.store.resolve(layout.reference(), &mut ()).unwrap();
        assert_eq!(again.cache, CacheUse::Built);
        assert_eq!(fs::read(entry.join("image.erofs")).unwrap(), whole);
    }
    let hit = bench.store.resolve(layout.reference(), &mut ()).unwrap();
    assert_eq!(hit.cache, CacheUse::Hit);
}

#[test]
fn litter_of_the_dead_goes_and_work_of_the_living_stays() {
    let bench = Bench::new();
    let dead = bench.path("cache/staging/build-dead/tree/deep");
    let alive = bench.path("cache/staging/build-alive");
    fs::create_dir_all(&dead).unwrap();
    fs::create_dir_all(&alive).unwrap();
    // A process of its own holds the lock of the second, as a build does.
    let mut holder = Command::new("flock")
        .args(["--verbose", "-x"])
        .arg(&alive)
        .args(["sh", "-c", "echo locked; read end"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_line(&mut holder, "locked");
    Store::open(&bench.path("cache"), Limits::default()).unwrap();
    assert!(!bench.path("cache/staging/build-dead").exists());
    assert!(alive.exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
}

/// The name under which the test below runs this one in a process of its own.
const BUILDER: &str = "images::tests::cache::builder_stops_at_a_stage_and_waits_to_be_killed";
const BUILDER_DIR: &str = "HUSK_TEST_BUILDER_DIR";
const BUILDER_STAGE: &str = "HUSK_TEST_BUILDER_STAGE";

struct StopAt(Stage);

impl Observer for StopAt {
    fn progress(&mut self, progress: Progress) {
        if progress.stage == self.0 {
            println!("\nreached");
            // Nobody ever writes: the parent kills.
            let _ = stdin().read(&mut [0]);
        }
    }
}

#[test]
#[ignore = "is run by killed_builds_leave_nothing, which kills it"]
fn builder_stops_at_a_stage_and_waits_to_be_killed() {
    let dir = PathBuf::from(env::var_os(BUILDER_DIR).unwrap());
    let building = env::var_os(BUILDER_STAGE).unwrap() == "building";
    let stage = if building {
        Stage::Building
    } else {
        Stage::Unpacking
    };
    let store = Store::open(&dir.join("cache"), Limits::default()).unwrap();
    let layout = dir.join("layout");
    let _ = store.resolve(layout.to_str().unwrap(), &mut StopAt(stage));
}

/// Calls the work off as soon as it hears of a stage.
struct CallOffAt(Stage, bool);

impl Observer for CallOffAt {
    fn progress(&mut self, progress: Progress) {
        self.1 |= progress.stage == self.0;
    }

    fn cancelled(&self) -> bool {
        self.1
    }
}

#[test]
fn waiting_for_somebody_elses_build_can_be_called_off() {
    let bench = Bench::new();
    let layout = bench.layout(&[(Layer::new().file("a", b"a").bytes(), Packing::Plain)]);
    let key = bench
        .store
        .resolve(layout.reference(), &mut ())
        .unwrap()
        .key;
    fs::remove_dir_all(bench.path("cache/v1").join(&key)).unwrap();
    let other = fs::File::create(bench.path("cache/locks").join(&key)).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut observer = CallOffAt(Stage::Waiting, false);
    let error = bench
        .store
        .resolve(layout.reference(), &mut observer)
        .unwrap_err();
    assert!(matches!(error, ImageError::Cancelled), "{error:?}");
}

#[test]
fn mkfs_can_be_called_off_and_leaves_nothing() {
    let bench = Bench::new();
    let layout = bench.layout(&[(Layer::new().file("a", b"a").bytes(), Packing::Plain)]);
    let mut observer = CallOffAt(Stage::Building, false);
    let error = bench
        .store
        .resolve(layout.reference(), &mut observer)
        .unwrap_err();
    assert!(matches!(error, ImageError::Cancelled), "{error:?}");
    for dir in ["cache/v1", "cache/staging", "cache/locks"] {
        assert_eq!(fs::read_dir(bench.path(dir)).unwrap().count(), 0, "{dir}");
    }
}

#[test]
fn killed_builds_leave_nothing() {
    for stage in ["unpacking", "building"] {
        let bench = Bench::new();
        let layout = bench.layout(&[(Layer::new().file("a", b"a").bytes(), Packing::Gzip)]);
        let mut builder = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", BUILDER])
            .env(BUILDER_DIR, bench.path(""))
            .env(BUILDER_STAGE, stage)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_line(&mut builder, "reached");
        builder.kill().unwrap();
        builder.wait().unwrap();
        let staging = bench.path("cache/staging");
        assert_eq!(fs::read_dir(&staging).unwrap().count(), 1, "{stage}");
        assert_eq!(
            fs::read_dir(bench.path("cache/v1")).unwrap().count(),
            0,
            "{stage}"
        );
        let store = Store::open(&bench.path("cache"), Limits::default()).unwrap();
        assert_eq!(fs::read_dir(&staging).unwrap().count(), 0, "{stage}");
        let locks = bench.path("cache/locks");
        assert_eq!(fs::read_dir(locks).unwrap().count(), 0, "{stage}");
        let image = store.resolve(layout.reference(), &mut ()).unwrap();
        assert_eq!(image.cache, CacheUse::Built, "{stage}");
        assert_eq!(
            fs::read_dir(bench.path("cache/locks")).unwrap().count(),
            0,
            "{stage}"
        );
    }
}

fn wait_for_line(child: &mut Child, word: &str) {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.map(|line| line.unwrap()).any(|line| line == word));
}

#[test]
fn cache_directories_are_closed_to_others() {
    use std::os::unix::fs::MetadataExt;
    let bench = Bench::new();
    bench
        .image(vec![Layer::new().file("a", b"a").bytes()])
        .unwrap();
    for name in ["cache/v1", "cache/staging", "cache/locks"] {
        assert_eq!(
            bench.path(name).metadata().unwrap().mode() & 0o777,
            0o700,
            "{name}"
        );
    }
}
