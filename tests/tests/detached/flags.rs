//! A detached container with every flag that a guest can see, out of a docker archive.

use std::{
    ffi::OsStr,
    fs,
    io::{BufReader, Lines},
    path::PathBuf,
    process::{ChildStdout, Command},
};

use husk_tests::{artefacts, cli::Bench};
use serde_json::{Value, json};

use crate::ask;

/// The test image as `docker save` wrote images before it wrote layouts.
fn docker_archive(bench: &Bench) -> PathBuf {
    let dir = bench.path().join("archive");
    fs::create_dir(&dir).unwrap();
    let tar = |words: &[&OsStr]| {
        let status = Command::new("tar").current_dir(&dir).args(words).status();
        assert!(status.unwrap().success());
    };
    let layout = artefacts::file("busybox.tar").unwrap();
    tar(&["-xf".as_ref(), layout.as_ref()]);
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(dir.join(name)).unwrap()).unwrap()
    };
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        format!("blobs/{}", digest.replacen(':', "/", 1))
    };
    let manifest = read(&blob(&read("index.json")["manifests"][0]));
    let layers = manifest["layers"].as_array().unwrap();
    let entries = json!([{
        "Config": blob(&manifest["config"]),
        "RepoTags": ["busybox:latest"],
        "Layers": layers.iter().map(blob).collect::<Vec<_>>(),
    }]);
    fs::write(dir.join("manifest.json"), entries.to_string()).unwrap();
    let archive = bench.path().join("docker.tar");
    let files = [
        "-cf".as_ref(),
        archive.as_os_str(),
        "manifest.json".as_ref(),
        "blobs".as_ref(),
    ];
    tar(&files);
    archive
}

/// What a container with every flag is to see of them.
const SEEN: &str = "tty; echo pid $$; echo $COLOUR $SHAPE; cut -d ' ' -f 2-3 /proc/mounts | grep /scratch; ulimit -n; \
    cat /proc/sys/kernel/shmmni /sys/fs/cgroup/pids.max; \
    grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; mkdir /scratch/x 2>&1; echo up; sleep 100000";

/// A docker archive with every flag of `husk run` that a guest can see.
pub(crate) fn start_with_every_flag(bench: &Bench) {
    let file = |name: &str, content: &str| {
        let path = bench.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let variables = file("variables", "# two of them\nCOLOUR=red\nSHAPE=round\n");
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
    ]});
    let profile = file("profile.json", &profile.to_string());
    let timeline = bench.path().join("timeline.json");
    let seccomp = format!("seccomp={profile}");
    let into = format!("--timeline={}", timeline.display());
    let image = docker_archive(bench);
    let flags = "run -d -t --init --name web --stop-timeout 77 --tmpfs /scratch:size=1m --ulimit nofile=77:88 \
        --sysctl kernel.shmmni=55 --pids-limit 77 --cap-drop ALL --cap-add CHOWN,kill \
        --security-opt no-new-privileges --security-opt apparmor=unconfined";
    let mut words: Vec<&str> = flags.split_whitespace().collect();
    words.extend(["--security-opt", &seccomp, "--env-file", &variables, &into]);
    words.extend([image.to_str().unwrap(), "sh", "-c", SEEN]);
    ask(bench, &words);
    // Until the container ran, and no longer.
    let timeline = fs::read_to_string(timeline).unwrap();
    let timeline: Value = serde_json::from_str(&timeline).unwrap();
    let stages = timeline["stages"].as_array().unwrap();
    assert!(
        stages
            .iter()
            .any(|mark| mark["stage"] == "container started"),
        "{timeline}"
    );
    assert!(timeline["exit_code"].is_null(), "{timeline}");
}

/// What it printed, on the terminal that it has, up to the word that it is up.
pub(crate) fn assert_every_flag_is_seen(lines: &mut Lines<BufReader<ChildStdout>>) {
    let shown = lines.map(|line| line.unwrap().trim_end().to_owned());
    let shown: Vec<String> = shown.take_while(|line| line != "up").collect();
    let expected = [
        "/dev/pts/0",
        "pid 2",
        "red round",
        "/scratch tmpfs",
        "77",
        "55",
        "77",
        "CapEff:\t0000000000000021",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "mkdir: can't create directory '/scratch/x': Operation not permitted",
    ];
    assert_eq!(shown, expected);
}
