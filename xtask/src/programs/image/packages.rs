//! Debian packages with everything that they depend on, resolved and fetched by apt as if nothing were installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::host;
use crate::process;
use crate::progress::Progress;

/// Debian's own archive wins, whatever else this host has among its sources.
const PREFERENCES: &str = "Package: *\nPin: release o=Debian\nPin-Priority: 1001\n";

/// Where packages are kept in the cache.
const DEBS: &str = "debs";

/// What only maintainer scripts and service managers need: no container has either. A name that ends in `*` is a beginning.
const WITHOUT: &[&str] = &[
    "adduser",
    "ca-certificates*",
    "debconf",
    "dmsetup",
    "dpkg",
    "fontconfig-config",
    "fonts-*",
    "init-system-helpers",
    "iproute2",
    "libbpf1",
    "libcap2-bin",
    "libconfig-inifiles-perl",
    "libdbi-perl",
    "libfile-find-rule-perl",
    "libjson-perl",
    "libnumber-compare-perl",
    "libpam-modules*",
    "libperl5*",
    "libsystemd-shared",
    "libtext-glob-perl",
    "locales",
    "lsb-base",
    "mount",
    "passwd",
    "perl*",
    "rsync",
    "ssl-cert",
    "systemd",
    "sysvinit-utils",
    "ucf",
    "usrmerge",
    "util-linux*",
];

/// Packages that apt chose: what each is called in its cache, and the digest that its index gives.
#[derive(Debug)]
pub(super) struct Closure {
    wanted: Vec<String>,
    /// apt's own lines, one a package: address, file, size, digest.
    lines: Vec<String>,
}

impl Closure {
    /// Asks apt what `wanted` needs.
    pub(super) fn resolve(cache: &Path, wanted: &[String]) -> Result<Self> {
        let ask = || process::output(apt(cache, "none")?.arg("--print-uris").args(wanted));
        let list = match ask() {
            Ok(list) => list,
            // Its lists may be missing.
            Err(_) => {
                host::update_index()?;
                ask()?
            }
        };
        Self::read(wanted, &list)
    }

    fn read(wanted: &[String], list: &str) -> Result<Self> {
        let lines: Vec<String> = list
            .lines()
            .filter(|line| line.starts_with('\'') && !left_out(line))
            .map(str::to_owned)
            .collect();
        if lines.is_empty() {
            bail!("apt names no packages for {}", wanted.join(" "));
        }
        Ok(Self {
            wanted: wanted.to_vec(),
            lines,
        })
    }

    /// What tells one closure from another: files and digests.
    pub(super) fn identity(&self) -> String {
        let words = self.lines.iter().filter_map(|line| line.split_once(' '));
        let mut known: Vec<&str> = words.map(|(_address, rest)| rest).collect();
        known.sort_unstable();
        known.join("\n")
    }

    /// Downloads what the cache does not have; apt checks it against its signed index.
    pub(super) fn fetch(&self, cache: &Path) -> Result<Vec<PathBuf>> {
        let files = || -> Vec<PathBuf> {
            let names = self.lines.iter().filter_map(|line| line.split(' ').nth(1));
            names.map(|name| cache.join(DEBS).join(name)).collect()
        };
        if files().iter().all(|file| file.is_file()) {
            return Ok(files());
        }
        let progress = Progress::begin("packages");
        let fetch = || process::output(apt(cache, DEBS)?.arg("--download-only").args(&self.wanted));
        if fetch().is_err() {
            // Old lists name versions that are no longer there.
            host::update_index()?;
            fetch().context("is the network there?")?;
        }
        progress.end(&format!("{} with what it needs", self.wanted.join(" ")));
        if let Some(missing) = files().iter().find(|file| !file.is_file()) {
            bail!("apt left no {}; try again", missing.display());
        }
        Ok(files())
    }
}

/// `apt-get install` as on a host that has nothing, with its files in this directory of the cache. What it finds there it
/// does not name, so it is asked with one that stays empty.
fn apt(cache: &Path, debs: &str) -> Result<Command> {
    let debs = cache.join(debs);
    let preferences = cache.join("preferences");
    fs::create_dir_all(debs.join("partial"))
        .and_then(|()| fs::write(&preferences, PREFERENCES))
        .with_context(|| format!("cannot write {}", cache.display()))?;
    let mut apt = Command::new("apt-get");
    for option in [
        "Dir::State::status=/dev/null",
        "Dir::Etc::preferencesparts=/dev/null",
        "APT::Install-Recommends=0",
        "APT::Sandbox::User=root",
        "Debug::NoLocking=1",
        &format!("Dir::Etc::preferences={}", preferences.display()),
        &format!("Dir::Cache::archives={}", debs.display()),
    ] {
        apt.args(["-o", option]);
    }
    apt.args(["install", "-y", "-q"]);
    Ok(apt)
}

/// Whether one of apt's lines is of a package that no container needs.
fn left_out(line: &str) -> bool {
    let file = line.split(' ').nth(1).unwrap_or_default();
    let package = file.split('_').next().unwrap_or_default();
    WITHOUT.iter().any(|name| match name.strip_suffix('*') {
        Some(beginning) => package.starts_with(beginning),
        None => package == *name,
    })
}

#[cfg(test)]
mod tests {
    use super::Closure;

    const LIST: &str = "Reading package lists...\n\
        'http://a/pool/redis_1%3a7_amd64.deb' redis_1%3a7_amd64.deb 100 SHA256:aa\n\
        'http://a/pool/perl-base_5_amd64.deb' perl-base_5_amd64.deb 100 SHA256:bb\n\
        'http://a/pool/libc6_2_amd64.deb' libc6_2_amd64.deb 100 SHA256:cc\n";

    fn read(list: &str) -> Closure {
        Closure::read(&["redis".to_owned()], list).unwrap()
    }

    #[test]
    fn packages_that_only_scripts_need_are_left_out() {
        let identity = read(LIST).identity();
        assert!(
            identity.contains("libc6_2") && identity.contains("redis_1"),
            "{identity}"
        );
        assert!(!identity.contains("perl"), "{identity}");
    }

    #[test]
    fn identity_follows_digests_and_not_mirrors_or_order() {
        let base = read(LIST).identity();
        assert_eq!(base, read(&LIST.replace("http://a", "http://b")).identity());
        let turned: Vec<&str> = LIST.lines().rev().collect();
        assert_eq!(base, read(&turned.join("\n")).identity());
        assert_ne!(
            base,
            read(&LIST.replace("SHA256:cc", "SHA256:cd")).identity()
        );
    }

    #[test]
    fn answer_without_packages_is_refused() {
        assert!(Closure::read(&[], "Reading package lists...\n").is_err());
    }
}
