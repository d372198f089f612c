//! The steps from source to kernel, the cache of finished ones, and the lock that keeps two builds apart.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};

use super::flavour::Flavour;
use super::fragment::{self, Options};
use super::source::Source;
use crate::host;
use crate::key::Key;
use crate::paths::{self, Workspace};
use crate::process;
use crate::progress::Progress;

/// Changes when the build itself changes in a way that its inputs do not show.
const RECIPE: &str = "1";

/// A finished kernel in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// Which one.
    pub(crate) flavour: Flavour,
    /// Stripped ELF.
    pub(crate) vmlinux: PathBuf,
    /// The same as bzImage.
    pub(crate) bzimage: PathBuf,
}

/// Everything that goes into one kernel.
#[derive(Debug)]
struct Inputs {
    flavour: Flavour,
    source: Source,
    fragments: Vec<(String, String)>,
    patches: Vec<(PathBuf, Vec<u8>)>,
    compiler: String,
}

/// Gives the kernel of this flavour, built now unless the cache has it.
pub(crate) fn ensure(workspace: &Workspace, flavour: Flavour) -> Result<Kernel> {
    host::ensure_packages(host::KERNEL)?;
    let inputs = Inputs::collect(workspace, flavour)?;
    let cache = paths::cache_dir()?.join("kernel");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let entry = cache.join(format!("{flavour}-{}", inputs.key()));
    if let Some(kernel) = cached(flavour, &entry) {
        return Ok(kernel);
    }
    sweep(&cache);
    let _lock = lock(&entry)?;
    // Somebody else may have built it while this process waited.
    if let Some(kernel) = cached(flavour, &entry) {
        return Ok(kernel);
    }
    let work = entry.with_extension("building");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    fs::create_dir(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let log = entry.with_extension("log");
    fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
    let built = inputs.build(&cache, &work, &log, &entry);
    fs::remove_dir_all(&work).unwrap_or_default();
    built.with_context(|| format!("the {flavour} kernel was not built"))?;
    cached(flavour, &entry).with_context(|| format!("{} is not complete", entry.display()))
}

/// The finished kernel, if it is there; entries appear whole, by a rename.
fn cached(flavour: Flavour, entry: &Path) -> Option<Kernel> {
    let kernel = Kernel {
        flavour,
        vmlinux: entry.join("vmlinux"),
        bzimage: entry.join("bzImage"),
    };
    (kernel.vmlinux.is_file() && kernel.bzimage.is_file()).then_some(kernel)
}

/// Held until the file is dropped; the system lets go of it when the process dies.
fn lock(entry: &Path) -> Result<File> {
    let path = entry.with_extension("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            eprintln!(
                "another process builds this kernel: waiting for it ({})",
                path.display()
            );
        }
        Err(TryLockError::Error(error)) => bail!("cannot lock {}: {error}", path.display()),
    }
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Removes what killed builds left: trees of 2 GB whose locks nobody holds.
fn sweep(cache: &Path) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    for work in entries.map(|entry| entry.path()) {
        if work
            .extension()
            .is_none_or(|extension| extension != "building")
        {
            continue;
        }
        // Held until the tree is gone.
        let lock = File::create(work.with_extension("lock"));
        if lock.as_ref().is_ok_and(|lock| lock.try_lock().is_ok()) {
            // What cannot be removed is in nobody's way.
            fs::remove_dir_all(&work).unwrap_or_default();
        }
    }
}

