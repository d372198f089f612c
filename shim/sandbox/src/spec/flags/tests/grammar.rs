//! Texts.

use std::fmt::Debug;
use std::path::Path;
use std::str::FromStr;

use proptest::collection::vec;
use proptest::prelude::{any, proptest};

use super::super::{
    CapabilityName, EnvOption, PidsLimit, SeccompChoice, Security, SecurityOption, Sysctl, Tmpfs,
    Ulimit, env_file, label,
};

fn assert_refused<T: FromStr<Err = String> + Debug>(cases: &[(&str, &str)]) {
    for (text, words) in cases {
        let said = text.parse::<T>().unwrap_err();
        assert!(said.contains(words), "{text}: {said}");
    }
}

fn assert_taken<T: FromStr<Err = String> + Debug>(cases: &[&str]) {
    for text in cases {
        text.parse::<T>().unwrap();
    }
}

#[test]
fn capabilities_have_two_names_and_any_case() {
    let one: CapabilityName = "CAP_NET_ADMIN".parse().unwrap();
    assert_eq!(one, "net_admin".parse().unwrap());
    assert_eq!("all".parse(), Ok(CapabilityName::All));
    assert_refused::<CapabilityName>(&[
        ("CAP_", "unknown capability \"CAP_\""),
        ("CAP_ALL", "\"CAP_ALL\""),
        ("CAP_FLY", "\"CAP_FLY\""),
    ]);
}

#[test]
fn limits_are_a_name_and_one_or_two_numbers() {
    assert_taken::<Ulimit>(&[
        "nofile=1",
        "nofile=1:2",
        "core=-1",
        "cpu=0:-1",
        "stack=unlimited",
    ]);
    assert_refused::<Ulimit>(&[
        ("nofile", "\"nofile\" is not NAME=SOFT[:HARD]"),
        ("files=1", "unknown limit \"files\""),
        ("NOFILE=1", "unknown limit \"NOFILE\""),
        ("nofile=", "\"nofile=\""),
        ("nofile=1:", "\"nofile=1:\""),
        ("nofile=-2", "\"nofile=-2\""),
        ("nofile=1:2:3", "\"nofile=1:2:3\""),
        (
            "nofile=2:1",
            "the soft limit of \"nofile=2:1\" is above its hard limit",
        ),
        ("nofile=-1:5", "above its hard limit"),
        ("nofile=99999999999999999999", "is not NAME=SOFT"),
    ]);
}

#[test]
fn kernel_parameters_are_those_of_namespaces() {
    assert_taken::<Sysctl>(&[
        "net.core.somaxconn=1024",
        "net.ipv4.conf.eth0-1.forwarding=1",
        "kernel.shmmax=1",
        "fs.mqueue.msg_max=10",
        "net.ipv4.ip_local_port_range=1024 65000",
    ]);
    assert_refused::<Sysctl>(&[
        ("net.core.somaxconn", "is not NAME=VALUE"),
        ("net.core.somaxconn=", "is not NAME=VALUE"),
        ("net..core=1", "is not NAME=VALUE"),
        ("net/../../kernel/x=1", "is not NAME=VALUE"),
        ("net.core.x=1\n2", "is not NAME=VALUE"),
        (
            "vm.swappiness=1",
            "\"vm.swappiness\" belongs to no namespace",
        ),
        ("kernel.shmmaxx=1", "belongs to no namespace"),
    ]);
}

#[test]
fn numbers_of_processes_are_positive_or_no_limit() {
    assert_eq!("-1".parse(), Ok(PidsLimit(None)));
    assert_eq!("0".parse(), Ok(PidsLimit(None)));
    assert_eq!("100".parse(), Ok(PidsLimit(Some(100))));
    assert_refused::<PidsLimit>(&[
        ("-2", "\"-2\""),
        ("x", "\"x\""),
        ("", "\"\""),
        ("9999999", "\"9999999\""),
    ]);
}

#[test]
fn file_systems_in_memory_have_a_path_and_options() {
    assert_taken::<Tmpfs>(&[
        "/a",
        "/a:",
        "/a/b:rw,size=1m,mode=1777,uid=0,gid=1,nr_inodes=10k",
        "/a:size=50%",
    ]);
    assert_refused::<Tmpfs>(&[
        ("a", "mount point \"a\" is no absolute path"),
        ("/a/../b", "mount point \"/a/../b\""),
        ("/", "mount point \"/\" is the root itself"),
        ("//.", "is the root itself"),
        ("", "mount point \"\""),
        ("/a:bind", "unknown option \"bind\" of tmpfs \"/a\""),
        ("/a:size=", "unknown option \"size=\""),
        ("/a:size=1t", "unknown option \"size=1t\""),
        ("/a:mode=9", "unknown option \"mode=9\""),
        ("/a:mode=777777", "unknown option"),
        ("/a:uid=-1", "unknown option \"uid=-1\""),
        ("/a:uid=4294967296", "unknown option"),
        ("/a:size=1,upperdir=/x", "unknown option \"upperdir=/x\""),
    ]);
}

