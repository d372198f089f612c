//! Makes the host's specification fit the guest: a pure function, so that each rule has a test.
//!
//! Nothing is dropped silently: a field is applied, refused by name, or taken out with a warning.

mod fields;
mod known;
mod mappings;
mod mounts;
mod namespaces;
mod path;
mod scheduler;
mod sysctls;

use std::path::Path;

use oci_spec::runtime::{
    LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, LinuxResources, Process,
    RootBuilder, Spec, User,
};
use serde::de::DeserializeOwned;

use self::known::Fields;
pub(super) use self::namespaces::{Kinds, join};
use super::{error::ContainerError, users::Identity};
use crate::seccomp::{Profile, Program, compile};

/// The helper makes the network namespace, brings its loopback up, and libcontainer finds itself in it.
const OWN_NETWORK: &str = "/proc/self/ns/net";

/// Where the container lives in the guest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) rootfs: &'a Path,
    pub(super) cgroup: &'a Path,
    /// There is nowhere to keep writes.
    pub(super) read_only: bool,
    /// What is the pod's and not the container's own.
    pub(super) shared: Kinds,
}

/// A specification that fits, and what was taken out of it.
#[derive(Debug)]
pub(super) struct Adapted {
    pub(super) spec: Spec,
    /// What the container may use: the agent sets it.
    pub(super) resources: Option<LinuxResources>,
    /// Kernel parameters of the container's network: the helper sets them.
    pub(super) net_sysctls: Vec<(String, String)>,
    /// The container's system call filter: the helper loads it.
    pub(super) filter: Option<Program>,
    pub(super) warnings: Vec<String>,
}

/// Reads `config.json` and fits it to its place.
pub(super) fn adapt(json: &[u8], place: Place<'_>) -> Result<Adapted, ContainerError> {
    fit(json, place).map_err(in_one_line)
}

/// Longest text of an error: it may quote what came from outside.
const MOST_LETTERS: usize = 600;

/// Texts quote what came from outside, and a message is one line.
fn in_one_line(error: ContainerError) -> ContainerError {
    let plain = |text: String| -> String {
        text.chars()
            .take(MOST_LETTERS)
            .map(|letter| match letter {
                letter if letter.is_control() => letter.escape_default().to_string(),
                letter => letter.to_string(),
            })
            .collect()
    };
    match error {
        ContainerError::Invalid(text) => ContainerError::Invalid(plain(text)),
        ContainerError::Unsupported(text) => ContainerError::Unsupported(plain(text)),
        other => other,
    }
}

fn fit(json: &[u8], place: Place<'_>) -> Result<Adapted, ContainerError> {
    let mut warnings = Vec::new();
    let mut spec: Spec = read("specification", json, &known::SPEC, &mut warnings)?;
    namespaces::ask(&mut spec, place.shared)?;
    fields::check_top(&spec, &mut warnings)?;
    refuse_hooks(&spec)?;
    spec.set_hooks(None);
    mappings::check(&spec)?;
    mounts::check(spec.mounts().as_deref().unwrap_or_default(), &mut warnings)?;
    let read_only = spec
        .root()
        .as_ref()
        .is_some_and(|root| root.readonly() == Some(true));
    let root = RootBuilder::default()
        .path(place.rootfs)
        .readonly(read_only || place.read_only)
        .build()
        .map_err(|error| ContainerError::Invalid(format!("specification: root: {error}")))?;
    spec.set_root(Some(root));
    let filter = take_seccomp(&mut spec, &mut warnings)?;
    let net_sysctls = adapt_linux(&mut spec, place, &mut warnings)?;
    let resources = take_resources(&mut spec);
    match spec.process_mut() {
        Some(process) => adapt_process(process, &mut warnings)?,
        None => return Err(missing("process")),
    }
    Ok(Adapted {
        spec,
        resources,
        net_sysctls,
        filter,
        warnings,
    })
}

/// Reads a document; an error names the field, and so does the warning about a field that nobody knows.
fn read<T: DeserializeOwned>(
    what: &str,
    json: &[u8],
    fields: &'static Fields,
    warnings: &mut Vec<String>,
) -> Result<T, ContainerError> {
    let document = serde_json::from_slice(json).map_err(|error| {
        ContainerError::Invalid(format!("{what}: {}", path::told(json, &error)))
    })?;
    let unknown = known::unknown(json, fields).into_iter();
    warnings.extend(unknown.map(|path| format!("{what}: {path} is ignored: the field is unknown")));
    Ok(document)
}

/// Fits a process that joins a container.
pub(super) fn adapt_exec(json: &[u8]) -> Result<(Process, Vec<String>), ContainerError> {
    fit_exec(json).map_err(in_one_line)
}

fn fit_exec(json: &[u8]) -> Result<(Process, Vec<String>), ContainerError> {
    let mut warnings = Vec::new();
    let mut process: Process = read("process", json, &known::PROCESS, &mut warnings)?;
    adapt_process(&mut process, &mut warnings)?;
    Ok((process, warnings))
}

