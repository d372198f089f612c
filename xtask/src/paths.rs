//! Where things are: the checkout, cargo's target directory, the artefacts, the cache outside of the checkout.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The directories that every command works in.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// Top of the checkout.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the checkout from the working directory upwards.
    pub(crate) fn find() -> Result<Self> {
        let start = env::current_dir().context("cannot read the working directory")?;
        let root = start
            .ancestors()
            .find(|dir| dir.join("layers.toml").is_file() && dir.join("Cargo.toml").is_file())
            .map(Path::to_path_buf);
        let Some(root) = root else {
            bail!("{} is in no checkout of husk", start.display());
        };
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => start.join(dir),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Where the finished artefacts lie side by side.
    pub(crate) fn artefacts(&self) -> PathBuf {
        self.target.join("husk")
    }
}

/// What outlives a checkout: kernels and their source.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(dir) if Path::new(&dir).is_absolute() => PathBuf::from(dir),
        _ => match env::var_os("HOME") {
            Some(home) => Path::new(&home).join(".cache"),
            None => bail!("neither XDG_CACHE_HOME nor HOME is set: no place for the kernel cache"),
        },
    };
    Ok(base.join("husk"))
}
