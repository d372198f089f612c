//! The husk command: a door. It translates what a person typed for the sandbox and what came of it for the person.
//!
//! `args` and `values` are the command line, `run` is `husk run` with `streams`, `signals`, `tty`, `progress` and `report`
//! beside it, `manage` is everything about containers that exist, `images` finds and pulls images, `host` is `husk check`
//! and `husk gc` and completions, `man` the manual pages.

#![forbid(unsafe_code)]

mod args;
mod host;
mod images;
mod man;
mod manage;
mod progress;
mod report;
mod run;
mod signals;
mod streams;
mod tty;
mod values;

use std::{env, path::PathBuf, process};

use anyhow::{Context, Result, bail};
use args::{Cli, Verb};
use clap::Parser;
use husk_sandbox::{engine::EngineError, settings::Settings};
use run::{Mode, Stderr};
use tokio::runtime;
use tracing_subscriber::EnvFilter;

/// Names the settings file when the command line does not.
const CONFIG_VARIABLE: &str = "HUSK_CONFIG";

/// Husk itself failed: what it says is on standard error.
const HUSK_FAILED: u8 = 125;

fn main() {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        error.print().ok();
        // Help and version were asked for; anything else is a command line that is not understood.
        exit(if error.use_stderr() { HUSK_FAILED } else { 0 })
    });
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("HUSK_LOG").unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .with_writer(|| Stderr)
        .without_time()
        // Its own trouble with a closed standard error is nobody's.
        .log_internal_errors(false)
        .init();
    let code = serve(cli).unwrap_or_else(|error| {
        report::error(&error);
        let wish = error.downcast_ref().and_then(EngineError::exit_code);
        wish.unwrap_or(HUSK_FAILED)
    });
    exit(code)
}

/// Threads that still wait for standard input end here.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the process ends"
)]
fn exit(code: u8) -> ! {
    process::exit(i32::from(code))
}

fn serve(cli: Cli) -> Result<u8> {
    let settings = settings(cli.config)?;
    match cli.verb {
        Verb::Run(args) if args.detach => wait_for(run::launch()),
        Verb::Run(args) => wait_for(run::run(&args, &settings, Mode::Foreground)),
        Verb::Pull(args) => wait_for(images::pull(&args, &settings)),
        Verb::PodOwner => own(),
        Verb::Ps(args) => manage::ps(&args, &settings),
        Verb::Exec(args) => wait_for(manage::exec(&args, &settings)),
        Verb::Logs(args) => manage::logs(&args, &settings),
        Verb::Stop(args) => wait_for(manage::stop(&args, &settings)),
        Verb::Kill(args) => wait_for(manage::kill(&args, &settings)),
        Verb::Wait(args) => wait_for(manage::wait(&args, &settings)),
        Verb::Rm(args) => wait_for(manage::remove(&args, &settings)),
        Verb::Pause(args) => wait_for(manage::pause(&args, &settings)),
        Verb::Unpause(args) => wait_for(manage::unpause(&args, &settings)),
        Verb::Stats(args) => wait_for(manage::stats(&args, &settings)),
        Verb::Inspect(args) => wait_for(manage::inspect(&args, &settings)),
        Verb::Check(args) => host::check(&args, &settings),
        Verb::Gc => host::gc(&settings),
        Verb::Completions(args) => host::completions(&args),
        Verb::Man(args) => man::man(&args),
    }
}

/// Runs `husk run -d` again as it was typed, as the owner of what it makes.
fn own() -> Result<u8> {
    let (words, socket) = run::take_order()?;
    let cli = Cli::try_parse_from(words)?;
    let settings = settings(cli.config)?;
    let Verb::Run(args) = cli.verb else {
        bail!("husk pod-owner is started by husk run -d");
    };
    wait_for(run::run(&args, &settings, Mode::Detached(socket)))
}

fn settings(named: Option<PathBuf>) -> Result<Settings> {
    let named = named.or_else(|| env::var_os(CONFIG_VARIABLE).map(Into::into));
    Ok(Settings::load(named.as_deref())?)
}

/// One worker: the runtime only passes messages, bulk data has threads of its own.
fn wait_for(command: impl Future<Output = Result<u8>>) -> Result<u8> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(command)
}
