//! Makes a container's cgroup before there is a process for it: nothing that the container does happens without its
//! limits, and libcontainer finds a cgroup that it only has to enter.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

use oci_spec::runtime::LinuxResources;

use super::{
    devices::{DevicePrograms, Verdict, compile, parse},
    error::ResourceError,
    limits::limits,
    settings::{Limits, Setting},
};

/// The controllers that a container's limits are made of. A kernel that lacks one says so when a limit needs it.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// The part of the tree that containers live in.
#[derive(Debug, Default)]
pub(crate) struct CgroupTree {
    has_parent: bool,
    programs: DevicePrograms,
}

impl CgroupTree {
    /// Makes the cgroup `directory` with everything that must hold from the first process on. What is left of the
    /// limits is for [`settle`].
    pub(crate) fn make(
        &mut self,
        directory: &Path,
        resources: Option<&LinuxResources>,
    ) -> Result<Limits, ResourceError> {
        let unlimited = LinuxResources::default();
        let resources = resources.unwrap_or(&unlimited);
        let limits = limits(resources)?;
        let rules = parse(resources.devices().as_deref().unwrap_or_default())?;
        let verdict = compile(&rules);
        self.make_parent(directory)?;
        let what = format!("make cgroup {}", directory.display());
        fs::create_dir(directory).map_err(ResourceError::io(what))?;
        apply(directory, &limits.early)?;
        if let Verdict::Ask(program) = verdict {
            File::open(directory)
                .and_then(|cgroup| self.programs.attach(&program, &cgroup))
                .map_err(ResourceError::io("apply linux.resources.devices"))?;
        }
        Ok(limits)
    }

    fn make_parent(&mut self, directory: &Path) -> Result<(), ResourceError> {
        let (false, Some(parent)) = (self.has_parent, directory.parent()) else {
            return Ok(());
        };
        let make = || -> io::Result<()> {
            if let Some(root) = parent.parent() {
                delegate(root)?;
            }
            match fs::create_dir(parent) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            delegate(parent)
        };
        make().map_err(ResourceError::io(format!(
            "make cgroup {}",
            parent.display()
        )))?;
        self.has_parent = true;
        Ok(())
    }
}

/// Whether the resources can be given at all; the kernel has the last word on values.
#[cfg(test)]
pub(crate) fn check(resources: &LinuxResources) -> Result<(), ResourceError> {
    limits(resources)?;
    parse(resources.devices().as_deref().unwrap_or_default()).map(drop)
}

/// Sets what would slow down the making of the container's first process.
pub(crate) fn settle(directory: &Path, limits: &Limits) -> Result<(), ResourceError> {
    apply(directory, &limits.late)
}

/// Gives the cgroups below the controllers that the kernel has.
fn delegate(cgroup: &Path) -> io::Result<()> {
    let available = fs::read_to_string(cgroup.join("cgroup.controllers"))?;
    let wanted: Vec<String> = available
        .split_whitespace()
        .filter(|controller| CONTROLLERS.contains(controller))
        .map(|controller| format!("+{controller}"))
        .collect();
    match fs::write(cgroup.join("cgroup.subtree_control"), wanted.join(" ")) {
        // There are processes in it, as where the agent runs without a guest: a limit that needs more will say so.
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Ok(()),
        written => written,
    }
}

pub(super) fn apply(directory: &Path, settings: &[Setting]) -> Result<(), ResourceError> {
    settings
        .iter()
        .try_for_each(|setting| match write(directory, setting) {
            Ok(()) => Ok(()),
            // Without swap there is nothing to limit.
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && setting.file == "memory.swap.max"
                    && ["0", "max"].contains(&setting.value.as_str()) =>
            {
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(ResourceError::Unsupported(format!(
                    "{}: the guest's kernel has no {}",
                    setting.field, setting.file
                )))
            }
            Err(source) => Err(ResourceError::Refused {
                field: setting.field.clone(),
                file: setting.file.clone(),
                value: setting.value.clone(),
                source,
            }),
        })
}

/// Never makes a file: cgroup files exist or do not.
fn write(directory: &Path, setting: &Setting) -> io::Result<()> {
    use std::io::Write as _;
    File::options()
        .write(true)
        .open(directory.join(&setting.file))?
        .write_all(setting.value.as_bytes())
}
