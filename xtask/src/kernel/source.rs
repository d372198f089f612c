//! Debian's kernel source package: which version apt offers, and its tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::host;
use crate::process;
use crate::progress::Progress;

/// The source package; its tree and archive carry the same name.
const PACKAGE: &str = "linux-source-6.12";

/// One version of the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Debian's version.
    pub(crate) version: String,
}

impl Source {
    /// The version that apt would install.
    pub(crate) fn candidate() -> Result<Self> {
        if let Some(source) = Self::in_index()? {
            return Ok(source);
        }
        eprintln!("apt's lists do not have {PACKAGE}: fetching them");
        host::update_index()?;
        match Self::in_index()? {
            Some(source) => Ok(source),
            None => bail!("apt offers no {PACKAGE}: Debian 12 has it in bookworm-security"),
        }
    }

    fn in_index() -> Result<Option<Self>> {
        let text = process::output(Command::new("apt-cache").args(["policy", PACKAGE]))?;
        Ok(candidate_of(&text).map(|version| Self {
            version: version.to_owned(),
        }))
    }

    /// Downloads the package unless the cache has it; apt checks it against its signed index.
    pub(crate) fn download(&self, cache: &Path) -> Result<PathBuf> {
        let dir = cache.join("source");
        let package = dir.join(format!(
            "{PACKAGE}_{}.deb",
            self.version.replace(':', "%3a")
        ));
        if package.is_file() {
            return Ok(package);
        }
        let partial = dir.join(format!("download-{}", std::process::id()));
        fs::create_dir_all(&partial)
            .with_context(|| format!("cannot make {}", partial.display()))?;
        let progress = Progress::begin("kernel source");
        let fetched = self.fetch(&partial, &package);
        fs::remove_dir_all(&partial).unwrap_or_default();
        fetched?;
        progress.end(&format!("{PACKAGE} {} downloaded", self.version));
        Ok(package)
    }

    fn fetch(&self, partial: &Path, package: &Path) -> Result<()> {
        let wanted = format!("{PACKAGE}={}", self.version);
        process::output(
            Command::new("apt-get")
                .args(["download", "-q", &wanted])
                .current_dir(partial),
        )
        .with_context(|| format!("cannot download {wanted}; is the network there?"))?;
        let mut files = fs::read_dir(partial)?;
        let Some(file) = files.next().transpose()? else {
            bail!("apt-get download {wanted} left no file");
        };
        fs::rename(file.path(), package)
            .with_context(|| format!("cannot write {}", package.display()))
    }

    /// Unpacks the downloaded package below `dir`; gives back the tree.
    pub(crate) fn unpack(package: &Path, dir: &Path) -> Result<PathBuf> {
        let log = dir.join("unpack.log");
        let mut progress = Progress::begin("kernel source");
        let quiet = |_: &str| "unpacking".to_owned();
        let mut dpkg = Command::new("dpkg-deb");
        dpkg.arg("-x").arg(package).arg(dir.join("package"));
        process::run_logged(&mut dpkg, &log, &mut progress, quiet)?;
        let archive = dir.join(format!("package/usr/src/{PACKAGE}.tar.xz"));
        let mut tar = Command::new("tar");
        tar.arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(dir)
            .env("XZ_DEFAULTS", "-T0");
        process::run_logged(&mut tar, &log, &mut progress, quiet)?;
        fs::remove_dir_all(dir.join("package")).unwrap_or_default();
        let tree = dir.join(PACKAGE);
        if !tree.join("Makefile").is_file() {
            bail!("{} holds no kernel tree", archive.display());
        }
        progress.end("unpacked");
        Ok(tree)
    }
}

/// The candidate in the answer of `apt-cache policy`.
fn candidate_of(policy: &str) -> Option<&str> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
}

#[cfg(test)]
mod tests {
    use super::candidate_of;

    #[test]
    fn policy_with_candidate_gives_its_version() {
        let policy = "linux-source-6.12:\n  Installed: (none)\n  Candidate: 6.12.117-1~deb12u1\n";
        assert_eq!(candidate_of(policy), Some("6.12.117-1~deb12u1"));
    }

    #[test]
    fn policy_without_candidate_gives_none() {
        assert_eq!(
            candidate_of("p:\n  Installed: (none)\n  Candidate: (none)\n"),
            None
        );
        assert_eq!(candidate_of(""), None);
    }
}
