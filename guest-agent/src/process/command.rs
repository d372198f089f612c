//! Commands that cannot be executed, in runc's words, and what is searched for them.

use std::io;

use super::report::FailureClass;

/// What a shell falls back to, and runc as well.
pub(crate) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a command cannot run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: FailureClass,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(class: FailureClass, name: &str, reason: &str) -> Self {
        Self {
            class,
            text: format!("exec: {name:?}: {reason}"),
        }
    }

    /// Of anything but the command itself.
    pub(crate) fn other(what: &str, error: &io::Error) -> Self {
        Self {
            class: FailureClass::Other,
            text: format!("{what}: {}", error.to_string().to_lowercase()),
        }
    }

    /// Of a file that was found: what `execve` says.
    pub(crate) fn of(name: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            // Of a file that was there: a script whose interpreter is missing.
            return Self::new(
                FailureClass::CommandNotFound,
                name,
                "no such file or directory",
            );
        }
        let reason = match error.raw_os_error() {
            Some(libc::ENOEXEC) => "exec format error".to_owned(),
            Some(libc::EACCES) => "permission denied".to_owned(),
            Some(libc::EISDIR) => "is a directory".to_owned(),
            _ => error.to_string().to_lowercase(),
        };
        Self::new(FailureClass::CommandNotExecutable, name, &reason)
    }

    /// Of a path at which there is nothing.
    pub(crate) fn missing(name: &str) -> Self {
        let reason = format!("stat {name}: no such file or directory");
        Self::new(FailureClass::CommandNotFound, name, &reason)
    }

    /// Of a name that no directory of the search path has.
    pub(crate) fn nowhere(name: &str) -> Self {
        let reason = "executable file not found in $PATH";
        Self::new(FailureClass::CommandNotFound, name, reason)
    }
}

/// `KEY=value` pairs; what is no pair cannot be passed on.
pub(crate) fn environment(entries: Option<&[String]>) -> Vec<(String, String)> {
    entries
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.split_once('='))
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The directories to search: the last PATH of the environment.
pub(crate) fn search_path(environment: &[(String, String)]) -> &str {
    environment
        .iter()
        .rev()
        .find(|(key, _)| key == "PATH")
        .map_or(DEFAULT_PATH, |(_, value)| value.as_str())
}

#[cfg(test)]
mod tests;
