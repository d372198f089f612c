//! Limits that change under a container, its figures, its standstill.

use std::time::{Duration, Instant};

use husk_sandbox::agent::Stats;
use husk_tests::guest::Guest;
use serde_json::{Value, json};

use super::shell::Shell;
use crate::confinement::control;

/// For how long the machine is held: what is measured, not what is waited for.
const STANDSTILL: Duration = Duration::from_millis(500);

/// What containerd's metrics of either cgroup version are made from.
const MEMORY: [&str; 24] = [
    "active_anon",
    "active_file",
    "anon",
    "file",
    "file_dirty",
    "file_mapped",
    "file_writeback",
    "inactive_anon",
    "inactive_file",
    "kernel_stack",
    "pgactivate",
    "pgdeactivate",
    "pgfault",
    "pglazyfree",
    "pglazyfreed",
    "pgmajfault",
    "pgrefill",
    "pgscan",
    "pgsteal",
    "shmem",
    "slab",
    "slab_reclaimable",
    "sock",
    "unevictable",
];

const FILES: &str = "cd /sys/fs/cgroup && cat memory.max pids.max cpu.max cpu.weight && cd /";

pub(crate) fn limits_figures_and_standstill(guest: &Guest) {
    guest.wait(async {
        let before =
            json!({"memory": {"limit": 50 << 20}, "pids": {"limit": 40}, "cpu": {"shares": 512}});
        let mut shell = Shell::start(guest, before).await.unwrap();
        let id = shell.id().to_owned();
        assert_eq!(shell.ask(FILES).await, "52428800; 40; max 100000; 59; = 0");
        let update = async |shell: &Shell<'_>, limits: Value| {
            let json = limits.to_string().into_bytes();
            shell.pod().update(shell.id(), json).await
        };
        let new =
            json!({"memory": {"limit": 60 << 20}, "pids": {"limit": 7}, "cpu": {"shares": 2048}});
        update(&shell, new).await.unwrap();
        let changed = "62914560; 7; max 100000; 174; = 0";
        assert_eq!(shell.ask(FILES).await, changed);
        // Nothing of what is refused is applied.
        let bad = json!({"pids": {"limit": 9}, "cpu": {"quota": 1}});
        let refused = update(&shell, bad).await.unwrap_err().to_string();
        assert!(
            refused.contains("cpu.quota") && refused.contains('1'),
            "{refused}"
        );
        assert_eq!(shell.ask(FILES).await, changed);
        throttles(&mut shell).await;
        // A shell that cannot fork says so and ends, so it is one of its own.
        let many = "(for n in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done)";
        let said = shell.ask(many).await;
        assert!(said.contains("can't fork"), "{said}");
        let stats = shell.pod().stats(&id).await.unwrap();
        let pids = stats.pids.unwrap();
        assert_eq!((pids.current, pids.limit), (6, Some(7)), "{said}");
        update(&shell, json!({"pids": {"limit": 40}}))
            .await
            .unwrap();
        assert_eq!(shell.ask("killall sleep").await, "= 0");
        // Only now: what the guest's kernel does for the container counts, too.
        let half = json!({"cpu": {"quota": 50_000, "period": 100_000}});
        update(&shell, half).await.unwrap();
        assert_eq!(
            shell.ask(FILES).await,
            "62914560; 40; 50000 100000; 174; = 0"
        );
        shell.tell("while :; do :; done &").await;
        until(&shell, |stats| stats.cpu.unwrap().throttled_periods > 0).await;
        update(&shell, json!({"cpu": {"quota": -1}})).await.unwrap();
        standstill(&mut shell).await;
        assert_eq!(shell.ask("kill $!").await, "= 0");
        figures(&mut shell).await;
        burn(&mut shell).await;
        clock(guest, &shell).await;
        shell.tell("exit 5").await;
        assert_eq!(shell.end().await.code, 5);
    });
}

/// R56: a rate that is changed, and one for a device that the guest does not have.
async fn throttles(shell: &mut Shell<'_>) {
    let update = async |shell: &Shell<'_>, minor: i64| {
        let throttle = json!([{"major": 254, "minor": minor, "rate": 1_000_000_000}]);
        let limits = json!({"pids": {"limit": 8}, "blockIO": {"throttleReadBpsDevice": throttle}});
        shell
            .pod()
            .update(shell.id(), limits.to_string().into_bytes())
            .await
    };
    let files = "cat /sys/fs/cgroup/io.max /sys/fs/cgroup/pids.max";
    let refused = update(shell, 4095).await.unwrap_err().to_string();
    let field = "linux.resources.blockIO.throttleReadBpsDevice[0]";
    assert!(
        refused.contains(field) && refused.contains("254:4095"),
        "{refused}"
    );
    assert_eq!(shell.ask(files).await, "7; = 0");
    update(shell, 0).await.unwrap();
    let throttled = "254:0 rbps=1000000000 wbps=max riops=max wiops=max; 8; = 0";
    assert_eq!(shell.ask(files).await, throttled);
    let back = json!({"pids": {"limit": 7}}).to_string().into_bytes();
    shell.pod().update(shell.id(), back).await.unwrap();
}

