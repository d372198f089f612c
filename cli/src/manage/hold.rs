//! `husk pause` and `husk unpause`.

use std::io::{Write, stdout};

use anyhow::{Context, Result};
use husk_sandbox::{
    engine::{Client, State, find},
    settings::Settings,
};

use super::ending::each;
use crate::args::Names;

/// Holds containers where they are.
pub(crate) async fn pause(args: &Names, settings: &Settings) -> Result<u8> {
    let served = each(&args.names, async |name| {
        let found = find(&settings.run_dir, name)?;
        if found.state != State::Running {
            return Err(found.refuse("pause it").into());
        }
        Client::new(&found).pause().await?;
        writeln!(stdout(), "{name}").context("standard output")
    });
    Ok(served.await)
}

/// Lets paused containers go on.
pub(crate) async fn unpause(args: &Names, settings: &Settings) -> Result<u8> {
    let served = each(&args.names, async |name| {
        let found = find(&settings.run_dir, name)?;
        if found.state != State::Paused {
            return Err(found.refuse("unpause it").into());
        }
        Client::new(&found).unpause().await?;
        writeln!(stdout(), "{name}").context("standard output")
    });
    Ok(served.await)
}
