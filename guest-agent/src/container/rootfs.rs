//! A container's root: EROFS disks, an overlay, and the place that takes the writes.

use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    fs, io,
    path::{Path, PathBuf},
};

use husk_protocol::agent::RootFs as Wanted;
use rustix::{
    fs::chown,
    mount::{MountFlags, UnmountFlags, mount, unmount},
};

use super::{
    error::ContainerError,
    ids::{Depth, Mapped, mount_mapped},
};
use crate::guest::{RUN, Serial, find_disk};

/// How the scratch disk is mounted: nothing of an empty file system is read ahead, and there are no inode tables left to
/// clear. The kernel thread that would do both in the background runs while the first container starts, for longer
/// than the mount itself takes.
const SCRATCH_OPTIONS: &CStr =
    c"noinit_itable,no_prefetch_block_bitmaps,noblock_validity,inode_readahead_blks=0";

/// Disks that are mounted, and how many containers use each.
#[derive(Debug, Default)]
pub(super) struct Disks {
    images: HashMap<Serial, usize>,
    scratch: Vec<Serial>,
}

/// An assembled root, and what it was made of.
#[derive(Debug)]
pub(super) struct RootFs {
    directory: PathBuf,
    layers: Vec<Serial>,
    writes: PathBuf,
    /// There is no scratch disk: what set-up must write goes to memory, and the container may not write at all.
    pub(super) read_only: bool,
}

impl RootFs {
    /// Where the container's processes will have their `/`.
    pub(super) fn merged(&self) -> PathBuf {
        merged_in(&self.directory)
    }

    /// Directory of the bundle.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where mounts with mapped ids are attached; all are gone before anything is removed.
    pub(super) fn mapped(&self) -> PathBuf {
        self.directory.join("mapped")
    }

    /// The layers with the container's ids. What it writes has them on the disk: nobody else ever sees that directory.
    fn map_layers(
        &self,
        layers: &[PathBuf],
        mapped: Mapped<'_>,
    ) -> Result<Vec<PathBuf>, ContainerError> {
        let upper = self.writes.join("upper");
        chown(&upper, Some(mapped.root.uid), Some(mapped.root.gid))
            .map_err(ContainerError::io(format!("own {}", upper.display())))?;
        let show = |(number, layer): (usize, &PathBuf)| {
            let point = self.mapped().join(number.to_string());
            fs::create_dir_all(&point)?;
            mount_mapped(layer, &point, mapped.namespace, Depth::default())?;
            Ok(point)
        };
        let shown: io::Result<_> = layers.iter().enumerate().map(show).collect();
        shown.map_err(|source| ContainerError::Mount {
            what: "layers with mapped ids".to_owned(),
            source,
        })
    }

    /// Before anything is removed: it would be removed below the mounts.
    fn unmount_mapped(&self) -> Result<(), ContainerError> {
        let entries = match fs::read_dir(self.mapped()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(ContainerError::io("list mounts with mapped ids"))?,
        };
        for entry in entries {
            let entry = entry.map_err(ContainerError::io("list mounts with mapped ids"))?;
            // What is mounted below a volume goes with it.
            unmount_as(&entry.path(), UnmountFlags::DETACH)?;
        }
        Ok(())
    }
}

/// Name of the root in the container's directory.
const ROOT: &str = "rootfs";

/// Where everything of the container with this name is.
fn container_directory(name: &str) -> PathBuf {
    Path::new(RUN).join("containers").join(name)
}

/// Where its root will be.
pub(super) fn merged(name: &str) -> PathBuf {
    merged_in(&container_directory(name))
}

/// The same, in that directory.
pub(super) fn merged_in(directory: &Path) -> PathBuf {
    directory.join(ROOT)
}

fn image_point(serial: &Serial) -> PathBuf {
    Path::new(RUN).join("images").join(serial.to_string())
}

fn scratch_point(serial: &Serial) -> PathBuf {
    Path::new(RUN).join("scratch").join(serial.to_string())
}

impl Disks {
    /// Puts a root together for the container with this name. On an error nothing of it stays behind.
    pub(super) async fn assemble(
        &mut self,
        name: &str,
        wanted: &Wanted,
        mapped: Option<Mapped<'_>>,
    ) -> Result<RootFs, ContainerError> {
        if wanted.layer_serials.is_empty() {
            return Err(ContainerError::Invalid("rootfs has no layer".to_owned()));
        }
        let directory = container_directory(name);
        let mut root = RootFs {
            writes: directory.join("writes"),
            directory,
            layers: Vec::new(),
            read_only: wanted.scratch_serial.is_empty(),
        };
        match self.fill(name, wanted, mapped, &mut root).await {
            Ok(()) => Ok(root),
            Err(error) => {
                // The first error is the one that tells the cause.
                let _ = self.take_apart(&mut root);
                Err(error)
            }
        }
    }

