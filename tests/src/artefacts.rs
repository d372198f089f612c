//! Where the programs under test are: the directory that `cargo xtask build` fills, named by `HUSK_ARTEFACTS`.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The directory with `husk`, `husk-vmm`, the kernels, the initramfs and their sums.
///
/// # Errors
/// `HUSK_ARTEFACTS` is not set or names no directory.
pub fn dir() -> Result<PathBuf> {
    let dir = env::var_os("HUSK_ARTEFACTS")
        .map(PathBuf::from)
        .context("HUSK_ARTEFACTS is not set: run the tests by `cargo xtask test`")?;
    ensure!(
        dir.is_dir(),
        "HUSK_ARTEFACTS {} is no directory",
        dir.display()
    );
    Ok(dir)
}

/// One program or file of it.
///
/// # Errors
/// It is not there.
pub fn file(name: &str) -> Result<PathBuf> {
    let path = dir()?.join(name);
    ensure!(
        path.is_file(),
        "{} is missing: run `cargo xtask build`",
        path.display()
    );
    Ok(path)
}
