//! The husk command: a door. It translates what a person typed for the sandbox and what came of it for the person.
//!
//! `args` and `values` are the command line, `run` is `husk run` with `streams`, `signals`, `progress` and `report`
//! beside it, `images` finds and pulls images, `host` is `husk check` and `husk gc`.

#![forbid(unsafe_code)]

mod args;
mod host;
mod images;
mod progress;
mod report;
mod run;
mod signals;
mod streams;
mod values;

use std::{env, process};

use anyhow::{Context, Result};
use args::{Cli, Verb};
use clap::Parser;
use husk_sandbox::settings::Settings;
use tokio::runtime::{self, Runtime};
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
        .with_writer(std::io::stderr)
        .without_time()
        // Its own trouble with a closed standard error is nobody's.
        .log_internal_errors(false)
        .init();
    let code = serve(cli).unwrap_or_else(|error| {
        report::error(&error);
        HUSK_FAILED
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
    let named = cli
        .config
        .or_else(|| env::var_os(CONFIG_VARIABLE).map(Into::into));
    let settings = Settings::load(named.as_deref())?;
    match cli.verb {
        Verb::Run(args) => runtime()?.block_on(run::run(&args, &settings)),
        Verb::Pull(args) => runtime()?.block_on(images::pull(&args, &settings)),
        Verb::Check(args) => host::check(&args, &settings),
        Verb::Gc => host::gc(&settings),
    }
}

/// One worker: the runtime only passes messages, bulk data has threads of its own.
fn runtime() -> Result<Runtime> {
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    runtime.context("cannot start")
}
