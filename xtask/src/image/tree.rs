//! The image's root file system: busybox, a link for each of its commands, and the few files that programs expect.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use tar::{Builder, EntryType, Header};

use crate::process;

/// Where Debian's busybox-static puts it.
const BUSYBOX: &str = "/bin/busybox";
/// Debian's has 2 MB and about 300 commands; far more is something else.
const MAX_BYTES: usize = 16 << 20;
const MAX_COMMANDS: usize = 1000;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// The layer as a tar archive.
pub(crate) fn layer() -> Result<Vec<u8>> {
    let program = fs::read(BUSYBOX).with_context(|| format!("cannot read {BUSYBOX}"))?;
    if program.len() > MAX_BYTES {
        bail!("{BUSYBOX} has {} bytes, at most {MAX_BYTES}", program.len());
    }
    let list = process::output(Command::new(BUSYBOX).arg("--list"))?;
    pack(&program, &commands(&list)?)
}

/// The commands that busybox lists, each one a plain name.
fn commands(list: &str) -> Result<BTreeSet<&str>> {
    let names: BTreeSet<&str> = list.lines().filter(|name| *name != "busybox").collect();
    if names.len() > MAX_COMMANDS {
        bail!(
            "{BUSYBOX} lists {} commands, at most {MAX_COMMANDS}",
            names.len()
        );
    }
    for name in &names {
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || name.contains('/') {
            bail!("{BUSYBOX} lists a command that is no plain name: {name:?}");
        }
    }
    Ok(names)
}

fn pack(program: &[u8], commands: &BTreeSet<&str>) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for (name, mode) in [
        ("bin/", 0o755),
        ("dev/", 0o755),
        ("etc/", 0o755),
        ("proc/", 0o755),
        ("root/", 0o700),
        ("sys/", 0o755),
        ("tmp/", 0o1777),
        ("var/", 0o755),
    ] {
        add(&mut tar, EntryType::Directory, name, mode, &[])?;
    }
    add(&mut tar, EntryType::Regular, "bin/busybox", 0o755, program)?;
    for name in commands {
        let mut header = header(EntryType::Symlink, 0o777, 0);
        tar.append_link(&mut header, Path::new("bin").join(name), "busybox")?;
    }
    add(
        &mut tar,
        EntryType::Regular,
        "etc/group",
        0o644,
        GROUP.as_bytes(),
    )?;
    add(
        &mut tar,
        EntryType::Regular,
        "etc/passwd",
        0o644,
        PASSWD.as_bytes(),
    )?;
    Ok(tar.into_inner()?)
}

/// Adds one entry that looks the same wherever and whenever it was made.
pub(super) fn add<W: Write>(
    tar: &mut Builder<W>,
    kind: EntryType,
    name: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let size = u64::try_from(content.len()).context("a file of 2^64 bytes")?;
    let mut header = header(kind, mode, size);
    tar.append_data(&mut header, name, content)
        .with_context(|| format!("cannot pack {name}"))
}

pub(super) fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{MAX_COMMANDS, commands, pack};

    #[test]
    fn every_command_is_a_link_to_busybox() {
        let names = BTreeSet::from(["sh", "uname"]);
        let bytes = pack(b"program", &names).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let links: Vec<_> = archive
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .filter_map(|entry| {
                Some((
                    entry.link_name().ok()??.into_owned(),
                    entry.path().ok()?.into_owned(),
                ))
            })
            .collect();
        assert_eq!(links.len(), 2);
        for (target, name) in links {
            assert_eq!(target, Path::new("busybox"));
            assert!(name.starts_with("bin"), "{}", name.display());
        }
    }

    #[test]
    fn same_program_gives_the_same_layer() {
        let names = BTreeSet::from(["sh"]);
        assert_eq!(pack(b"x", &names).unwrap(), pack(b"x", &names).unwrap());
    }

    #[test]
    fn command_that_is_no_plain_name_is_refused() {
        for list in ["../sh\n", "a/b\n", ".\n", "\n"] {
            assert!(commands(list).is_err(), "{list:?}");
        }
        let many: String = (0..=MAX_COMMANDS).map(|n| format!("c{n}\n")).collect();
        assert!(commands(&many).is_err());
    }
}
