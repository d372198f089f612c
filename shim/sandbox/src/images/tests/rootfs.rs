//! Directories and bundles: never stale, cached only when that can be promised.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::super::{CacheUse, ImageSource};
use super::fixture::{Bench, Mounted, line};

fn tree(bench: &Bench) -> std::path::PathBuf {
    let root = bench.path("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/passwd"), b"root:x:0:0::/root:/bin/sh\n").unwrap();
    fs::write(root.join("file"), b"one").unwrap();
    root
}

/// Until the youngest change of the tree is old enough to be told from a later one.
fn settle(root: &Path) {
    use std::os::unix::fs::MetadataExt;
    let changed = root.join("file").metadata().unwrap().ctime();
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(changed).unwrap());
    // The clock itself is the condition: there is no event to wait for.
    while let Ok(left) = (changed + Duration::from_secs(4)).duration_since(SystemTime::now()) {
        std::thread::sleep(left);
    }
}

#[test]
fn fresh_directory_is_converted_but_not_kept() {
    let bench = Bench::new();
    let root = tree(&bench);
    let reference = root.to_str().unwrap();
    let image = bench.store.resolve(reference, &mut ()).unwrap();
    assert_eq!(image.cache, CacheUse::Private);
    assert_eq!(image.source, ImageSource::RootFs);
    assert_eq!(image.accounts.passwd, "root:x:0:0::/root:/bin/sh\n");
    assert_eq!(Mounted::new(&image).text("file"), "one");
    bench.assert_clean();
    // The same length, at once: the next image has it.
    fs::write(root.join("file"), b"two").unwrap();
    let next = bench.store.resolve(reference, &mut ()).unwrap();
    assert_eq!(Mounted::new(&next).text("file"), "two");
    assert_ne!(image.key, next.key);
}

#[test]
fn settled_directory_is_kept_until_anything_changes() {
    let bench = Bench::new();
    let root = tree(&bench);
    let reference = root.to_str().unwrap();
    settle(&root);
    let uses = |bench: &Bench| bench.store.resolve(reference, &mut ()).unwrap().cache;
    assert_eq!(
        (uses(&bench), uses(&bench)),
        (CacheUse::Built, CacheUse::Hit)
    );
    let time = root.join("file").metadata().unwrap().modified().unwrap();
    fs::write(root.join("file"), b"six").unwrap();
    // Same size, same modification time: only the change time tells.
    fs::File::options()
        .write(true)
        .open(root.join("file"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    let image = bench.store.resolve(reference, &mut ()).unwrap();
    assert_ne!(image.cache, CacheUse::Hit);
    assert_eq!(Mounted::new(&image).text("file"), "six");
}

#[test]
fn mount_points_in_a_directory_are_refused() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
    let bench = Bench::new();
    let root = tree(&bench);
    let point = root.join("mnt");
    fs::create_dir(&point).unwrap();
    mount("tmpfs", &point, "tmpfs", MountFlags::empty(), None).unwrap();
    let text = bench
        .store
        .resolve(root.to_str().unwrap(), &mut ())
        .map_err(|error| line(&error));
    unmount(&point, UnmountFlags::DETACH).unwrap();
    let text = text.unwrap_err();
    assert!(
        text.contains("is a mount point") && text.contains("mnt"),
        "{text}"
    );
}

fn bundle(bench: &Bench, change: impl Fn(&mut Value)) -> std::path::PathBuf {
    let dir = bench.path("bundle");
    fs::create_dir_all(dir.join("rootfs")).unwrap();
    fs::write(dir.join("rootfs/file"), b"in a bundle").unwrap();
    let mut config = json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": true},
        "process": {
            "user": {"uid": 5, "gid": 6}, "args": ["sh"], "cwd": "/", "env": ["A=b"],
        },
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": [{"type": "pid"}]},
    });
    change(&mut config);
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    dir
}

#[test]
fn bundle_is_taken_with_its_own_specification() {
    let bench = Bench::new();
    let dir = bundle(&bench, |config| {
        config["colour"] = json!("red");
        config["process"]["user"]["shell"] = json!("/bin/sh");
    });
    let image = bench.store.resolve(dir.to_str().unwrap(), &mut ()).unwrap();
    assert_eq!(Mounted::new(&image).text("file"), "in a bundle");
    let ImageSource::Bundle { spec, unknown } = image.source else {
        panic!("not a bundle")
    };
    assert_eq!(spec.process().as_ref().unwrap().user().uid(), 5);
    assert_eq!(unknown, ["colour", "process.user.shell"]);
}

#[test]
fn bundle_errors_name_the_field() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 12] = [
        (|c| c["ociVersion"] = json!("2.0"), "ociVersion \"2.0\""),
        (
            |c| c["process"]["args"] = json!([]),
            "process.args is empty",
        ),
        (
            |c| c["process"]["cwd"] = json!("home"),
            "process.cwd \"home\"",
        ),
        (
            |c| c["process"]["user"]["uid"] = json!("five"),
            "process.user.uid",
        ),
        (|c| c["root"] = Value::Null, "root is missing"),
        (|c| c["root"]["path"] = json!("../x"), "root.path \"../x\""),
        (|c| c["mounts"][0]["type"] = json!("bind"), "mounts[0]"),
        (
            |c| c["linux"]["namespaces"][0]["path"] = json!("/proc/1/ns/pid"),
            "namespaces[0].path",
        ),
        (
            |c| c["hooks"] = json!({"poststop": [{"path": "/bin/x"}]}),
            "hooks.poststop",
        ),
        (
            |c| c["hooks"] = json!({"startContainer": [{"path": "/bin/x"}]}),
            "hooks.startContainer",
        ),
        (
            |c| c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_NONE"}),
            "linux.seccomp.defaultAction: unknown variant `SCMP_ACT_NONE`",
        ),
        (|c| c["windows"] = json!({"layerFolders": ["x"]}), "windows"),
    ];
    for (change, words) in changes {
        let bench = Bench::new();
        let dir = bundle(&bench, change);
        let text = line(
            &bench
                .store
                .resolve(dir.to_str().unwrap(), &mut ())
                .unwrap_err(),
        );
        assert!(
            text.contains(words) && text.contains("config.json"),
            "{text}"
        );
    }
}
