//! `--security-opt`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SeccompChoice {
    /// What everybody gets.
    #[default]
    Default,
    /// All of them.
    Unconfined,
    /// What a profile says, in Docker's form or the OCI's.
    Profile {
        /// Where it came from.
        file: PathBuf,
        /// What it says.
        content: Vec<u8>,
    },
}

/// What holds a container besides its capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// System calls.
    pub seccomp: SeccompChoice,
    /// Programs gain nothing by set-user-id bits and file capabilities.
    pub no_new_privileges: bool,
    /// Nothing below /proc and /sys is hidden or read-only.
    pub paths_unconfined: bool,
}

/// One `--security-opt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityOption {
    /// `seccomp=unconfined`
    SeccompUnconfined,
    /// `seccomp=default`, or Docker's other name for it, `builtin`.
    SeccompDefault,
    /// `seccomp=FILE`
    SeccompFile(PathBuf),
    /// `no-new-privileges[=BOOL]`
    NoNewPrivileges(bool),
    /// `systempaths=unconfined`
    PathsUnconfined,
    /// `apparmor=unconfined` and `label=disable`, which is how it is: the guest's kernel has neither AppArmor nor SELinux.
    WithoutLabels,
}

impl FromStr for SecurityOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Docker's older form had a colon.
        let (name, value) = match text.split_once('=').or_else(|| text.split_once(':')) {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        match (name, value) {
            ("seccomp", Some("unconfined")) => Ok(Self::SeccompUnconfined),
            ("seccomp", Some("default" | "builtin")) => Ok(Self::SeccompDefault),
            ("seccomp", Some(file)) if !file.is_empty() => Ok(Self::SeccompFile(file.into())),
            ("no-new-privileges", None | Some("true" | "1")) => Ok(Self::NoNewPrivileges(true)),
            ("no-new-privileges", Some("false" | "0")) => Ok(Self::NoNewPrivileges(false)),
            ("systempaths", Some("unconfined")) => Ok(Self::PathsUnconfined),
            ("apparmor", Some("unconfined")) | ("label", Some("disable")) => {
                Ok(Self::WithoutLabels)
            }
            ("apparmor", _) => Err(format!(
                "{text:?}: the guest's kernel has no AppArmor, only apparmor=unconfined can be had"
            )),
            ("label", _) => Err(format!(
                "{text:?}: the guest's kernel has no SELinux, only label=disable can be had"
            )),
            _ => Err(format!(
                "{text:?} is none of seccomp=FILE, seccomp=unconfined, no-new-privileges[=BOOL], systempaths=unconfined, apparmor=unconfined and label=disable"
            )),
        }
    }
}

impl Security {
    /// All options together, the last of a kind counts. `read` gets the content of a profile's file.
    ///
    /// # Errors
    /// Whatever `read` says.
    pub fn new<E>(
        options: &[SecurityOption],
        read: impl Fn(&Path) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let mut security = Self::default();
        for option in options {
            match option {
                SecurityOption::SeccompUnconfined => security.seccomp = SeccompChoice::Unconfined,
                SecurityOption::SeccompDefault => security.seccomp = SeccompChoice::Default,
                SecurityOption::SeccompFile(path) => {
                    security.seccomp = SeccompChoice::Profile {
                        file: path.clone(),
                        content: read(path)?,
                    };
                }
                SecurityOption::NoNewPrivileges(on) => security.no_new_privileges = *on,
                SecurityOption::PathsUnconfined => security.paths_unconfined = true,
                SecurityOption::WithoutLabels => {}
            }
        }
        Ok(security)
    }
}
