//! `cargo xtask build`: every artefact side by side in `target/husk`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::kernel::{self, Flavour};
use crate::paths::Workspace;
use crate::process;
use crate::rootfs;

/// The program that people call, and its package.
const CLI: (&str, &str) = ("husk-cli", "husk");

/// The VMM and its package. Static: that saves a millisecond of each start, and its empty root has no libraries.
const VMM: (&str, &str) = ("husk-machine", "husk-vmm");
const VMM_TARGET: &str = "x86_64-unknown-linux-gnu";
/// Position-independent all the same.
const VMM_FLAGS: &str = "-Ctarget-feature=+crt-static";

/// Package and program of the end-to-end tests' probe.
const PROBE: &str = "husk-probe";

/// Builds everything that a VM on this host needs; gives back the flavour of its kernel.
pub(crate) fn build(workspace: &Workspace) -> Result<Flavour> {
    programs(workspace)?;
    let flavour = Flavour::for_host(&workspace.artefacts().join("husk-vmm"));
    rootfs::build(workspace)?;
    install_kernel(workspace, flavour)?;
    rootfs::record(&workspace.artefacts())?;
    Ok(flavour)
}

/// Builds the programs of the host and puts them among the artefacts.
pub(crate) fn programs(workspace: &Workspace) -> Result<()> {
    release(workspace, CLI, None)?;
    release(workspace, VMM, Some((VMM_TARGET, VMM_FLAGS)))
}

/// Builds one program, as this compiler does or for a target with its flags, and puts it among the artefacts.
fn release(
    workspace: &Workspace,
    (package, program): (&str, &str),
    special: Option<(&str, &str)>,
) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--package", package])
        .args(["--bin", program])
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", &workspace.target);
    let mut built = workspace.target.clone();
    if let Some((target, flags)) = special {
        cargo
            .args(["--target", target])
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .env_remove("RUSTFLAGS");
        built.push(target);
    }
    process::run_step(workspace, program, &mut cargo, |_| {})?;
    built.extend(["release", program]);
    install(&built, &workspace.artefacts(), program)
}

/// Builds the program that the end-to-end tests run inside of a container.
pub(crate) fn probe(workspace: &Workspace) -> Result<()> {
    let built = rootfs::static_program(workspace, PROBE)?;
    install(&built, &workspace.artefacts(), PROBE)
}

/// Takes the kernel from the cache, built now if need be, and puts it among the artefacts.
pub(crate) fn install_kernel(workspace: &Workspace, flavour: Flavour) -> Result<()> {
    let kernel = kernel::ensure(workspace, flavour)?;
    let artefacts = workspace.artefacts();
    let read = fs::read(&kernel.vmlinux);
    let whole = read.with_context(|| format!("cannot read {}", kernel.vmlinux.display()))?;
    let packed = kernel::pack(&whole).with_context(|| kernel.vmlinux.display().to_string())?;
    let name = format!("vmlinux-{}", kernel.flavour);
    replace(&artefacts, &name, |partial| fs::write(partial, &packed))?;
    install(
        &kernel.bzimage,
        &artefacts,
        &format!("bzImage-{}", kernel.flavour),
    )
}

/// Copies a file into `dir` under `name`.
fn install(from: &Path, dir: &Path, name: &str) -> Result<()> {
    let copy = |partial: &Path| fs::copy(from, partial).map(drop);
    replace(dir, name, copy).with_context(|| format!("cannot copy {}", from.display()))
}

/// Makes a file by `write` and puts it into `dir` under `name`; a reader sees the old one or the new one.
fn replace(dir: &Path, name: &str, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let to = dir.join(name);
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let partial = dir.join(format!(".{name}.partial"));
    write(&partial).with_context(|| format!("cannot write {}", partial.display()))?;
    // The old file keeps its time: by that husk knows again which VMM measured this host.
    if same(&partial, &to) {
        return fs::remove_file(&partial)
            .with_context(|| format!("cannot remove {}", partial.display()));
    }
    fs::rename(&partial, &to).with_context(|| format!("cannot write {}", to.display()))
}

fn same(new: &Path, old: &Path) -> bool {
    let size = |path: &Path| fs::metadata(path).map(|about| about.len()).ok();
    size(new) == size(old)
        && matches!((fs::read(new), fs::read(old)), (Ok(new), Ok(old)) if new == old)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::replace;

    #[test]
    fn equal_content_keeps_the_file_and_other_content_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        let inode = || {
            use std::os::unix::fs::MetadataExt;
            fs::metadata(dir.path().join("vmm")).unwrap().ino()
        };
        let put = |bytes: &str| replace(dir.path(), "vmm", |path| fs::write(path, bytes)).unwrap();
        put("one");
        let first = inode();
        put("one");
        assert_eq!(inode(), first);
        put("two");
        assert_ne!(inode(), first);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
