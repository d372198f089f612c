//! `husk exec`: a process in a container, its streams on ours, its exit code ours.

use std::{
    env,
    io::{self, IsTerminal, stderr, stdin, stdout},
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::{Context, Result};
use husk_sandbox::{
    engine::{Client, ExecCall, Executed, State, find},
    settings::Settings,
    spec::EnvOption,
};

use rustix::process::Signal;
use tokio::time::timeout;

use crate::{
    args::ExecArgs,
    report,
    signals::{Signals, Wish, exit_code},
    streams::{Copying, Outlet, Output, UNWRITABLE, copy_input, copy_output, duplicate, to_fd},
    tty::{self, RawTerminal, Windows, check_input},
};

/// How long an owner may take to pass a kill on.
const OWNER_ANSWERS: Duration = Duration::from_secs(5);

/// Runs the process and waits for it, unless it is detached.
pub(crate) async fn exec(args: &ExecArgs, settings: &Settings) -> Result<u8> {
    check_input(args.tty, args.interactive)?;
    let found = find(&settings.run_dir, &args.container)?;
    if found.state != State::Running {
        return Err(found.refuse("execute in it").into());
    }
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let client = Client::new(&found);
    let executed = client.exec(call(args)).await?;
    for warning in &executed.warnings {
        report::warning(warning);
    }
    if args.detach {
        return Ok(0);
    }
    attend(args, &client, executed, &mut signals).await
}

fn call(args: &ExecArgs) -> ExecCall {
    ExecCall {
        args: args.command.clone(),
        env: args.env.iter().filter_map(variable).collect(),
        working_dir: args.workdir.clone(),
        user: args.user.clone(),
        cap_add: args.cap_add.clone(),
        cap_drop: args.cap_drop.clone(),
        stdin: args.interactive,
        terminal: args.tty.then(tty::window),
        detached: args.detach,
    }
}

fn variable(option: &EnvOption) -> Option<String> {
    match option {
        EnvOption::Set(name, value) => Some(format!("{name}={value}")),
        EnvOption::Inherit(name) => env::var(name).ok().map(|value| format!("{name}={value}")),
    }
}

async fn attend(
    args: &ExecArgs,
    client: &Client,
    executed: Executed,
    signals: &mut Signals,
) -> Result<u8> {
    let Executed {
        exec,
        stdin: input,
        stdout: out,
        stderr: err,
        end,
        ..
    } = executed;
    let copy = |stream: Option<UnixStream>, to: io::Result<Outlet>| -> io::Result<Option<Output>> {
        stream.map(|stream| copy_output(stream, to?)).transpose()
    };
    let out = copy(out, duplicate(stdout()).map(to_fd))?;
    let err = copy(err, duplicate(stderr()).map(to_fd))?;
    let mut copying = Copying::new(out.into_iter().chain(err).collect());
    let raw = args.tty && args.interactive && stdin().is_terminal();
    let terminal = raw.then(RawTerminal::enter).transpose()?;
    let mut windows = Windows::listen(args.tty)?;
    if let Some(stream) = input {
        copy_input(duplicate(stdin())?, stream)?;
    }
    let exited = end.wait();
    let mut exited = std::pin::pin!(exited);
    let exited = loop {
        tokio::select! {
            exited = &mut exited => break exited?,
            wish = signals.next() => match wish {
                Wish::Forward(signal) => forward(client, &exec, signal),
                Wish::Kill(_) => {
                    kill(client, &exec).await;
                    return Ok(exit_code(Signal::KILL));
                }
            },
            error = copying.failed() => return Err(error).context(UNWRITABLE),
            window = windows.next() => {
                let (client, exec) = (client.clone(), exec.clone());
                // Its next size comes with the next change.
                tokio::spawn(async move { client.resize(Some(exec), window).await.ok() });
            }
        }
    };
    if exited.lost.is_none() {
        tokio::select! {
            ended = copying.complete() => ended?,
            _ = signals.next_end() => {}
        }
    }
    drop(terminal);
    if let Some(lost) = exited.lost {
        report::error(&anyhow::anyhow!(lost));
    }
    Ok(exited.code)
}

/// Beside: the next signal must not wait for the owner's answer to this one.
fn forward(client: &Client, exec: &str, signal: Signal) {
    let (client, exec) = (client.clone(), exec.to_owned());
    tokio::spawn(async move { send(&client, &exec, signal).await });
}

/// Kills it, and does not wait for its end: who asks twice has waited long enough.
async fn kill(client: &Client, exec: &str) {
    let sending = send(client, exec, Signal::KILL);
    timeout(OWNER_ANSWERS, sending).await.ok();
}

async fn send(client: &Client, exec: &str, signal: Signal) {
    let number = u32::try_from(signal.as_raw()).unwrap_or(0);
    if let Err(error) = client.signal(Some(exec.to_owned()), number).await {
        tracing::debug!(%error, "signal {number} was not delivered");
    }
}
