//! Any OCI specification, as it comes with a bundle on the host and as it comes to the agent. The input is a `config.json`; a
//! process that joins a container is read from its `process`.
//! Beyond "no panic": each answer is one short line that names something; what was taken has no hooks and no namespace by a
//! path that is not ours, and its limits are files of a cgroup.
#![no_main]

use std::{cell::RefCell, fs};

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

#[path = "../../guest-agent/src/container"]
#[allow(dead_code, unused_imports, reason = "the agent uses the rest of it")]
mod container {
    mod error;
    mod ids;
    mod spec;
    mod users;

    /// The rest of it works on open directories.
    mod files {
        pub(super) const VOLUME: &str = "volume";
    }

    use std::path::Path;

    pub(crate) use error::ContainerError;

    use crate::resources::{ResourceError, translate};

    /// Fits a specification to a guest, with everything that is derived from it.
    pub(crate) fn check(json: &[u8]) {
        for (is_shared, read_only) in [(false, false), (true, true)] {
            let shared = spec::Kinds {
                net: is_shared,
                ipc: is_shared,
                uts: is_shared,
                pid: is_shared,
            };
            let place = spec::Place {
                rootfs: Path::new("/r"),
                cgroup: Path::new("/husk/c1"),
                read_only,
                shared,
            };
            let number = is_shared.then_some(7);
            let joined = crate::process::Shared {
                user: None,
                net: number,
                ipc: number,
                uts: number,
                pid: number,
            };
            let adapted = spec::adapt(json, place).and_then(|mut adapted| {
                spec::join(&mut adapted.spec, joined)?;
                Ok(adapted)
            });
            let adapted = match adapted {
                Ok(adapted) => adapted,
                Err(error) => {
                    line(&error.to_string());
                    continue;
                }
            };
            adapted.warnings.iter().for_each(|warning| line(warning));
            let linux = adapted.spec.linux().as_ref().expect("linux was checked");
            assert!(adapted.spec.hooks().is_none() && linux.seccomp().is_none());
            for namespace in linux.namespaces().iter().flatten() {
                let path = namespace.path().as_ref().and_then(|path| path.to_str());
                let ours = path.is_none_or(|path| path.starts_with("/proc/"));
                assert!(ours, "{path:?}");
            }
            let resources = adapted.resources.unwrap_or_default();
            match translate(&resources) {
                Ok(files) => assert!(files.iter().all(|file| !file.contains('/')), "{files:?}"),
                Err(ResourceError::Invalid(text) | ResourceError::Unsupported(text)) => {
                    assert!(!text.is_empty());
                }
                Err(error) => panic!("the kernel was asked: {error}"),
            }
        }
    }

    /// Fits a process that joins.
    pub(crate) fn check_exec(json: &[u8]) {
        match spec::adapt_exec(json) {
            Ok((_, warnings)) => warnings.iter().for_each(|warning| line(warning)),
            Err(error) => line(&error.to_string()),
        }
    }

    fn line(text: &str) {
        assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
        assert!(text.len() < 40_000, "{} bytes", text.len());
    }
}

#[path = "../../guest-agent/src/resources"]
#[allow(dead_code, unused_imports, reason = "the agent uses the rest of it")]
mod resources {
    mod devices;
    mod error;
    mod io;
    mod limits;
    mod settings;

    pub(crate) use error::ResourceError;
    use oci_spec::runtime::LinuxResources;

    /// The names of the files that limits are written to; the device rules become a program as well.
    pub(crate) fn translate(resources: &LinuxResources) -> Result<Vec<String>, ResourceError> {
        let limits = limits::limits(resources)?;
        let rules = devices::parse(resources.devices().as_deref().unwrap_or_default())?;
        let _ = devices::compile(&rules);
        let settings = limits.early.into_iter().chain(limits.late);
        Ok(settings.map(|setting| setting.file).collect())
    }
}

#[path = "../../guest-agent/src/process"]
#[allow(dead_code, unused_imports, reason = "the agent uses the rest of it")]
mod process {
    mod privileges;
    mod report;

    use std::os::fd::{AsFd, BorrowedFd};

    pub(crate) use report::Shared;
    use rustix::io::Errno;

    /// No disk is mounted here.
    pub(crate) fn map_mount(
        _mount: impl AsFd,
        _to: BorrowedFd<'_>,
        _all: bool,
    ) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// No process is made here.
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum LaunchError {}
}

/// No disk is looked for here.
mod guest {
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum DiskError {}
}

#[path = "../../guest-agent/src/seccomp/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the agent uses the rest of it")]
mod seccomp;

#[path = "../../shim/sandbox/src/images"]
#[allow(dead_code, unused_imports, reason = "the sandbox uses the rest of it")]
mod images {
    mod archive;
    mod blob;
    mod error;
    mod layout;
    mod local;
    mod scan;
    mod types;
    mod unpack;

    use std::path::Path;

    /// Reads the bundle in a directory.
    pub(crate) fn check(dir: &Path) {
        match local::bundle::read(dir) {
            Ok(bundle) => assert!(bundle.spec.process().is_some()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

thread_local! {
    /// One directory for all bundles.
    static DIR: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

fuzz_target!(|json: &[u8]| {
    container::check(json);
    container::check_exec(json);
    if let Ok(document) = serde_json::from_slice::<serde_json::Value>(json) {
        container::check_exec(document["process"].to_string().as_bytes());
    }
    DIR.with_borrow_mut(|dir| {
        let dir = dir.get_or_insert_with(|| tempfile::tempdir().unwrap());
        fs::write(dir.path().join("config.json"), json).unwrap();
        images::check(dir.path());
    });
});