#[test]
fn security_options_are_named() {
    for (text, expected) in [
        ("seccomp=unconfined", SecurityOption::SeccompUnconfined),
        ("seccomp:unconfined", SecurityOption::SeccompUnconfined),
        ("seccomp=/a=b", SecurityOption::SeccompFile("/a=b".into())),
        ("no-new-privileges", SecurityOption::NoNewPrivileges(true)),
        (
            "no-new-privileges:true",
            SecurityOption::NoNewPrivileges(true),
        ),
        (
            "no-new-privileges=false",
            SecurityOption::NoNewPrivileges(false),
        ),
        ("systempaths=unconfined", SecurityOption::PathsUnconfined),
        ("apparmor=unconfined", SecurityOption::WithoutLabels),
        ("label:disable", SecurityOption::WithoutLabels),
    ] {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
    assert_refused::<SecurityOption>(&[
        (
            "apparmor=docker-default",
            "\"apparmor=docker-default\": the guest's kernel has no AppArmor",
        ),
        (
            "apparmor",
            "\"apparmor\": the guest's kernel has no AppArmor",
        ),
        (
            "label=type:t",
            "\"label=type:t\": the guest's kernel has no SELinux",
        ),
        ("seccomp=", "\"seccomp=\" is none of"),
        ("no-new-privileges=maybe", "\"no-new-privileges=maybe\""),
        ("seccomp", "\"seccomp\""),
    ]);
}

#[test]
fn last_security_option_of_a_kind_counts() {
    let options: Vec<SecurityOption> = [
        "no-new-privileges",
        "seccomp=/p",
        "seccomp=unconfined",
        "no-new-privileges=0",
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect();
    let read = |path: &Path| Ok::<_, ()>(path.to_str().unwrap().into());
    let security = Security::new(&options[..2], read).unwrap();
    assert!(security.no_new_privileges);
    let profile = SeccompChoice::Profile {
        file: "/p".into(),
        content: b"/p".to_vec(),
    };
    assert_eq!(security.seccomp, profile);
    let security = Security::new(&options, read).unwrap();
    assert_eq!(
        (security.seccomp, security.no_new_privileges),
        (SeccompChoice::Unconfined, false)
    );
    assert_eq!(Security::new(&options, |_| Err("gone")), Err("gone"));
}

#[test]
fn labels_have_a_name() {
    assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    assert_eq!(label("a"), Ok(("a".to_owned(), String::new())));
    assert!(label("=b").unwrap_err().contains("\"=b\" has no name"));
}

#[test]
fn env_files_are_read_line_by_line() {
    let set = |name: &str, value: &str| EnvOption::Set(name.to_owned(), value.to_owned());
    let text = b"\xef\xbb\xbfA=1\n# comment\n\n  B=two words \r\nC\nD=\"quoted\"=#\nE=";
    let expected = vec![
        set("A", "1"),
        set("B", "two words "),
        EnvOption::Inherit("C".to_owned()),
        set("D", "\"quoted\"=#"),
        set("E", ""),
    ];
    assert_eq!(env_file(text), Ok(expected));
    for (text, words) in [
        (
            b"A=1\n=2\n".as_slice(),
            "line 2: no variable name in \"=2\"",
        ),
        (b"A B=1", "line 1: variable \"A B\" contains whitespace"),
        (b"A=1\nB=\xff", "line 2 is not UTF-8"),
    ] {
        assert!(env_file(text).unwrap_err().contains(words));
    }
}

proptest! {
    #[test]
    fn texts_of_any_kind_are_answered(text in any::<String>(), shaped in "[a-z/=:,.%0-9-]{0,30}") {
        for text in [&text, &shaped] {
            let _ = text.parse::<CapabilityName>();
            let _ = text.parse::<Ulimit>();
            let _ = text.parse::<Sysctl>();
            let _ = text.parse::<PidsLimit>();
            let _ = text.parse::<SecurityOption>();
            let _ = label(text);
            if let Ok(tmpfs) = text.parse::<Tmpfs>() {
                let shown = format!("{tmpfs:?}");
                assert!(!shown.contains("/../") && !shown.contains("path: \"/\""), "{shown}");
            }
        }
    }

    #[test]
    fn env_files_of_any_kind_give_valid_names(content in vec(any::<u8>(), 0..200)) {
        for option in env_file(&content).unwrap_or_default() {
            let (EnvOption::Set(name, _) | EnvOption::Inherit(name)) = option;
            assert!(!name.is_empty() && !name.contains(['=', '\n', ' ']));
        }
    }
}
