//! Disks that several containers use.

use std::{
    fs::{self, File},
    io,
    path::Path,
    thread,
};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use super::{Disks, RootFs, image_point};
use crate::guest::{RUN, Serial};

/// A mount namespace in which the guest's directories are this thread's.
fn apart() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    let top = Path::new(RUN).parent().unwrap();
    mount("tmpfs", top, "tmpfs", MountFlags::empty(), None)?;
    fs::create_dir_all(RUN)
}

/// Needs the right to mount; says so where it is not there.
#[test]
fn layer_that_others_use_is_released_once_however_often_it_is_tried() {
    let tried = thread::spawn(|| {
        apart()?;
        let (shared, own) = (
            Serial::parse("shared").unwrap(),
            Serial::parse("own").unwrap(),
        );
        let point = image_point(&own);
        fs::create_dir_all(&point)?;
        mount("tmpfs", &point, "tmpfs", MountFlags::empty(), None)?;
        let busy = File::create(point.join("busy"))?;
        let mut disks = Disks::default();
        disks.images.insert(shared.clone(), 2);
        disks.images.insert(own.clone(), 1);
        for layers in [[&shared, &own], [&own, &shared]] {
            let mut root = RootFs {
                directory: Path::new(RUN).join("containers/c"),
                writes: Path::new(RUN).join("containers/c/writes"),
                layers: layers.map(Clone::clone).to_vec(),
                read_only: true,
            };
            disks.images.insert(shared.clone(), 2);
            for _ in 0..3 {
                let error = disks.take_apart(&mut root).unwrap_err();
                assert!(error.to_string().contains("own"), "{error}");
            }
            assert!(disks.images[&shared] >= 1, "{layers:?}");
        }
        let mut last = RootFs {
            directory: Path::new(RUN).join("containers/c"),
            writes: Path::new(RUN).join("containers/c/writes"),
            layers: vec![own.clone()],
            read_only: true,
        };
        drop(busy);
        disks.take_apart(&mut last).unwrap();
        disks.take_apart(&mut last).unwrap();
        assert!(!disks.images.contains_key(&own));
        Ok::<_, io::Error>(())
    });
    if let Err(error) = tried.join().unwrap() {
        eprintln!("left out: nothing can be mounted here: {error}");
    }
}