    async fn fill(
        &mut self,
        name: &str,
        wanted: &Wanted,
        mapped: Option<Mapped<'_>>,
        root: &mut RootFs,
    ) -> Result<(), ContainerError> {
        for serial in &wanted.layer_serials {
            let serial = Serial::parse(serial)?;
            self.hold_image(&serial).await?;
            root.layers.push(serial);
        }
        if !root.read_only {
            let serial = Serial::parse(&wanted.scratch_serial)?;
            self.hold_scratch(&serial).await?;
            root.writes = scratch_point(&serial).join(name);
        }
        let make = || -> io::Result<()> {
            fs::create_dir_all(root.merged())?;
            fs::create_dir_all(root.writes.join("upper"))?;
            fs::create_dir_all(root.writes.join("work"))
        };
        make().map_err(ContainerError::io(format!("make directories of {name}")))?;
        let failed = |errno: rustix::io::Errno| ContainerError::Mount {
            what: format!("overlay of {name}"),
            source: errno.into(),
        };
        let mut layers: Vec<PathBuf> = root.layers.iter().map(image_point).collect();
        if let Some(mapped) = mapped {
            layers = root.map_layers(&layers, mapped)?;
        }
        let options = overlay_options(root, &layers)?;
        mount(
            "overlay",
            root.merged(),
            "overlay",
            MountFlags::empty(),
            options.as_c_str(),
        )
        .map_err(failed)?;
        match mapped {
            // The overlay has mounts of its own of them.
            Some(_) => root.unmount_mapped(),
            None => Ok(()),
        }
    }

    async fn hold_image(&mut self, serial: &Serial) -> Result<(), ContainerError> {
        if let Some(users) = self.images.get_mut(serial) {
            *users += 1;
            return Ok(());
        }
        let point = image_point(serial);
        mount_disk(serial, &point, "erofs", MountFlags::RDONLY, None).await?;
        self.images.insert(serial.clone(), 1);
        Ok(())
    }

    /// A scratch disk stays mounted until the machine ends.
    async fn hold_scratch(&mut self, serial: &Serial) -> Result<(), ContainerError> {
        if !self.scratch.contains(serial) {
            let point = scratch_point(serial);
            mount_disk(
                serial,
                &point,
                "ext4",
                MountFlags::NOATIME,
                Some(SCRATCH_OPTIONS),
            )
            .await?;
            self.scratch.push(serial.clone());
        }
        Ok(())
    }

    /// Unmounts and removes everything that a root was made of. May be repeated after an error.
    pub(super) fn take_apart(&mut self, root: &mut RootFs) -> Result<(), ContainerError> {
        unmount_if_mounted(&root.merged())?;
        root.unmount_mapped()?;
        for directory in [&root.writes, &root.directory] {
            match fs::remove_dir_all(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let what = format!("remove {}", directory.display());
                    return Err(ContainerError::io(what)(error));
                }
                _ => {}
            }
        }
        while let Some(serial) = root.layers.last() {
            self.release_image(serial)?;
            // Released once, however often this is repeated: others may use it too.
            root.layers.pop();
        }
        Ok(())
    }

    fn release_image(&mut self, serial: &Serial) -> Result<(), ContainerError> {
        let Some(users) = self.images.get_mut(serial) else {
            return Ok(());
        };
        if *users > 1 {
            *users -= 1;
            return Ok(());
        }
        unmount_if_mounted(&image_point(serial))?;
        self.images.remove(serial);
        Ok(())
    }

    /// Unmounts the scratch disks at the end of the machine.
    pub(super) fn close(&mut self) -> Result<(), ContainerError> {
        while let Some(serial) = self.scratch.last() {
            unmount_if_mounted(&scratch_point(serial))?;
            self.scratch.pop();
        }
        Ok(())
    }
}

async fn mount_disk(
    serial: &Serial,
    point: &Path,
    kind: &str,
    flags: MountFlags,
    options: Option<&CStr>,
) -> Result<(), ContainerError> {
    let node = find_disk(serial).await?;
    fs::create_dir_all(point).map_err(ContainerError::io(format!("make {}", point.display())))?;
    mount(&node, point, kind, flags, options).map_err(|errno| ContainerError::Mount {
        what: format!("disk {serial} as {kind}"),
        source: errno.into(),
    })
}

/// Layers come lowest first, the option wants the uppermost first.
fn overlay_options(root: &RootFs, layers: &[PathBuf]) -> Result<CString, ContainerError> {
    let layers: Vec<String> = layers
        .iter()
        .rev()
        .map(|layer| layer.display().to_string())
        .collect();
    let writes = root.writes.display();
    let options = format!(
        "lowerdir={},upperdir={writes}/upper,workdir={writes}/work",
        layers.join(":")
    );
    CString::new(options).map_err(|_nul| ContainerError::Invalid("overlay options".to_owned()))
}

fn unmount_if_mounted(point: &Path) -> Result<(), ContainerError> {
    unmount_as(point, UnmountFlags::empty())
}

fn unmount_as(point: &Path, flags: UnmountFlags) -> Result<(), ContainerError> {
    match unmount(point, UnmountFlags::NOFOLLOW | flags) {
        // Not there, or not a mount point.
        Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::INVAL) => Ok(()),
        Err(errno) => Err(ContainerError::io(format!("unmount {}", point.display()))(
            errno,
        )),
    }
}

#[cfg(test)]
mod tests;
