//! The specification of one container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Capabilities, LinuxNamespaceType, Spec};
use serde_json::{Map, Value, json};

use super::command::command;
use super::defaults::{self, Paths, Privilege};
use super::environment::environment;
use super::error::SpecError;
use super::flags::{self, PidsLimit, SeccompChoice, Security};
use super::options::RunOptions;
use super::seccomp::default_profile;
use super::user::identity;
use crate::images::{Accounts, ImageConfig, ImageSource};

const VERSION: &str = "1.0.2";
/// Period of the CPU limit, in microseconds (the kernel's default).
const CPU_PERIOD_US: u64 = 100_000;
/// The kernel takes no quota below 1 ms a period.
const MIN_CPU_MILLIS: u32 = 10;
/// More CPUs than a machine can have.
const MAX_CPU_MILLIS: u32 = 32_000;
/// Docker's least: below that, no program starts.
const MIN_MEMORY_BYTES: u64 = 6 << 20;
const MAX_MEMORY_BYTES: u64 = 4 << 40;
/// Where the OCI image specification puts an image's stop signal.
const STOP_SIGNAL: &str = "org.opencontainers.image.stopSignal";
const MAX_HOSTNAME_BYTES: usize = 63;

/// The specification for an image and what was asked. `inherited` looks into the caller's own environment.
///
/// A bundle brings its own: options that would change it are refused; only its host name is filled in when missing.
///
/// # Errors
/// What was asked cannot be: each error names it.
pub fn container(
    source: &ImageSource,
    accounts: &Accounts,
    options: &RunOptions,
    inherited: &dyn Fn(&str) -> Option<String>,
) -> Result<Spec, SpecError> {
    hostname(&options.hostname)?;
    let none = ImageConfig::default();
    let image = match source {
        ImageSource::Bundle { spec, .. } => return bundle(spec, options),
        ImageSource::Oci(config) => config.as_ref(),
        ImageSource::RootFs => &none,
    };
    let user = match options.user.as_deref() {
        Some(user) => identity(user, accounts)?,
        None => identity(&image.user, accounts)
            .map_err(|error| SpecError::Invalid(format!("the image's config.User: {error}")))?,
    };
    let privilege = if user.uid == 0 {
        Privilege::Root
    } else {
        Privilege::User
    };
    let granted = flags::capabilities(&options.cap_add, &options.cap_drop);
    let mut process = json!({
        "terminal": options.terminal,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": user.groups},
        "args": command(image, options)?,
        "env": environment(image, options, &user.home, inherited)?,
        "cwd": working_dir(image, options)?,
        "capabilities": defaults::capabilities(privilege, &granted),
        "noNewPrivileges": options.security.no_new_privileges,
    });
    if !options.ulimits.is_empty() {
        process["rlimits"] = flags::rlimits(&options.ulimits);
    }
    let mut mounts = defaults::mounts();
    flags::with_tmpfs(&mut mounts, &options.tmpfs);
    flags::with_volumes(&mut mounts, &image.volumes)
        .map_err(|error| SpecError::Invalid(format!("the image's volumes: {error}")))?;
    let spec = json!({
        "ociVersion": VERSION,
        "root": {"path": "rootfs", "readonly": options.read_only},
        "hostname": options.hostname,
        "process": process,
        "mounts": mounts,
        "annotations": annotations(image, options),
        "linux": linux(options, &granted)?,
    });
    Ok(serde_json::from_value(spec)?)
}

fn linux(options: &RunOptions, granted: &Capabilities) -> Result<Map<String, Value>, SpecError> {
    let paths = if options.security.paths_unconfined {
        Paths::Unconfined
    } else {
        Paths::Confined
    };
    let mut linux = defaults::linux(paths);
    linux.insert("resources".to_owned(), resources(options)?);
    if !options.sysctls.is_empty() {
        linux.insert("sysctl".to_owned(), flags::sysctls(&options.sysctls));
    }
    let profile = match &options.security.seccomp {
        SeccompChoice::Unconfined => return Ok(linux),
        SeccompChoice::Default => default_profile(granted),
        SeccompChoice::Profile { file, content } => {
            let file = file.display();
            let invalid =
                |error| SpecError::Invalid(format!("--security-opt seccomp={file}: {error}"));
            flags::seccomp_profile(content, granted).map_err(invalid)?
        }
    };
    linux.insert("seccomp".to_owned(), profile);
    Ok(linux)
}

