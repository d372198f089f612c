//! Changes the limits of a cgroup that is in use: all of what is asked for, or nothing.

use std::{fs, path::Path, slice};

use oci_spec::runtime::LinuxResources;

use super::{cgroup::apply, error::ResourceError, limits::limits, settings::Setting};

/// What says "no limit" for a device in `io.max`.
const UNLIMITED_IO: &str = "rbps=max wbps=max riops=max wiops=max";

/// Writes what `resources` names; when the kernel refuses a value, those before it get back what they had.
///
/// # Errors
/// The field and its value.
pub(crate) fn update(directory: &Path, resources: &LinuxResources) -> Result<(), ResourceError> {
    if resources.devices().iter().flatten().next().is_some() {
        let what = "devices: the rules of a container that exists cannot be changed";
        return Err(ResourceError::Unsupported(what.to_owned()));
    }
    let limits = limits(resources)?;
    let mut undo = Vec::new();
    for setting in limits.early.iter().chain(&limits.late) {
        let before = before(directory, setting);
        if let Err(error) = apply(directory, slice::from_ref(setting)) {
            for setting in undo.iter().rev() {
                // The first error is the one that tells the cause.
                let _ = apply(directory, slice::from_ref(setting));
            }
            return Err(error);
        }
        undo.extend(before);
    }
    Ok(())
}

/// What a file says now, as it has to be written to say so again.
fn before(directory: &Path, setting: &Setting) -> Option<Setting> {
    let text = fs::read_to_string(directory.join(&setting.file)).ok()?;
    Some(Setting::new(
        setting.file.as_str(),
        value_before(&setting.file, &setting.value, &text),
        setting.field.as_str(),
    ))
}

/// Files of `io` have a line for each device that has a value.
fn value_before(file: &str, new: &str, text: &str) -> String {
    let key = new.split(' ').next().unwrap_or_default();
    let line = text
        .lines()
        .find(|line| line.split(' ').next() == Some(key))
        .map(str::to_owned);
    match file {
        "io.max" => line.unwrap_or_else(|| format!("{key} {UNLIMITED_IO}")),
        "io.weight" => line.unwrap_or_else(|| format!("{key} default")),
        _ => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests;
