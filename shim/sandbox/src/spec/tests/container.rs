//! The whole specification.

use std::path::Path;

use oci_spec::runtime::{Capability, Spec};
use serde_json::{Value, json};

use super::super::{EnvOption, RunOptions, SpecError, container};
use crate::images::{Accounts, ImageConfig, ImageSource};

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn image() -> ImageConfig {
    ImageConfig {
        env: words(&["PATH=/bin", "A=image", "B=image", "NOVALUE"]),
        entrypoint: words(&["/entry", "-x"]),
        cmd: words(&["default"]),
        working_dir: "srv".to_owned(),
        ..ImageConfig::default()
    }
}

fn options() -> RunOptions {
    RunOptions {
        hostname: "box".to_owned(),
        ..RunOptions::default()
    }
}

fn build(image: ImageConfig, options: &RunOptions) -> Result<Spec, SpecError> {
    let source = ImageSource::Oci(Box::new(image));
    let host = |name: &str| (name == "FROM_HOST").then(|| "host".to_owned());
    container(&source, &Accounts::default(), options, &host)
}

fn args(image: ImageConfig, options: &RunOptions) -> Vec<String> {
    build(image, options)
        .unwrap()
        .process()
        .as_ref()
        .unwrap()
        .args()
        .clone()
        .unwrap()
}

#[test]
fn command_follows_entrypoint_and_cmd() {
    let given = |entrypoint: Option<&str>, list: &[&str]| RunOptions {
        entrypoint: entrypoint.map(str::to_owned),
        args: words(list),
        ..options()
    };
    assert_eq!(
        args(image(), &given(None, &[])),
        ["/entry", "-x", "default"]
    );
    assert_eq!(
        args(image(), &given(None, &["a", "b"])),
        ["/entry", "-x", "a", "b"]
    );
    assert_eq!(args(image(), &given(Some("sh"), &[])), ["sh"]);
    assert_eq!(
        args(image(), &given(Some("sh"), &["-c", "x"])),
        ["sh", "-c", "x"]
    );
    assert_eq!(args(image(), &given(Some(""), &["only"])), ["only"]);
    let none = build(image(), &given(Some(""), &[])).unwrap_err();
    assert!(matches!(none, SpecError::NoCommand));
    let cmd_only = ImageConfig {
        entrypoint: Vec::new(),
        ..image()
    };
    assert_eq!(args(cmd_only, &given(None, &[])), ["default"]);
    let nul = build(image(), &given(None, &["a\0b"])).unwrap_err();
    assert!(nul.to_string().contains("holds a NUL byte"), "{nul}");
}

#[test]
fn environment_is_layered() {
    let options = RunOptions {
        env: vec![
            EnvOption::Set("B".to_owned(), "given".to_owned()),
            EnvOption::Inherit("FROM_HOST".to_owned()),
            EnvOption::Inherit("NOT_THERE".to_owned()),
            EnvOption::Set("EMPTY".to_owned(), String::new()),
        ],
        terminal: true,
        ..options()
    };
    let spec = build(image(), &options).unwrap();
    let env = spec.process().as_ref().unwrap().env().clone().unwrap();
    let expected = [
        "PATH=/bin",
        "HOSTNAME=box",
        "TERM=xterm",
        "A=image",
        "B=given",
        "FROM_HOST=host",
        "EMPTY=",
        "HOME=/",
    ];
    assert_eq!(env, expected);
    for name in ["", "A=B", "N\0"] {
        let env = vec![EnvOption::Set(name.to_owned(), String::new())];
        let refused = build(
            image(),
            &RunOptions {
                env,
                ..options.clone()
            },
        )
        .unwrap_err();
        assert!(matches!(refused, SpecError::Variable(_)), "{name:?}");
    }
}

#[test]
fn working_directory_is_absolute() {
    let cwd = |options: &RunOptions| {
        build(image(), options).map(|spec| spec.process().as_ref().unwrap().cwd().clone())
    };
    assert_eq!(cwd(&options()).unwrap(), Path::new("/srv"));
    let given = |dir: &str| RunOptions {
        working_dir: Some(dir.to_owned()),
        ..options()
    };
    assert_eq!(cwd(&given("/x/y")).unwrap(), Path::new("/x/y"));
    assert!(matches!(
        cwd(&given("x")).unwrap_err(),
        SpecError::WorkingDir(_)
    ));
}