/// Labels and the stop signal, where the image specification puts them ("conversion").
fn annotations(image: &ImageConfig, options: &RunOptions) -> BTreeMap<String, String> {
    let mut annotations = image.labels.clone();
    annotations.extend(options.labels.iter().cloned());
    if let Some(signal) = &image.stop_signal {
        annotations.insert(STOP_SIGNAL.to_owned(), signal.clone());
    }
    annotations
}

fn bundle(spec: &Spec, options: &RunOptions) -> Result<Spec, SpecError> {
    let given = [
        ("a command", !options.args.is_empty()),
        ("--entrypoint", options.entrypoint.is_some()),
        ("--env", !options.env.is_empty()),
        ("--user", options.user.is_some()),
        ("--workdir", options.working_dir.is_some()),
        ("--read-only", options.read_only),
        ("--cpus", options.cpu_millis.is_some()),
        ("--memory", options.memory_bytes.is_some()),
        ("--cap-add", !options.cap_add.is_empty()),
        ("--cap-drop", !options.cap_drop.is_empty()),
        ("--security-opt", options.security != Security::default()),
        ("--tmpfs", !options.tmpfs.is_empty()),
        ("--ulimit", !options.ulimits.is_empty()),
        ("--sysctl", !options.sysctls.is_empty()),
        ("--pids-limit", options.pids_limit.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
        return Err(SpecError::BundleOption(name));
    }
    let mut spec = spec.clone();
    let namespaces = spec.linux().iter().flat_map(|linux| linux.namespaces());
    let has_uts = namespaces
        .flatten()
        .any(|namespace| namespace.typ() == LinuxNamespaceType::Uts);
    if spec.hostname().is_none() && has_uts {
        spec.set_hostname(Some(options.hostname.clone()));
    }
    Ok(spec)
}

fn hostname(name: &str) -> Result<(), SpecError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let length = (1..=MAX_HOSTNAME_BYTES).contains(&name.len());
    if !length || !name.bytes().all(fits) || name.starts_with(['-', '.']) {
        return Err(SpecError::Hostname(name.to_owned()));
    }
    Ok(())
}

/// The caller's must be absolute; an image's relative one counts from the root, as with Docker.
fn working_dir(image: &ImageConfig, options: &RunOptions) -> Result<PathBuf, SpecError> {
    let dir = match &options.working_dir {
        Some(dir) if !dir.starts_with('/') => return Err(SpecError::WorkingDir(dir.into())),
        Some(dir) => PathBuf::from(dir),
        None => Path::new("/").join(&image.working_dir),
    };
    if dir.to_string_lossy().contains('\0') {
        return Err(match &options.working_dir {
            Some(_) => SpecError::WorkingDir(dir),
            None => SpecError::Invalid(format!(
                "the image's config.WorkingDir {:?} holds a NUL byte",
                image.working_dir
            )),
        });
    }
    Ok(dir)
}

fn resources(options: &RunOptions) -> Result<Value, SpecError> {
    // No device rules: then the agent allows the nodes that every engine makes, and nothing else.
    let mut resources = Map::new();
    if let Some(millis) = options.cpu_millis {
        if !(MIN_CPU_MILLIS..=MAX_CPU_MILLIS).contains(&millis) {
            let (min, max) = (MIN_CPU_MILLIS.into(), MAX_CPU_MILLIS.into());
            return Err(SpecError::Cpus {
                given: millis.into(),
                min,
                max,
            });
        }
        let quota = u64::from(millis) * CPU_PERIOD_US / 1000;
        resources.insert(
            "cpu".to_owned(),
            json!({"quota": quota, "period": CPU_PERIOD_US}),
        );
    }
    if let Some(bytes) = options.memory_bytes {
        if !(MIN_MEMORY_BYTES..=MAX_MEMORY_BYTES).contains(&bytes) {
            let (min, max) = (MIN_MEMORY_BYTES, MAX_MEMORY_BYTES);
            return Err(SpecError::Memory {
                given: bytes,
                min,
                max,
            });
        }
        resources.insert("memory".to_owned(), json!({"limit": bytes, "swap": bytes}));
    }
    if let Some(PidsLimit(Some(limit))) = options.pids_limit {
        resources.insert("pids".to_owned(), json!({"limit": limit}));
    }
    Ok(Value::Object(resources))
}
