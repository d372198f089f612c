//! `husk stop`, `kill`, `wait`, `rm`, and what they share: many names, one answer each.

use std::{
    io::{Write, stdout},
    time::Duration,
};

use anyhow::{Context, Result};
use husk_sandbox::{
    engine::{self, Client, EngineError, Found, State, await_owner, find},
    settings::Settings,
};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    args::{KillArgs, Names, RmArgs, StopArgs},
    report,
};

/// Exit code when one of the names could not be served.
const SOME_FAILED: u8 = 1;

/// How long an owner may take to end its machine by force: it does not wait for the guest.
const OWNER_ANSWERS: Duration = Duration::from_secs(30);

/// The signal that asks, when the container does not say.
const TERM: u32 = 15;

/// Serves each name; one that fails is reported and the next one's turn comes. Gives the exit code.
pub(super) async fn each(names: &[String], mut serve: impl AsyncFnMut(&str) -> Result<()>) -> u8 {
    let mut code = 0;
    for name in names {
        if let Err(error) = serve(name).await {
            report::error(&error);
            code = SOME_FAILED;
        }
    }
    code
}

fn say(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("standard output")
}

/// Asks containers to end, and sees to it.
pub(crate) async fn stop(args: &StopArgs, settings: &Settings) -> Result<u8> {
    let served = each(&args.names.names, async |name| {
        let found = find(&settings.run_dir, name)?;
        match found.state {
            State::Exited => {}
            State::Dead | State::Starting => return Err(found.refuse("stop it").into()),
            State::Running | State::Paused => stop_one(args, &found).await?,
        }
        say(name)
    });
    Ok(served.await)
}

async fn stop_one(args: &StopArgs, found: &Found) -> Result<()> {
    let about = found.about.as_ref();
    let signal = about.map_or(TERM, |about| about.stop_signal);
    let grace = match args.timeout {
        Some(seconds) => u64::try_from(seconds).ok(),
        None => about.map(|about| about.stop_timeout_s),
    };
    let stopping = Client::new(found);
    let stopped = stopping.stop(args.signal.unwrap_or(signal), grace).await;
    settle(found, stopped).await
}

/// Sends containers a signal.
pub(crate) async fn kill(args: &KillArgs, settings: &Settings) -> Result<u8> {
    let served = each(&args.names.names, async |name| {
        let found = find(&settings.run_dir, name)?;
        if !matches!(found.state, State::Running | State::Paused) {
            return Err(found.refuse("kill it").into());
        }
        Client::new(&found).signal(None, args.signal).await?;
        say(name)
    });
    Ok(served.await)
}

/// Waits for the ends of containers and prints their exit codes.
pub(crate) async fn wait(args: &Names, settings: &Settings) -> Result<u8> {
    let served = each(&args.names, async |name| {
        let found = find(&settings.run_dir, name)?;
        let code = match found.state {
            State::Exited => exit_code(&found),
            State::Dead => return Err(found.refuse("wait for it").into()),
            _ => Some(wait_one(&found).await?),
        };
        let code = code.ok_or_else(|| found.refuse("say how it ended"))?;
        say(&code.to_string())
    });
    Ok(served.await)
}

async fn wait_one(found: &Found) -> Result<u8> {
    match Client::new(found).wait().await {
        Ok(exited) => Ok(exited.code),
        Err(error) => {
            // It may have ended just now.
            let again = found.again().ok().filter(|now| now.state == State::Exited);
            again
                .as_ref()
                .and_then(exit_code)
                .ok_or_else(|| error.into())
        }
    }
}

fn exit_code(found: &Found) -> Option<u8> {
    found.status.as_ref().and_then(|status| status.exit_code)
}

/// Removes containers and what is left of them.
pub(crate) async fn remove(args: &RmArgs, settings: &Settings) -> Result<u8> {
    let served = each(&args.names.names, async |name| {
        let found = match find(&settings.run_dir, name) {
            Err(EngineError::NotFound(_)) if args.force => return Ok(()),
            found => found?,
        };
        if found.state.is_alive() {
            if !args.force {
                return Err(found.refuse("remove it without -f").into());
            }
            // An owner that does not do it, or does not even answer, is killed.
            let asked = timeout(OWNER_ANSWERS, Client::new(&found).remove()).await;
            tracing::debug!("owner of {name}: {asked:?}");
        }
        spawn_blocking(move || engine::remove(&found)).await??;
        say(name)
    });
    Ok(served.await)
}

/// After an end that was asked for: returns when the owner has written its last word and gone.
async fn settle(found: &Found, ended: Result<(), EngineError>) -> Result<()> {
    if let Err(error) = ended {
        // It may have ended by itself in the middle of it.
        match found.again() {
            Ok(now) if now.state != State::Exited => return Err(error.into()),
            _ => {}
        }
    }
    let owner = found.clone();
    let gone = spawn_blocking(move || await_owner(&owner)).await??;
    if !gone {
        return Err(found.refuse("see the end of its owner").into());
    }
    Ok(())
}
