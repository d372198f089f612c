//! A root file system: packages unpacked without their scripts, and the steps that a recipe declares in their place.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::programs::recipe::Recipe;

/// Debian's merged /usr: its packages are written for either form, its programs for this one.
const MERGED: &[&str] = &["bin", "lib", "lib64", "sbin"];

const DIRS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];

const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";

/// Makes the directories that every root has.
pub(super) fn begin(root: &Path) -> Result<()> {
    for dir in MERGED {
        make(&root.join("usr").join(dir), 0o755, 0)?;
        symlink(format!("usr/{dir}"), root.join(dir))
            .with_context(|| format!("cannot link {dir}"))?;
    }
    for (dir, mode) in DIRS {
        make(&root.join(dir), *mode, 0)?;
    }
    Ok(())
}

/// Unpacks packages, which keep the links of the root.
pub(super) fn unpack(root: &Path, packages: &[PathBuf]) -> Result<()> {
    for package in packages {
        let mut dpkg = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(package)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run dpkg-deb")?;
        let files = dpkg.stdout.take().context("dpkg-deb has no output")?;
        let tar = Command::new("tar")
            .args(["--extract", "--keep-directory-symlink", "--same-owner"])
            .args(["--numeric-owner", "--preserve-permissions", "--directory"])
            .arg(root)
            .stdin(files)
            .status()
            .context("cannot run tar")?;
        let dpkg = dpkg.wait().context("cannot wait for dpkg-deb")?;
        if !tar.success() || !dpkg.success() {
            bail!(
                "cannot unpack {}: dpkg-deb {dpkg}, tar {tar}",
                package.display()
            );
        }
    }
    Ok(())
}

/// Does what maintainer scripts would have done, as far as the recipe wants it.
pub(super) fn finish(root: &Path, recipe: &Recipe) -> Result<()> {
    let mut passwd = "root:x:0:0:root:/root:/bin/sh\n".to_owned();
    let mut group = "root:x:0:\n".to_owned();
    for user in &recipe.user {
        let (name, id, home) = (&user.name, user.id, &user.home);
        passwd.push_str(&format!("{name}:x:{id}:{id}:{name}:{home}:/bin/sh\n"));
        group.push_str(&format!("{name}:x:{id}:\n"));
    }
    passwd.push_str("nobody:x:65534:65534:nobody:/:/bin/false\n");
    group.push_str("nogroup:x:65534:\n");
    for (path, text) in [
        ("etc/passwd", passwd.as_str()),
        ("etc/group", &group),
        ("etc/hosts", HOSTS),
    ] {
        file(&root.join(path), text, 0o644, 0)?;
    }
    for dir in &recipe.dir {
        make(&below(root, &dir.path)?, octal(&dir.mode)?, dir.owner)?;
    }
    for entry in &recipe.file {
        let path = below(root, &entry.path)?;
        file(&path, &entry.text, octal(&entry.mode)?, entry.owner)?;
    }
    Ok(())
}

fn make(dir: &Path, mode: u32, owner: u32) -> Result<()> {
    fs::create_dir_all(dir)
        .and_then(|()| own(dir, mode, owner))
        .with_context(|| format!("cannot make {}", dir.display()))
}

fn file(path: &Path, text: &str, mode: u32, owner: u32) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    // What a package has there may be a link.
    fs::remove_file(path).unwrap_or_default();
    fs::write(path, text)
        .and_then(|()| own(path, mode, owner))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn own(path: &Path, mode: u32, owner: u32) -> std::io::Result<()> {
    chown(path, Some(owner), Some(owner))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// An absolute path of the container as one of the host.
fn below(root: &Path, path: &str) -> Result<PathBuf> {
    let Ok(relative) = Path::new(path).strip_prefix("/") else {
        bail!("{path:?} is no absolute path");
    };
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        bail!("{path:?} is no plain path");
    }
    Ok(root.join(relative))
}

fn octal(mode: &str) -> Result<u32> {
    u32::from_str_radix(mode, 8).with_context(|| format!("{mode:?} is no mode"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{below, octal};

    #[test]
    fn path_that_could_leave_the_root_is_refused() {
        for path in ["etc", "/../etc", "/a/../../b", ""] {
            assert!(below(Path::new("/r"), path).is_err(), "{path:?}");
        }
        assert_eq!(below(Path::new("/r"), "/a/b").unwrap(), Path::new("/r/a/b"));
    }

    #[test]
    fn mode_is_octal() {
        assert_eq!(octal("1777").unwrap(), 0o1777);
        assert!(octal("9").is_err());
    }
}
