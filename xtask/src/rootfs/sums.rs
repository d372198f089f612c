//! SHA256SUMS beside the artefacts: what `shim/sandbox` names in a machine's configuration and the VMM checks before it boots.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// What a VM boots has these beginnings; programs beside them are not listed.
const BOOTED: [&str; 3] = ["bzImage-", "initramfs.cpio", "vmlinux-"];

/// Writes SHA256SUMS (the form of `sha256sum`) for everything in `dir` that a VM boots.
pub(crate) fn record(dir: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if BOOTED.iter().any(|start| name.starts_with(start)) {
            names.push(name);
        }
    }
    names.sort();
    let partial = dir.join(".SHA256SUMS.partial");
    let mut out =
        File::create(&partial).with_context(|| format!("cannot write {}", partial.display()))?;
    for name in names {
        writeln!(out, "{}  {name}", sha256_file(&dir.join(&name))?)?;
    }
    let path = dir.join("SHA256SUMS");
    fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))
}

/// SHA-256 of a file as hexadecimal digits.
fn sha256_file(path: &Path) -> Result<String> {
    let name = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(name)?;
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).with_context(name)?;
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::record;

    #[test]
    fn sums_name_what_boots_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["vmlinux-lean", "initramfs.cpio", "husk-vmm"] {
            fs::write(dir.path().join(name), "abc").unwrap();
        }
        record(dir.path()).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            fs::read_to_string(dir.path().join("SHA256SUMS")).unwrap(),
            format!("{abc}  initramfs.cpio\n{abc}  vmlinux-lean\n")
        );
    }
}
