//! `cargo xtask run` (`make run`): from a clone to a command in a microVM.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use super::build;
use crate::host;
use crate::image;
use crate::paths::Workspace;
use crate::process;

/// Builds what is missing, makes an image, runs it, and says how to go on.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    host::require_kvm()?;
    build::build(workspace)?;
    let image = image::build(workspace)?;
    let husk = workspace.artefacts().join("husk");
    eprintln!("\n$ {} run {} -- uname -a", husk.display(), image.display());
    let begun = Instant::now();
    let guest = process::output(
        Command::new(&husk)
            .args(["run", "--rm"])
            .arg(&image)
            .args(["--", "uname", "-a"])
            .env("HUSK_ARTEFACTS", workspace.artefacts()),
    )?;
    println!("{}", guest.trim_end());
    let host = process::output(Command::new("uname").arg("-r"))?;
    let host = host.trim();
    if guest.contains(host) {
        bail!("the command saw the host's kernel {host}: it did not run in a microVM");
    }
    eprintln!(
        "\nThat was a Linux kernel of its own (this host runs {host}): {:.1} s from `husk run` to its end.\n\
         More: {} run --help; `husk check` says what this host can do.",
        begun.elapsed().as_secs_f64(),
        husk.display()
    );
    Ok(())
}