/// Asks for the figures until they are so.
async fn until(shell: &Shell<'_>, so: impl Fn(&Stats) -> bool) {
    let asking = async {
        while !so(&shell.pod().stats(shell.id()).await.unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(300);
    tokio::time::timeout(limit, asking).await.unwrap();
}

/// A loop that runs in the background uses no time while it is held, and some again afterwards.
async fn standstill(shell: &mut Shell<'_>) {
    let usage = async |shell: &Shell<'_>| {
        let stats = shell.pod().stats(shell.id()).await.unwrap();
        stats.cpu.unwrap().usage_us
    };
    shell.pod().pause(shell.id()).await.unwrap();
    let held = usage(shell).await;
    for _ in 0..5 {
        assert_eq!(usage(shell).await, held);
    }
    shell.pod().resume(shell.id()).await.unwrap();
    until(shell, |stats| stats.cpu.unwrap().usage_us > held).await;
    assert_eq!(shell.ask("echo on").await, "on; = 0");
}

/// R58: what a shell has used by its own account is what the container is said to have used, within 5 % and what it takes to
/// ask.
async fn burn(shell: &mut Shell<'_>) {
    const LOOP: &str = "i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done; times";
    let used = async |shell: &Shell<'_>| {
        let cpu = shell.pod().stats(shell.id()).await.unwrap().cpu.unwrap();
        assert!(cpu.user_us + cpu.system_us <= cpu.usage_us, "{cpu:?}");
        cpu.usage_us
    };
    let before = used(shell).await;
    let first = own_us(&shell.ask("times").await);
    let middle = used(shell).await;
    let burnt = own_us(&shell.ask(LOOP).await) - first;
    let after = used(shell).await;
    // The first question is what it takes to ask; the shell's figures are hundredths of a second, two of them each time.
    let (told, around) = (after - middle, middle - before + 40_000);
    assert!(burnt > around, "{burnt} us are no burn beside {around}");
    let twentieth = burnt / 20;
    assert!(
        told + around >= burnt - twentieth,
        "{told} us of {burnt}, {around} around it"
    );
    assert!(
        told <= burnt + twentieth + around,
        "{told} us of {burnt}, {around} around it"
    );
}

/// User and system time of a shell as its `times` writes them, as in "0m1.230s 0m0.040s".
fn own_us(said: &str) -> u64 {
    let line = said.split("; ").next().unwrap();
    let millis = |figure: &str| {
        let (minutes, seconds) = figure.trim_end_matches('s').split_once('m').unwrap();
        let (seconds, millis) = seconds.split_once('.').unwrap();
        let whole = minutes.parse::<u64>().unwrap() * 60 + seconds.parse::<u64>().unwrap();
        whole * 1000 + format!("{millis:0<3}").parse::<u64>().unwrap()
    };
    line.split(' ').map(millis).sum::<u64>() * 1000
}

/// R50: the guest's clock is not late by the time for which its machine stood still. Told by bounds: between two readings
/// it has gone on by no less than what lay between them on the host, and by no more than what lay around them.
async fn clock(guest: &Guest, shell: &Shell<'_>) {
    let read = async || {
        let asked = Instant::now();
        let at = shell.pod().stats(shell.id()).await.unwrap().read_at;
        (asked, at, Instant::now())
    };
    let (asked_first, first, told_first) = read().await;
    let machine = control(guest);
    machine.pause().await.unwrap();
    let stopped = Instant::now();
    tokio::time::sleep(STANDSTILL).await;
    let stopped = stopped.elapsed();
    machine.resume().await.unwrap();
    let (asked_second, second, told_second) = read().await;
    let passed = second.checked_sub(first).unwrap();
    let (least, most) = (asked_second - told_first, told_second - asked_first);
    assert!(least > stopped);
    // Two clocks differ by a few parts in a million.
    let slack = most / 1000;
    assert!(passed + slack >= least, "{passed:?} of {least:?}");
    assert!(passed <= most + slack, "{passed:?} of {most:?}");
}

async fn figures(shell: &mut Shell<'_>) {
    let write = "dd if=/dev/zero of=/file bs=65536 count=16 conv=fsync 2>/dev/null";
    assert_eq!(shell.ask(write).await, "= 0");
    let read = "dd if=/file of=/dev/null bs=65536 iflag=direct 2>/dev/null";
    assert_eq!(shell.ask(read).await, "= 0");
    let stats = shell.pod().stats(shell.id()).await.unwrap();
    let scratch = stats.io.iter().find(|io| io.written_bytes >= 1 << 20);
    let scratch = scratch.unwrap_or_else(|| panic!("{:?}", stats.io));
    assert!(scratch.writes > 0 && scratch.major > 0, "{scratch:?}");
    assert!(
        scratch.read_bytes >= 1 << 20 && scratch.reads > 0,
        "{scratch:?}"
    );
    let cpu = stats.cpu.unwrap();
    assert!(cpu.user_us > 0 && cpu.system_us > 0, "{cpu:?}");
    assert!(
        cpu.usage_us >= cpu.user_us && cpu.throttled_us > 0,
        "{cpu:?}"
    );
    let memory = stats.memory.unwrap();
    let missing: Vec<&str> = MEMORY
        .into_iter()
        .filter(|name| !memory.stat.contains_key(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {:?}", memory.stat);
    for name in ["low", "high", "max", "oom", "oom_kill"] {
        assert!(memory.events.contains_key(name), "{name}");
    }
    assert!(memory.current_bytes > 0 && memory.peak_bytes >= memory.current_bytes);
    assert!(stats.read_at > Duration::from_secs(1_700_000_000));
}