#[test]
fn defaults_are_those_of_engines() {
    let limits = RunOptions {
        cpu_millis: Some(1500),
        memory_bytes: Some(64 << 20),
        read_only: true,
        ..options()
    };
    let spec = serde_json::to_value(build(image(), &limits).unwrap()).unwrap();
    assert_eq!(spec["root"], json!({"path": "rootfs", "readonly": true}));
    assert_eq!(spec["hostname"], "box");
    let destinations: Vec<&Value> = spec["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| &mount["destination"])
        .collect();
    let expected = [
        "/proc",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/mqueue",
        "/dev/shm",
    ];
    assert_eq!(destinations, expected);
    let linux = &spec["linux"];
    assert_eq!(linux["namespaces"].as_array().unwrap().len(), 6);
    assert_eq!(linux["maskedPaths"].as_array().unwrap().len(), 11);
    assert_eq!(linux["readonlyPaths"].as_array().unwrap().len(), 5);
    assert_eq!(
        linux["resources"]["cpu"],
        json!({"quota": 150_000, "period": 100_000})
    );
    assert_eq!(linux["resources"]["memory"]["limit"], 64 << 20);
    assert_eq!(linux["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
    // CAP_SYS_CHROOT is among the capabilities.
    let calls = linux["seccomp"]["syscalls"][0]["names"].as_array().unwrap();
    assert!(calls.contains(&json!("chroot")) && !calls.contains(&json!("mount")));
    assert_eq!(spec["process"]["rlimits"], Value::Null);
    assert_eq!(spec["process"]["noNewPrivileges"], false);
}

#[test]
fn capabilities_are_effective_for_root_only() {
    let caps = |user: &str| {
        let options = RunOptions {
            user: Some(user.to_owned()),
            ..options()
        };
        let spec = build(image(), &options).unwrap();
        spec.process()
            .as_ref()
            .unwrap()
            .capabilities()
            .clone()
            .unwrap()
    };
    let root = caps("0");
    assert_eq!(root.bounding().as_ref().unwrap().len(), 14);
    assert!(
        root.effective()
            .as_ref()
            .unwrap()
            .contains(&Capability::Chown)
    );
    assert!(
        !root
            .bounding()
            .as_ref()
            .unwrap()
            .contains(&Capability::SysAdmin)
    );
    let user = caps("1000");
    assert_eq!(user.bounding().as_ref().unwrap().len(), 14);
    assert!(user.effective().as_ref().is_none_or(|set| set.is_empty()));
    assert!(user.permitted().as_ref().is_none_or(|set| set.is_empty()));
}

#[test]
fn host_names_are_checked() {
    for name in ["", "-x", "a b", "a/b", &"x".repeat(64)] {
        let options = RunOptions {
            hostname: name.to_owned(),
            ..RunOptions::default()
        };
        assert!(
            matches!(build(image(), &options), Err(SpecError::Hostname(_))),
            "{name:?}"
        );
    }
}

#[test]
fn bundle_keeps_its_specification() {
    let spec: Spec = serde_json::from_value(json!({
        "ociVersion": "1.0.2", "root": {"path": "rootfs"},
        "process": {"user": {"uid": 1, "gid": 2}, "args": ["x"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "uts"}]},
    }))
    .unwrap();
    let source = ImageSource::Bundle {
        spec: Box::new(spec.clone()),
        unknown: Vec::new(),
    };
    let made = |options: &RunOptions| container(&source, &Accounts::default(), options, &|_| None);
    let kept = made(&options()).unwrap();
    assert_eq!(kept.process(), spec.process());
    assert_eq!(kept.hostname().as_deref(), Some("box"));
    let refused = made(&RunOptions {
        user: Some("root".to_owned()),
        ..options()
    })
    .unwrap_err();
    assert!(refused.to_string().contains("--user"), "{refused}");
}

#[test]
fn bad_field_of_an_image_is_named_as_its_own() {
    let refused = |change: fn(&mut ImageConfig), wanted: &str| {
        let mut image = image();
        change(&mut image);
        let said = build(image, &options()).unwrap_err().to_string();
        assert!(said.starts_with(wanted), "{said}");
    };
    refused(
        |image| image.env.push("=x".to_owned()),
        "the image's config.Env[4] \"=x\" has no valid name",
    );
    refused(
        |image| image.env[1] = "A=\0".to_owned(),
        "the image's config.Env[1] \"A=\\0\"",
    );
    refused(
        |image| image.cmd.push("a\0".to_owned()),
        "the image's config.Cmd[1] \"a\\0\" holds a NUL byte",
    );
    refused(
        |image| image.entrypoint[0] = "\0".to_owned(),
        "the image's config.Entrypoint[0] \"\\0\" holds a NUL byte",
    );
    refused(
        |image| image.working_dir = "\0".to_owned(),
        "the image's config.WorkingDir \"\\0\" holds a NUL byte",
    );
    refused(
        |image| image.user = "nobody-here".to_owned(),
        "the image's config.User: unknown user \"nobody-here\"",
    );
}

#[test]
fn variable_without_a_value_is_told() {
    let source = ImageSource::Oci(Box::new(image()));
    let told = "the image's config.Env[3] \"NOVALUE\" is ignored: it has no value";
    assert_eq!(source.ignored(), [told]);
    assert!(ImageSource::RootFs.ignored().is_empty());
}
