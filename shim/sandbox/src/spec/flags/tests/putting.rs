//! What ends up in a specification.

use oci_spec::runtime::{Capability, PosixRlimitType, Spec};

use super::super::super::{RunOptions, SpecError, container};
use super::super::{CapabilityName, SeccompChoice, Security, Tmpfs, Ulimit};
use crate::images::{Accounts, ImageConfig, ImageSource};

fn build_with(image: ImageConfig, options: RunOptions) -> Result<Spec, SpecError> {
    let options = RunOptions {
        hostname: "box".to_owned(),
        args: vec!["x".to_owned()],
        ..options
    };
    let source = ImageSource::Oci(Box::new(image));
    container(&source, &Accounts::default(), &options, &|_| None)
}

fn build(options: RunOptions) -> Spec {
    build_with(ImageConfig::default(), options).unwrap()
}

fn names(list: &[&str]) -> Vec<CapabilityName> {
    list.iter().map(|name| name.parse().unwrap()).collect()
}

fn bounding(add: &[&str], drop: &[&str]) -> Vec<Capability> {
    let spec = build(RunOptions {
        cap_add: names(add),
        cap_drop: names(drop),
        ..RunOptions::default()
    });
    let process = spec.process().as_ref().unwrap();
    let sets = process.capabilities().as_ref().unwrap();
    let bounding = sets.bounding().clone().unwrap();
    assert_eq!(sets.effective().as_ref(), Some(&bounding));
    assert_eq!(sets.permitted().as_ref(), Some(&bounding));
    bounding.into_iter().collect()
}

#[test]
fn capabilities_are_changed_by_dockers_rules() {
    assert_eq!(bounding(&[], &[]).len(), 14);
    assert_eq!(bounding(&["ALL"], &[]).len(), 41);
    assert_eq!(bounding(&[], &["ALL"]), []);
    assert_eq!(bounding(&["NET_ADMIN"], &["all"]), [Capability::NetAdmin]);
    let all_but = bounding(&["ALL"], &["SYS_ADMIN", "CHOWN"]);
    assert_eq!(all_but.len(), 39);
    let changed = bounding(&["SYS_TIME"], &["CAP_CHOWN"]);
    assert!(changed.contains(&Capability::SysTime) && !changed.contains(&Capability::Chown));
    // Docker gives what is both added and dropped.
    assert!(bounding(&["CHOWN"], &["CHOWN"]).contains(&Capability::Chown));
}

#[test]
fn limits_and_parameters_take_their_places() {
    let spec = build(RunOptions {
        ulimits: ["nofile=1:2", "core=-1", "nofile=3:4"]
            .iter()
            .map(|text| text.parse::<Ulimit>().unwrap())
            .collect(),
        sysctls: vec!["net.core.somaxconn=9".parse().unwrap()],
        pids_limit: Some("55".parse().unwrap()),
        ..RunOptions::default()
    });
    let rlimits = spec.process().as_ref().unwrap().rlimits().clone().unwrap();
    let found: Vec<_> = rlimits
        .iter()
        .map(|limit| (limit.typ(), limit.soft(), limit.hard()))
        .collect();
    assert_eq!(
        found,
        [
            (PosixRlimitType::RlimitCore, u64::MAX, u64::MAX),
            (PosixRlimitType::RlimitNofile, 3, 4)
        ]
    );
    let linux = spec.linux().as_ref().unwrap();
    assert_eq!(linux.sysctl().as_ref().unwrap()["net.core.somaxconn"], "9");
    let pids = linux.resources().as_ref().unwrap().pids().as_ref().unwrap();
    assert_eq!(pids.limit(), 55);
}

fn mount<'a>(spec: &'a Spec, path: &str) -> Vec<&'a oci_spec::runtime::Mount> {
    let mounts = spec.mounts().as_ref().unwrap();
    let there = mounts
        .iter()
        .filter(|mount| mount.destination().to_str() == Some(path));
    there.collect()
}

#[test]
fn file_systems_in_memory_replace_defaults() {
    let spec = build(RunOptions {
        tmpfs: ["/dev/shm:size=1m,exec", "//run/./x/"]
            .iter()
            .map(|text| text.parse::<Tmpfs>().unwrap())
            .collect(),
        ..RunOptions::default()
    });
    let [shm] = mount(&spec, "/dev/shm")[..] else {
        panic!("{:?}", spec.mounts());
    };
    let options = shm.options().clone().unwrap();
    assert_eq!(options, ["rw", "nosuid", "nodev", "size=1m", "exec"]);
    assert_eq!(mount(&spec, "/run/x").len(), 1);
}

