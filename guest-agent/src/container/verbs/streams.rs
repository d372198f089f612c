//! What a process's streams are to be: which user owns them, and whether they are a terminal.

use husk_protocol::agent::{Stdio, TerminalSize};
use oci_spec::runtime::{Process as ProcessSpec, Spec};
use rustix::fs::Uid;

use crate::container::{error::ContainerError, ids::outside, table::Size};

/// The size of the terminal that a process gets; none: it gets pipes.
pub(super) fn terminal_of(
    process: &ProcessSpec,
    stdio: &Stdio,
) -> Result<Option<Size>, ContainerError> {
    let wanted = process.terminal() == Some(true);
    if wanted != stdio.terminal {
        return Err(ContainerError::Invalid(format!(
            "process.terminal is {wanted}, but stdio.terminal is {}",
            stdio.terminal
        )));
    }
    if !wanted {
        return Ok(None);
    }
    if stdio.stderr {
        let what = "stdio.stderr: a terminal has no standard error of its own";
        return Err(ContainerError::Invalid(what.to_owned()));
    }
    match (stdio.terminal_size.as_ref(), process.console_size()) {
        (Some(size), _) => size_of(size).map(Some),
        (None, Some(size)) => {
            let field = |name: &str, value: u64| {
                u16::try_from(value).map_err(|_| {
                    ContainerError::Invalid(format!("process.consoleSize.{name} {value}"))
                })
            };
            Ok(Some(Size {
                columns: field("width", size.width())?,
                rows: field("height", size.height())?,
            }))
        }
        (None, None) => Ok(Some(Size::default())),
    }
}

/// Checks a size.
pub(super) fn size_of(size: &TerminalSize) -> Result<Size, ContainerError> {
    let side = |name: &str, value: u32| {
        u16::try_from(value).map_err(|_| {
            ContainerError::Invalid(format!("terminal size: {value} {name} are more than 65535"))
        })
    };
    Ok(Size {
        columns: side("columns", size.columns)?,
        rows: side("rows", size.rows)?,
    })
}

/// What a user of the container is outside of its user namespace; none: nobody.
pub(super) fn owner(spec: &Spec, uid: u32) -> Option<Uid> {
    let linux = spec.linux().as_ref();
    let mappings = linux.and_then(|linux| linux.uid_mappings().as_ref());
    let Some(mappings) = mappings.filter(|mappings| !mappings.is_empty()) else {
        return Some(Uid::from_raw(uid));
    };
    outside(mappings, uid).map(Uid::from_raw)
}

/// The error for a user that is nobody.
pub(super) fn unmapped(uid: u32) -> ContainerError {
    ContainerError::Invalid(format!(
        "process.user.uid {uid} is not in linux.uidMappings"
    ))
}

#[cfg(test)]
mod tests;