/// Lets a process run as somebody else than its specification says.
pub(super) fn set_identity(process: &mut Process, identity: &Identity) {
    let mut user = User::default();
    user.set_uid(identity.uid)
        .set_gid(identity.gid)
        .set_umask(process.user().umask())
        .set_additional_gids(Some(identity.additional_gids.clone()));
    process.set_user(user);
}

fn missing(field: &str) -> ContainerError {
    ContainerError::Invalid(format!("specification has no {field}"))
}

/// Their programs are on the host, and the host has no business to let a guest run them.
fn refuse_hooks(spec: &Spec) -> Result<(), ContainerError> {
    let Some(hooks) = spec.hooks() else {
        return Ok(());
    };
    let all = [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ];
    match all
        .iter()
        .find(|(_, hooks)| hooks.as_ref().is_some_and(|hooks| !hooks.is_empty()))
    {
        Some((name, _)) => Err(ContainerError::Unsupported(format!(
            "hooks.{name}: its programs are the host's, so it"
        ))),
        None => Ok(()),
    }
}

fn adapt_linux(
    spec: &mut Spec,
    place: Place<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<(String, String)>, ContainerError> {
    let Some(linux) = spec.linux_mut() else {
        return Err(missing("linux"));
    };
    fields::check_linux(linux)?;
    let net_sysctls = sysctls::take_net(linux)?;
    let namespaces = namespaces(linux.namespaces().clone().unwrap_or_default())?;
    linux.set_namespaces(Some(namespaces));
    linux.set_cgroups_path(Some(place.cgroup.to_owned()));
    if linux.mount_label().is_some() {
        linux.set_mount_label(None);
        warnings.push("linux.mountLabel is ignored: the guest has no SELinux".to_owned());
    }
    Ok(net_sysctls)
}

/// libcontainer could not load it: it would need libseccomp, whose programs cost far more to load.
fn take_seccomp(
    spec: &mut Spec,
    warnings: &mut Vec<String>,
) -> Result<Option<Program>, ContainerError> {
    let Some(linux) = spec.linux_mut() else {
        return Ok(None);
    };
    let Some(seccomp) = linux.seccomp().clone() else {
        return Ok(None);
    };
    linux.set_seccomp(None);
    let profile = Profile::new(&seccomp)?;
    warnings.extend_from_slice(profile.warnings());
    Ok(Some(compile(&profile)?))
}

/// libcontainer leaves out device rules and some limits without a word.
fn take_resources(spec: &mut Spec) -> Option<LinuxResources> {
    let linux = spec.linux_mut().as_mut()?;
    let resources = linux.resources().clone();
    linux.set_resources(None);
    resources
}

/// A container that shared the agent's processes, mounts or network could reach what is not its own, so those must be
/// its own; and the cgroup tree is Husk's, so it always sees a part of it only.
fn namespaces(mut wanted: Vec<LinuxNamespace>) -> Result<Vec<LinuxNamespace>, ContainerError> {
    let has = |kind| move |namespace: &LinuxNamespace| namespace.typ() == kind;
    for (index, namespace) in wanted.iter().enumerate() {
        if wanted.iter().take(index).any(has(namespace.typ())) {
            return Err(ContainerError::Invalid(format!(
                "linux.namespaces: {} is given twice",
                namespace.typ()
            )));
        }
    }
    if let Some(joined) = wanted.iter().find(|namespace| namespace.path().is_some()) {
        return Err(ContainerError::Unsupported(format!(
            "linux.namespaces: path of the {} namespace",
            joined.typ()
        )));
    }
    for kind in [
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Network,
    ] {
        if !wanted.iter().any(has(kind)) {
            return Err(ContainerError::Unsupported(format!(
                "linux.namespaces: a container without a {kind} namespace of its own"
            )));
        }
    }
    wanted.retain(|namespace| namespace.typ() != LinuxNamespaceType::Network);
    wanted.push(namespace(LinuxNamespaceType::Network, Some(OWN_NETWORK))?);
    if !wanted.iter().any(has(LinuxNamespaceType::Cgroup)) {
        wanted.push(namespace(LinuxNamespaceType::Cgroup, None)?);
    }
    Ok(wanted)
}

fn namespace(
    kind: LinuxNamespaceType,
    path: Option<&str>,
) -> Result<LinuxNamespace, ContainerError> {
    let mut builder = LinuxNamespaceBuilder::default().typ(kind);
    if let Some(path) = path {
        builder = builder.path(path);
    }
    builder
        .build()
        .map_err(|error| ContainerError::Invalid(format!("specification: {error}")))
}

fn adapt_process(process: &mut Process, warnings: &mut Vec<String>) -> Result<(), ContainerError> {
    fields::check_process(process, warnings)?;
    if process.apparmor_profile().is_some() {
        process.set_apparmor_profile(None);
        warnings.push("process.apparmorProfile is ignored: the guest has no AppArmor".to_owned());
    }
    if process.selinux_label().is_some() {
        process.set_selinux_label(None);
        warnings.push("process.selinuxLabel is ignored: the guest has no SELinux".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
