//! The command line as the sandbox's options.

use husk_sandbox::{pod::PodName, spec::RunOptions};

use crate::args::RunArgs;

/// What was asked of the container.
pub(super) fn options(args: &RunArgs, name: &PodName) -> RunOptions {
    let container = &args.container;
    RunOptions {
        args: args.command.clone(),
        entrypoint: container.entrypoint.clone(),
        env: container.env.clone(),
        user: container.user.clone(),
        working_dir: container.workdir.clone(),
        hostname: container
            .hostname
            .clone()
            .unwrap_or_else(|| name.as_str().to_owned()),
        read_only: container.read_only,
        cpu_millis: container.cpus,
        memory_bytes: container.memory,
        terminal: false,
    }
}
