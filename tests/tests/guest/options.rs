//! What `husk run`'s options and an image's configuration become inside: one container made from all of them.

use std::env;

use husk_sandbox::{
    images::{Accounts, ImageConfig, ImageSource},
    spec::{self, RunOptions, Security},
};
use husk_tests::guest::Guest;

const SCRIPT: &str = "\
echo $COLOUR $SHAPE; pwd;
grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status;
ulimit -n; ulimit -Hn;
cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni /sys/fs/cgroup/pids.max;
grep -E ' (/ram|/home/ann|/made/here) ' /proc/self/mountinfo | cut -d' ' -f5,6 | sort;
df -k /ram | tail -1 | tr -s ' ' | cut -d' ' -f2;
touch /etc/x && echo root is writable;
touch /home/ann/x && touch /made/here/x && touch /ram/x && ls /made/here /home/ann; ls /var";

/// The bounding set without SYS_ADMIN's neighbours: NET_ADMIN alone is bit 12.
const NET_ADMIN: &str = "0000000000001000";

pub(super) fn become_the_container(guest: &Guest) {
    let image = ImageConfig {
        env: vec!["COLOUR=red".to_owned(), "SHAPE=round".to_owned()],
        entrypoint: vec!["/bin/sh".to_owned(), "-c".to_owned()],
        cmd: vec!["exit 9".to_owned()],
        working_dir: "/var/new/dir".to_owned(),
        volumes: vec!["/made/here".to_owned(), "/home/ann".to_owned()],
        ..ImageConfig::default()
    };
    let options = RunOptions {
        args: vec![SCRIPT.to_owned()],
        hostname: "box".to_owned(),
        read_only: true,
        cap_add: vec!["net_admin".parse().unwrap()],
        cap_drop: vec!["ALL".parse().unwrap()],
        security: Security {
            no_new_privileges: true,
            ..Security::default()
        },
        tmpfs: vec!["/ram:size=512k,mode=1777".parse().unwrap()],
        ulimits: vec!["nofile=100:200".parse().unwrap()],
        sysctls: vec![
            "net.core.somaxconn=77".parse().unwrap(),
            "kernel.shmmni=55".parse().unwrap(),
        ],
        pids_limit: Some("33".parse().unwrap()),
        env: spec::env_file(b"COLOUR=blue\n").unwrap(),
        ..RunOptions::default()
    };
    let source = ImageSource::Oci(Box::new(image));
    let made = spec::container(&source, &Accounts::default(), &options, &|name| {
        env::var(name).ok()
    });
    let made = made.unwrap();
    let outcome = guest.run(&[], b"", |spec| *spec = made).unwrap();
    let text = outcome.text();
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "blue round",
        "/var/new/dir",
        &format!("CapEff:\t{NET_ADMIN}"),
        &format!("CapBnd:\t{NET_ADMIN}"),
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "100",
        "200",
        "77",
        "55",
        "33",
    ];
    assert_eq!(
        lines.get(..expected.len()),
        Some(&expected[..]),
        "{outcome:?}"
    );
    let rest = lines[expected.len()..].join("\n");
    assert!(rest.contains("/home/ann rw,"), "{rest}");
    assert!(rest.contains("/ram rw,nosuid,nodev,noexec"), "{rest}");
    assert!(rest.contains("\n512\n"), "size of the tmpfs: {rest}");
    assert!(!rest.contains("root is writable"), "{rest}");
    assert!(rest.contains("/made/here:\nx"), "{rest}");
    assert!(
        rest.contains("\nnew"),
        "working directory below /var: {rest}"
    );
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(stderr.contains("/etc/x: Read-only file system"), "{stderr}");
}
