//! The `execve`, an unsafe room: from the filter on it makes no other system call, because the filter may forbid any.

use std::{
    ffi::{CString, NulError, c_char},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
};

use crate::{
    init::{NAME, become_program},
    seccomp::{Program, load},
};

/// A command as the kernel takes it.
#[derive(Debug)]
pub(super) struct Image {
    path: CString,
    args: Vec<CString>,
    environment: Vec<CString>,
    /// What is executed instead, and gets the path as an argument.
    init: Option<OwnedFd>,
}

/// What did not work.
#[derive(Debug)]
pub(super) enum Stumble {
    /// The filter.
    Filter(io::Error),
    /// The command.
    Execute(io::Error),
}

impl Image {
    /// Of an environment, the last value of a name counts, as in runc.
    pub(super) fn new(
        path: &Path,
        args: &[String],
        environment: &[(String, String)],
    ) -> Result<Self, NulError> {
        let mut last: Vec<&(String, String)> = Vec::new();
        for entry in environment {
            match last.iter_mut().find(|(name, _)| *name == entry.0) {
                Some(known) => *known = entry,
                None => last.push(entry),
            }
        }
        Ok(Self {
            path: CString::new(path.as_os_str().as_bytes())?,
            args: args
                .iter()
                .map(|arg| CString::new(arg.as_bytes()))
                .collect::<Result<_, _>>()?,
            environment: last
                .iter()
                .map(|(name, value)| CString::new(format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
            init: None,
        })
    }

    /// The same as the child of the small init.
    pub(super) fn under(mut self, init: OwnedFd) -> Self {
        let first = [NAME.to_owned(), self.path.clone()];
        self.args.splice(..0, first);
        self.init = Some(init);
        self
    }

    /// Loads the filter that comes last, if there is one, and becomes the command; returns only when that failed.
    pub(super) fn execute(&self, filter: Option<&Program>) -> Stumble {
        let args = pointers(&self.args);
        let environment = pointers(&self.environment);
        if let Some(Err(error)) = filter.map(load) {
            return Stumble::Filter(error);
        }
        if let Some(init) = &self.init {
            return Stumble::Execute(become_program(init.as_fd(), &args, &environment));
        }
        // SAFETY: the path ends with a null byte; both arrays hold addresses of such strings and end with a null
        // address (`pointers`), and everything that they point to is borrowed from `self` until the call returns.
        unsafe { libc::execve(self.path.as_ptr(), args.as_ptr(), environment.as_ptr()) };
        Stumble::Execute(io::Error::last_os_error())
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let addresses = strings.iter().map(|string| string.as_ptr());
    addresses.chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests;
