//! The process of an exec: the container's own, changed by what was asked.

use oci_spec::runtime::{Process, Spec};
use serde_json::Value;

use crate::spec::{
    defaults::{self, Privilege},
    error::SpecError,
    flags::{CapabilityName, changed_capabilities},
};

/// What an exec was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOptions {
    /// The command.
    pub args: Vec<String>,
    /// `NAME=value`, added to the container's environment; later ones win.
    pub env: Vec<String>,
    /// `user[:group]`, which the guest looks up; the container's otherwise.
    pub user: Option<String>,
    /// Absolute working directory; the container's otherwise.
    pub working_dir: Option<String>,
    /// Capabilities beside the container's.
    pub cap_add: Vec<CapabilityName>,
    /// Capabilities that it has not, although the container has.
    pub cap_drop: Vec<CapabilityName>,
    /// Whether it gets a pseudo-terminal.
    pub terminal: bool,
}

/// The process, from the container's specification.
///
/// # Errors
/// What was asked cannot be: each error names it.
pub fn exec_process(container: &Spec, options: &ExecOptions) -> Result<Process, SpecError> {
    if options.args.is_empty() {
        return Err(SpecError::NoCommand);
    }
    let mut process = match container.process() {
        Some(process) => process.clone(),
        None => Process::default(),
    };
    if let Some(bad) = options.args.iter().find(|arg| arg.contains('\0')) {
        return Err(SpecError::Invalid(format!(
            "argument {bad:?} holds a NUL byte"
        )));
    }
    process.set_args(Some(options.args.clone()));
    process.set_terminal(Some(options.terminal));
    if let Some(dir) = &options.working_dir {
        if !dir.starts_with('/') || dir.contains('\0') {
            return Err(SpecError::WorkingDir(dir.into()));
        }
        process.set_cwd(dir.into());
    }
    let inherited = process.env().clone().unwrap_or_default();
    process.set_env(Some(environment(inherited, options)?));
    if let Some(sets) = capabilities(&process, options) {
        process.set_capabilities(Some(serde_json::from_value(sets)?));
    }
    Ok(process)
}

fn environment(mut env: Vec<String>, options: &ExecOptions) -> Result<Vec<String>, SpecError> {
    let name = |entry: &str| entry.split_once('=').map(|(name, _)| name.to_owned());
    let has = |env: &[String], wanted: &str| {
        env.iter()
            .any(|entry| name(entry).as_deref() == Some(wanted))
    };
    if options.user.is_some() {
        // The container's user lives elsewhere; without one the guest takes the user's own.
        env.retain(|entry| name(entry).as_deref() != Some("HOME"));
    }
    if options.terminal && !has(&env, "TERM") {
        env.push("TERM=xterm".to_owned());
    }
    for entry in &options.env {
        let key = name(entry).filter(|key| !key.is_empty() && !entry.contains('\0'));
        let key = key.ok_or_else(|| SpecError::Variable(entry.clone()))?;
        env.retain(|old| name(old).as_deref() != Some(&key));
        env.push(entry.clone());
    }
    Ok(env)
}

/// Root has what it may have; everybody else can gain it only. `None`: the container's own.
fn capabilities(container: &Process, options: &ExecOptions) -> Option<Value> {
    let (add, drop) = (&options.cap_add, &options.cap_drop);
    let sets = container.capabilities().as_ref();
    let unchanged = add.is_empty() && drop.is_empty();
    if unchanged && (options.user.is_none() || sets.is_none()) {
        return None;
    }
    let before = sets.and_then(|sets| sets.bounding().clone());
    let granted = changed_capabilities(&before.unwrap_or_default(), add, drop);
    let name = options.user.as_deref();
    let name = name.map(|user| user.split_once(':').map_or(user, |(user, _)| user));
    let privilege = match name {
        Some("" | "0" | "root") => Privilege::Root,
        Some(_) => Privilege::User,
        None if container.user().uid() == 0 => Privilege::Root,
        None => Privilege::User,
    };
    Some(defaults::capabilities(privilege, &granted))
}