#[test]
fn volumes_of_an_image_are_mounted_but_where_something_is() {
    let image = |volumes: &[&str]| ImageConfig {
        volumes: volumes.iter().map(|path| (*path).to_owned()).collect(),
        ..ImageConfig::default()
    };
    let options = RunOptions {
        tmpfs: vec!["/cache".parse().unwrap()],
        read_only: true,
        ..RunOptions::default()
    };
    let spec = build_with(image(&["/data/inner", "/data", "/cache", "/data"]), options).unwrap();
    let kinds: Vec<_> = spec
        .mounts()
        .as_ref()
        .unwrap()
        .iter()
        .filter(|mount| mount.typ().as_deref() == Some("volume"))
        .map(|mount| mount.destination().to_str().unwrap())
        .collect();
    assert_eq!(kinds, ["/data", "/data/inner"]);
    assert_eq!(mount(&spec, "/cache").len(), 1);
    for wrong in ["data", "/a/../b", "/"] {
        let said = build_with(image(&[wrong]), RunOptions::default()).unwrap_err();
        assert!(
            said.to_string()
                .contains("the image's volumes: mount point"),
            "{said}"
        );
    }
}

#[test]
fn labels_and_the_stop_signal_become_annotations() {
    let image = ImageConfig {
        labels: [
            ("a".to_owned(), "image".to_owned()),
            ("b".to_owned(), "b".to_owned()),
        ]
        .into(),
        stop_signal: Some("SIGQUIT".to_owned()),
        ..ImageConfig::default()
    };
    let options = RunOptions {
        labels: vec![("a".to_owned(), "mine".to_owned())],
        ..RunOptions::default()
    };
    let spec = build_with(image, options).unwrap();
    let annotations = spec.annotations().as_ref().unwrap();
    assert_eq!(
        (annotations["a"].as_str(), annotations["b"].as_str()),
        ("mine", "b")
    );
    assert_eq!(
        annotations["org.opencontainers.image.stopSignal"],
        "SIGQUIT"
    );
}

#[test]
fn security_reaches_the_specification() {
    let spec = build(RunOptions {
        security: Security {
            seccomp: profile(br#"{"defaultAction": "SCMP_ACT_ALLOW"}"#),
            no_new_privileges: true,
            paths_unconfined: true,
        },
        ..RunOptions::default()
    });
    assert_eq!(
        spec.process().as_ref().unwrap().no_new_privileges(),
        Some(true)
    );
    let linux = spec.linux().as_ref().unwrap();
    assert!(linux.seccomp().is_some());
    assert!(linux.masked_paths().as_ref().is_none_or(Vec::is_empty));
    assert!(linux.readonly_paths().as_ref().is_none_or(Vec::is_empty));
}

fn profile(content: &[u8]) -> SeccompChoice {
    SeccompChoice::Profile {
        file: "/p.json".into(),
        content: content.to_vec(),
    }
}

#[test]
fn broken_profile_names_its_file_and_what_is_wrong() {
    for (content, wrong) in [
        ("", "no JSON: EOF while parsing a value"),
        ("{", "no JSON: EOF while parsing an object"),
        ("{} x", "no JSON: trailing characters"),
        ("[]", "an array, [...], where a profile is an object, {...}"),
        ("7", "a number where a profile is an object"),
        ("{}", "missing field `defaultAction`"),
        (
            r#"{"defaultAction": 1}"#,
            "defaultAction: invalid type: integer `1`, expected a string",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_SHRUG"}"#,
            "defaultAction: unknown variant `SCMP_ACT_SHRUG`",
        ),
    ] {
        let broken = RunOptions {
            security: Security {
                seccomp: profile(content.as_bytes()),
                ..Security::default()
            },
            ..RunOptions::default()
        };
        let error = build_with(ImageConfig::default(), broken).unwrap_err();
        let said = error.to_string();
        let begin = format!("--security-opt seccomp=/p.json: {wrong}");
        assert!(said.starts_with(&begin), "{content}: {said}");
    }
}

#[test]
fn system_calls_are_limited_unless_somebody_asks() {
    let seccomp = |seccomp: SeccompChoice| {
        let spec = build(RunOptions {
            security: Security {
                seccomp,
                ..Security::default()
            },
            ..RunOptions::default()
        });
        spec.linux().as_ref().unwrap().seccomp().clone()
    };
    let default = seccomp(SeccompChoice::Default).unwrap();
    assert!(
        default
            .syscalls()
            .as_ref()
            .is_some_and(|rules| rules.len() > 2)
    );
    assert_eq!(seccomp(SeccompChoice::Unconfined), None);
}

#[test]
fn bundles_take_none_of_them() {
    let source = ImageSource::Bundle {
        spec: Box::new(build(RunOptions::default())),
        unknown: Vec::new(),
    };
    let options = RunOptions {
        hostname: "box".to_owned(),
        cap_drop: vec![CapabilityName::All],
        ..RunOptions::default()
    };
    let said = container(&source, &Accounts::default(), &options, &|_| None).unwrap_err();
    assert!(said.to_string().contains("--cap-drop"), "{said}");
}
