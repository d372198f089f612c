//! Finds and executes the container's command, with runc's words for what can go wrong.

use std::{
    cell::RefCell,
    collections::HashMap,
    convert::Infallible,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use oci_spec::runtime::{PosixRlimit, Process, Spec};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::{
    complete::complete,
    execute::{Image, Stumble},
    privileges::{take, with_effective},
};
use crate::{
    init::program,
    process::{Failure, FailureClass, Privileges, Record, environment, search_path, write_record},
    resources::take_limits,
    seccomp::{Program, load},
};

/// libcontainer calls it inside the container, in the process that becomes the command.
#[derive(Clone)]
pub(super) struct CommandExecutor {
    report: Arc<OwnedFd>,
    confinement: Confinement,
    home: RefCell<Option<String>>,
}

/// What the process takes on itself.
///
/// libcontainer gets a specification without capabilities, limits and filter, and leaves the process with all capabilities,
/// whatever its user is; it sets no_new_privs long before.
#[derive(Clone)]
pub(super) struct Confinement {
    pub(super) privileges: Privileges,
    pub(super) rlimits: Vec<PosixRlimit>,
    pub(super) filter: Option<Arc<Program>>,
    /// The small init comes first, and the command is its child.
    pub(super) init: bool,
}

impl CommandExecutor {
    pub(super) fn new(report: Arc<OwnedFd>, confinement: Confinement) -> Self {
        Self {
            report,
            confinement,
            home: RefCell::new(None),
        }
    }

    fn fail(&self, failure: Failure) -> String {
        let text = failure.text.clone();
        // The agent falls back to what libcontainer passes on.
        let _ = write_record(
            self.report.as_fd(),
            &Record::Failed(failure.class, failure.text),
        );
        text
    }

    fn find(&self, spec: &Spec) -> Result<Found, Failure> {
        let found = with_effective(&self.confinement.privileges, || find_command(spec));
        found.map_err(|error| Failure::other("look for the command", &error))?
    }

    /// Without no_new_privs a filter takes CAP_SYS_ADMIN to load, which goes with the capabilities; with it the filter
    /// comes last, so that it need not allow what is done before.
    fn become_command(&self, spec: &Spec) -> Result<Infallible, Failure> {
        let command = self.find(spec)?;
        let name = &command.args[0];
        // Nobody knows the user: then it is runc's.
        let home = self.home.borrow().clone();
        let home = home.unwrap_or_else(|| "/".to_owned());
        let home = ("HOME".to_owned(), home);
        let environment: Vec<_> = [home].into_iter().chain(command.environment).collect();
        let mut image = Image::new(&command.path, &command.args, &environment)
            .map_err(|error| Failure::other(name, &error.into()))?;
        let Confinement {
            privileges,
            rlimits,
            filter,
            init,
        } = &self.confinement;
        if *init {
            // Now: the filter may forbid what it takes.
            let program = program().map_err(|error| Failure::other("make init", &error))?;
            image = image.under(program);
        }
        // The filter may forbid it, and nothing is opened from here on.
        take_limits(rlimits).map_err(|error| Failure {
            class: FailureClass::Other,
            text: error.to_string(),
        })?;
        let process = spec.process().as_ref();
        let last = process.and_then(Process::no_new_privileges) == Some(true);
        let unfiltered = |error: io::Error| Failure::other("load linux.seccomp", &error);
        if let (false, Some(program)) = (last, filter) {
            load(program).map_err(unfiltered)?;
        }
        take(privileges).map_err(|error| Failure::other("take process.capabilities", &error))?;
        Err(match image.execute(filter.as_deref().filter(|_| last)) {
            Stumble::Filter(error) => unfiltered(error),
            Stumble::Execute(error) => Failure::of(name, &error),
        })
    }
}

impl Executor for CommandExecutor {
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        // The last that libcontainer does to the container's files is done; a command in a read-only path is to be found.
        complete(spec)
            .map_err(|error| Failure::other("complete the container", &error))
            .and_then(|()| self.find(spec))
            .map(drop)
            .map_err(|failure| ExecutorValidationError::ArgValidationError(self.fail(failure)))
    }

    /// The environment goes straight from the specification to `execve`; only the home directory is news.
    fn setup_envs(&self, envs: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        self.home.replace(envs.get("HOME").cloned());
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let Err(failure) = self.become_command(spec);
        Err(ExecutorError::Other(self.fail(failure)))
    }
}

/// A command that was found.
struct Found {
    path: PathBuf,
    args: Vec<String>,
    environment: Vec<(String, String)>,
}

fn find_command(spec: &Spec) -> Result<Found, Failure> {
    let process = spec.process().as_ref();
    let args = process
        .and_then(|process| process.args().clone())
        .unwrap_or_default();
    let Some(name) = args.first().cloned() else {
        return Err(Failure {
            class: FailureClass::Other,
            text: "process.args is empty".into(),
        });
    };
    let environment = environment(process.and_then(|process| process.env().as_deref()));
    let path = look_up(&name, search_path(&environment))?;
    Ok(Found {
        path,
        args,
        environment,
    })
}

/// As `execvp` does, except that a file that cannot be executed is told apart from one that is not there.
fn look_up(name: &str, search: &str) -> Result<PathBuf, Failure> {
    if name.contains('/') {
        return match executable(Path::new(name)) {
            Ok(()) => Ok(PathBuf::from(name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::missing(name)),
            Err(error) => Err(Failure::of(name, &error)),
        };
    }
    let mut denied = None;
    for directory in search.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = Path::new(directory).join(name);
        match executable(&candidate) {
            Ok(()) if !name.is_empty() => return Ok(candidate),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => denied = Some(error),
            _ => {}
        }
    }
    Err(denied.map_or_else(|| Failure::nowhere(name), |error| Failure::of(name, &error)))
}

/// Whether the user that the process has become may execute the file.
fn executable(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?;
    Ok(())
}

#[cfg(test)]
mod tests;
