//! The command line as the sandbox's options, with the files that it names.

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result, anyhow, ensure};
use husk_sandbox::{
    pod::PodName,
    spec::{EnvOption, RunOptions, Security, env_file},
};

use crate::args::{ContainerArgs, RunArgs};

/// Largest file that an option may name.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What was asked of the container.
pub(super) fn options(args: &RunArgs, name: &PodName) -> Result<RunOptions> {
    let container = &args.container;
    let read_profile = |path: &Path| {
        let option = format!("--security-opt seccomp={}", path.display());
        content(path).context(option)
    };
    Ok(RunOptions {
        args: args.command.clone(),
        entrypoint: container.entrypoint.clone(),
        env: environment(container)?,
        user: container.user.clone(),
        working_dir: container.workdir.clone(),
        hostname: container
            .hostname
            .clone()
            .unwrap_or_else(|| name.as_str().to_owned()),
        read_only: container.read_only,
        cpu_millis: container.cpus,
        memory_bytes: container.memory,
        terminal: args.tty,
        cap_add: container.cap_add.clone(),
        cap_drop: container.cap_drop.clone(),
        security: Security::new(&container.security_opt, read_profile)?,
        tmpfs: container.tmpfs.clone(),
        ulimits: container.ulimit.clone(),
        sysctls: container.sysctl.clone(),
        pids_limit: container.pids_limit,
        labels: container.label.clone(),
    })
}

/// What is said one by one comes after what files say.
fn environment(container: &ContainerArgs) -> Result<Vec<EnvOption>> {
    let mut env = Vec::new();
    for path in &container.env_file {
        let option = || format!("--env-file {}", path.display());
        let content = content(path).with_context(option)?;
        let variables = env_file(&content).map_err(|error| anyhow!(error));
        env.extend(variables.with_context(option)?);
    }
    env.extend(container.env.iter().cloned());
    Ok(env)
}

fn content(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    ensure!(
        length <= MAX_FILE_BYTES,
        "has more than {MAX_FILE_BYTES} bytes"
    );
    Ok(content)
}
