//! Any documents of an image, and any archive that holds one. The input's first byte says which. Documents: index, manifest and
//! configuration, one after the other with a zero byte between them, each taken for what a descriptor names. An archive: a tar as
//! `docker save` or an OCI layout has it (the second byte says whether its checksums are put right first), compressed or not.
//! Beyond "no panic": each answer that is an error says something, and a configuration that is taken becomes a
//! specification or an error that names what is wrong.
//! Or a system call profile in Docker's form, as a person gives it for any image.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../shim/sandbox/src/images"]
#[allow(dead_code, unused_imports, reason = "the sandbox uses the rest of it")]
mod images {
    mod archive;
    mod blob;
    mod layout;
    mod types;
    mod unpack;

    use std::{cell::RefCell, fs::File, io::Write as _};

    use layout::{Ambiguity, Documents, LayoutError, OciImage, Source};
    use oci_spec::image::Descriptor;
    pub(crate) use types::{Accounts, ImageConfig, ImageSource};

    /// Most that an archive may unfold to.
    const MOST_BYTES: u64 = 16 << 20;

    /// Documents in the order in which they are asked for; digests are not what is tried here.
    struct Given<'a>(Vec<u8>, RefCell<Vec<&'a [u8]>>, Ambiguity);

    impl Documents for Given<'_> {
        fn index(&self) -> Result<Vec<u8>, LayoutError> {
            Ok(self.0.clone())
        }

        fn verified(&self, _descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
            Ok(self.1.borrow_mut().pop().unwrap_or_default().to_vec())
        }

        fn ambiguity(&self) -> Ambiguity {
            self.2
        }
    }

    /// Reads documents; the configuration of the image.
    pub(crate) fn documents(input: &[u8], pulled: bool) -> Option<ImageConfig> {
        let mut given: Vec<&[u8]> = input.split(|byte| *byte == 0).collect();
        given.reverse();
        let index = given.pop()?.to_vec();
        let ambiguity = match pulled {
            true => Ambiguity::FirstFits,
            false => Ambiguity::Refused,
        };
        let given = Given(index, RefCell::new(given), ambiguity);
        match layout::parts(&given, None) {
            Ok(parts) => Some(parts.config),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                None
            }
        }
    }

    /// Reads an archive; the configuration of its image.
    pub(crate) fn archive(tar: &[u8]) -> Option<ImageConfig> {
        let scratch = std::env::temp_dir();
        let memory = rustix::fs::memfd_create("archive", rustix::fs::MemfdFlags::CLOEXEC);
        let mut file = File::from(memory.unwrap());
        file.write_all(tar).unwrap();
        let source = Source::archive(file, &scratch, MOST_BYTES, &mut |_| Ok(()));
        match source.and_then(|source| layout::read(&source, None)) {
            Ok(OciImage { config, .. }) => Some(config),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                None
            }
        }
    }
}

#[path = "../../shim/sandbox/src/spec/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the sandbox uses the rest of it")]
mod spec;

#[path = "../tar.rs"]
mod tar_sums;

fuzz_target!(|input: &[u8]| {
    let [kind, input @ ..] = input else { return };
    let mut seccomp = spec::SeccompChoice::Default;
    let config = match kind % 5 {
        0 => images::documents(input, false),
        1 => images::documents(input, true),
        2 => images::archive(input),
        4 => {
            seccomp = spec::SeccompChoice::Profile(input.to_vec());
            Some(images::ImageConfig {
                cmd: vec!["true".to_owned()],
                ..images::ImageConfig::default()
            })
        }
        _ => {
            let mut tar = input.to_vec();
            tar_sums::put_right(&mut tar);
            images::archive(&tar)
        }
    };
    let Some(config) = config else { return };
    let source = images::ImageSource::Oci(Box::new(config));
    let options = spec::RunOptions {
        hostname: "fuzz".to_owned(),
        security: spec::Security {
            seccomp,
            ..spec::Security::default()
        },
        ..spec::RunOptions::default()
    };
    let made = spec::container(&source, &images::Accounts::default(), &options, &|_| None);
    match made {
        Ok(made) => {
            let process = made.process().as_ref().unwrap();
            assert!(process.args().as_ref().is_some_and(|args| !args.is_empty()));
            assert!(process.cwd().is_absolute());
            spec::shape(&made).unwrap();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
