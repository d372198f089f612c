//! From the OCI process object to what the new process will be: a pure function.

use std::{ffi::CString, sync::Arc};

use oci_spec::runtime::{LinuxPersonality, LinuxPersonalityDomain, PosixRlimit, Process, Spec};
use rustix::{
    fs::Mode,
    process::{Gid, Resource, Rlimit, Uid},
};

use super::strings::c_string;
use crate::{
    process::{Privileges, environment, search_path},
    resources::process_limits,
    seccomp::Program,
};

/// What runc gives a process that asks for nothing.
const DEFAULT_UMASK: u32 = 0o022;

/// Bounds of `oom_score_adj`.
const OOM_SCORES: std::ops::RangeInclusive<i32> = -1000..=1000;

// linux/personality.h
const PER_LINUX: libc::c_ulong = 0;
const PER_LINUX32: libc::c_ulong = 8;

/// What a process has of its container where its own object says nothing, as in runc.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited {
    privileges: Privileges,
    /// A process has none of its own.
    filter: Option<Arc<Program>>,
    rlimits: Vec<PosixRlimit>,
    no_new_privileges: bool,
    oom_score_adj: Option<i32>,
    umask: Option<u32>,
    personality: Option<LinuxPersonality>,
}

impl Inherited {
    /// Out of the container's specification, and what was taken out of it.
    pub(crate) fn new(
        spec: &Spec,
        privileges: Privileges,
        rlimits: Vec<PosixRlimit>,
        filter: Option<Arc<Program>>,
    ) -> Self {
        let process = spec.process().as_ref();
        let linux = spec.linux().as_ref();
        Self {
            privileges,
            filter,
            rlimits,
            no_new_privileges: process.and_then(Process::no_new_privileges) == Some(true),
            oom_score_adj: process.and_then(Process::oom_score_adj),
            umask: process.and_then(|process| process.user().umask()),
            personality: linux.and_then(|linux| linux.personality().clone()),
        }
    }
}

/// Everything that a new process will be.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The command as it was asked for.
    pub(super) name: String,
    /// Paths to try, in order.
    pub(super) candidates: Vec<CString>,
    pub(super) args: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) cwd: CString,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
    pub(super) umask: Mode,
    pub(super) privileges: Privileges,
    pub(super) filter: Option<Arc<Program>>,
    pub(super) rlimits: Vec<(Resource, Rlimit)>,
    pub(super) no_new_privileges: bool,
    /// None: the agent's own, which is 0.
    pub(super) oom_score_adj: Option<String>,
    pub(super) personality: Option<libc::c_ulong>,
    pub(super) terminal: bool,
}

impl Plan {
    /// # Errors
    /// One line that names the field and its value.
    pub(crate) fn new(
        process: &Process,
        inherited: &Inherited,
        warnings: &mut Vec<String>,
    ) -> Result<Self, String> {
        refuse(process)?;
        let args = process.args().clone().unwrap_or_default();
        let name = args
            .first()
            .cloned()
            .ok_or_else(|| "process.args is empty".to_owned())?;
        let arguments = c_strings("process.args", &args)?;
        let pairs = deduplicated(environment(process.env().as_deref()));
        let candidates = candidates(&name, search_path(&pairs))?;
        let cwd = process
            .cwd()
            .to_str()
            .filter(|cwd| cwd.starts_with('/'))
            .ok_or_else(|| format!("process.cwd {:?} is not absolute", process.cwd()))?;
        let privileges = match process.capabilities() {
            Some(capabilities) => Privileges::of(Some(capabilities), warnings)?,
            None => inherited.privileges,
        };
        let rlimits = process.rlimits().as_deref();
        let user = process.user();
        let groups = user.additional_gids().iter().flatten();
        Ok(Self {
            candidates,
            args: arguments,
            environment: pairs
                .iter()
                .map(|(key, value)| c_string("process.env", &format!("{key}={value}")))
                .collect::<Result<_, _>>()?,
            cwd: c_string("process.cwd", cwd)?,
            uid: Uid::from_raw(user.uid()),
            gid: Gid::from_raw(user.gid()),
            groups: groups.map(|gid| Gid::from_raw(*gid)).collect(),
            umask: umask(user.umask().or(inherited.umask))?,
            privileges,
            filter: inherited.filter.clone(),
            rlimits: process_limits(
                rlimits
                    .filter(|limits| !limits.is_empty())
                    .unwrap_or(&inherited.rlimits),
            )?,
            no_new_privileges: process
                .no_new_privileges()
                .unwrap_or(inherited.no_new_privileges),
            oom_score_adj: oom_score(process.oom_score_adj().or(inherited.oom_score_adj))?,
            personality: personality(inherited.personality.as_ref())?,
            terminal: process.terminal() == Some(true),
            name,
        })
    }
}

/// What a process that joins a container cannot have yet.
fn refuse(process: &Process) -> Result<(), String> {
    let given = [
        ("ioPriority", process.io_priority().is_some()),
        ("scheduler", process.scheduler().is_some()),
        ("execCPUAffinity", process.exec_cpu_affinity().is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(format!("process.{field} is not supported for an exec")),
        None => Ok(()),
    }
}

fn c_strings(field: &str, texts: &[String]) -> Result<Vec<CString>, String> {
    texts.iter().map(|text| c_string(field, text)).collect()
}

/// The last value of a name stands, in the place of the first.
fn deduplicated(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        match kept.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

/// A name with a slash is a path; any other is looked for in each directory of the search path.
fn candidates(name: &str, search: &str) -> Result<Vec<CString>, String> {
    if name.contains('/') {
        return Ok(vec![c_string("process.args", name)?]);
    }
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let in_directory = |directory: &str| {
        let directory = if directory.is_empty() { "." } else { directory };
        c_string("process.args", &format!("{directory}/{name}"))
    };
    search.split(':').map(in_directory).collect()
}

fn umask(umask: Option<u32>) -> Result<Mode, String> {
    let umask = umask.unwrap_or(DEFAULT_UMASK);
    if umask > 0o777 {
        return Err(format!("process.user.umask {umask:#o} is more than 0o777"));
    }
    Ok(Mode::from_raw_mode(umask))
}

fn oom_score(score: Option<i32>) -> Result<Option<String>, String> {
    match score {
        None | Some(0) => Ok(None),
        Some(score) if OOM_SCORES.contains(&score) => Ok(Some(score.to_string())),
        Some(score) => Err(format!(
            "process.oomScoreAdj {score} is not between {} and {}",
            OOM_SCORES.start(),
            OOM_SCORES.end()
        )),
    }
}

fn personality(personality: Option<&LinuxPersonality>) -> Result<Option<libc::c_ulong>, String> {
    let Some(personality) = personality else {
        return Ok(None);
    };
    if personality
        .flags()
        .as_ref()
        .is_some_and(|flags| !flags.is_empty())
    {
        return Err("linux.personality.flags is not supported".to_owned());
    }
    Ok(Some(match personality.domain() {
        LinuxPersonalityDomain::PerLinux => PER_LINUX,
        LinuxPersonalityDomain::PerLinux32 => PER_LINUX32,
    }))
}

#[cfg(test)]
mod tests;