impl Inputs {
    fn collect(workspace: &Workspace, flavour: Flavour) -> Result<Self> {
        let dir = workspace.root.join("kernel-config");
        let mut fragments = Vec::new();
        for name in ["common.config".to_owned(), format!("{flavour}.config")] {
            let path = dir.join(&name);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            fragments.push((name, text));
        }
        let mut patches = Vec::new();
        let series = dir.join("patches");
        let listing =
            fs::read_dir(&series).with_context(|| format!("cannot read {}", series.display()))?;
        for file in listing {
            let path = file?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "patch")
            {
                let content =
                    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                patches.push((path, content));
            }
        }
        // The number at the start of the name is the place in the series.
        patches.sort();
        let compiler = process::output(Command::new("gcc").arg("--version"))?;
        let compiler = compiler.lines().next().unwrap_or_default().to_owned();
        Ok(Self {
            flavour,
            source: Source::candidate()?,
            fragments,
            patches,
            compiler,
        })
    }

    fn key(&self) -> String {
        let mut key = Key::new(RECIPE);
        key.add("flavour", self.flavour.name().as_bytes());
        key.add("source", self.source.version.as_bytes());
        key.add("compiler", self.compiler.as_bytes());
        for (name, text) in &self.fragments {
            key.add(name, text.as_bytes());
        }
        for (path, content) in &self.patches {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            key.add(&name, content);
        }
        key.text()
    }

    /// Builds below `work` and moves the result to `entry` at once.
    fn build(&self, cache: &Path, work: &Path, log: &Path, entry: &Path) -> Result<()> {
        let package = self.source.download(cache)?;
        let tree = Source::unpack(&package, work)?;
        // The tree's own date, before anything touches it: two builds of the same inputs say the same.
        let date = date_of(&tree.join("Makefile"))?;
        self.patch(&tree, log)?;
        self.configure(&tree, log)?;
        compile(self.flavour, &tree, log, &date)?;

        let finished = work.join("finished");
        fs::create_dir(&finished)?;
        process::output(
            Command::new("strip")
                .arg("-o")
                .arg(finished.join("vmlinux"))
                .arg(tree.join("vmlinux")),
        )?;
        fs::copy(tree.join("arch/x86/boot/bzImage"), finished.join("bzImage"))
            .context("cannot copy the bzImage")?;
        fs::copy(tree.join(".config"), finished.join("config")).context("cannot copy .config")?;
        fs::write(
            finished.join("source"),
            format!("{}\n", self.source.version),
        )?;
        fs::rename(&finished, entry).with_context(|| format!("cannot write {}", entry.display()))
    }

    fn patch(&self, tree: &Path, log: &Path) -> Result<()> {
        let mut progress = Progress::begin("kernel patches");
        for (path, _) in &self.patches {
            let mut patch = Command::new("patch");
            patch
                .args(["-p1", "--batch", "--forward", "--fuzz=0", "-i"])
                .arg(path);
            process::run_logged(patch.current_dir(tree), log, &mut progress, str::to_owned)
                .with_context(|| {
                    format!("{} does not fit {}", path.display(), self.source.version)
                })?;
        }
        progress.end(&format!("{} applied", self.patches.len()));
        Ok(())
    }

    /// tinyconfig, then the fragments, then what Kconfig makes of them.
    fn configure(&self, tree: &Path, log: &Path) -> Result<()> {
        let mut wanted = Options::new();
        for (name, text) in &self.fragments {
            fragment::read(name, text, &mut wanted)?;
        }
        let mut progress = Progress::begin("kernel configuration");
        let mut step = |target: &str| {
            let mut make = Command::new("make");
            make.arg(target).current_dir(tree);
            process::run_logged(&mut make, log, &mut progress, str::to_owned)
        };
        step("tinyconfig")?;
        let path = tree.join(".config");
        let mut config = fs::read_to_string(&path).context("tinyconfig left no .config")?;
        for (_, text) in &self.fragments {
            config.push_str(text);
        }
        fs::write(&path, config).context("cannot write .config")?;
        step("olddefconfig")?;
        let lost = fragment::lost(&wanted, &fs::read_to_string(&path)?);
        if !lost.is_empty() {
            bail!(
                "options that did not survive olddefconfig:\n{}",
                lost.join("\n")
            );
        }
        progress.end(&format!("{} options as asked", wanted.len()));
        Ok(())
    }
}

fn compile(flavour: Flavour, tree: &Path, log: &Path, date: &str) -> Result<()> {
    let mut progress = Progress::begin(&format!("kernel {flavour}"));
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut make = Command::new("make");
    make.arg(format!("-j{jobs}"))
        .args(["vmlinux", "bzImage"])
        .current_dir(tree)
        .env("KBUILD_BUILD_TIMESTAMP", date)
        .env("KBUILD_BUILD_USER", "husk")
        .env("KBUILD_BUILD_HOST", "husk")
        .env("KBUILD_BUILD_VERSION", "1")
        // Of a make that called this one: its jobs are not this one's.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .env_remove("MAKELEVEL");
    let mut files = 0_u32;
    process::run_logged(&mut make, log, &mut progress, |line| {
        files += 1;
        format!("{files} steps, {}", line.trim())
    })?;
    progress.end(&format!("{files} steps"));
    Ok(())
}

/// The time of a file, as the kernel shows it in `uname -v`.
fn date_of(path: &Path) -> Result<String> {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    let modified = modified.with_context(|| format!("cannot read {}", path.display()))?;
    let seconds = modified
        .duration_since(UNIX_EPOCH)
        .context("a file from before 1970")?;
    let argument = format!("@{}", seconds.as_secs());
    let text = process::output(
        Command::new("date")
            .args(["-u", "+%a %b %e %H:%M:%S UTC %Y", "-d", &argument])
            .env("LC_ALL", "C"),
    )?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{lock, sweep};

    #[test]
    fn tree_of_a_killed_build_is_removed_and_that_of_a_running_one_is_not() {
        let cache = tempfile::tempdir().unwrap();
        for key in ["lean-dead", "lean-live", "lean-done"] {
            fs::create_dir(cache.path().join(key)).unwrap();
        }
        for key in ["lean-dead", "lean-live"] {
            let from = cache.path().join(key);
            fs::rename(&from, from.with_extension("building")).unwrap();
        }
        let held = lock(&cache.path().join("lean-live")).unwrap();
        sweep(cache.path());
        assert!(!cache.path().join("lean-dead.building").exists());
        assert!(cache.path().join("lean-live.building").exists());
        assert!(cache.path().join("lean-done").exists());
        drop(held);
    }
}
