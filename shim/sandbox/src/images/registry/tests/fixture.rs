//! A store, a registry, and images with two layers.

use std::fs;
use std::path::PathBuf;

use husk_test_registry::Registry;
use serde_json::{Value, json};
use tar::{Builder, Header};
use tempfile::TempDir;

use super::super::super::{Image, ImageError, ImageSource, Limits, Store};
use super::super::{PullPolicy, RegistrySettings};
use crate::text::one_line;

/// A layer with one file.
pub(super) fn layer(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(u64::try_from(content.len()).unwrap());
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

/// Bytes that do not compress.
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let byte = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(byte).collect()
}

pub(super) fn layers() -> Vec<Vec<u8>> {
    vec![layer("a", b"lower"), layer("b", &noise(200_000))]
}

pub(super) fn config() -> Value {
    json!({"Cmd": ["/bin/true"], "Env": ["A=b"]})
}

/// The bench of one test.
pub(super) struct Bench {
    pub(super) dir: TempDir,
    pub(super) registry: Registry,
    pub(super) settings: RegistrySettings,
}

impl Bench {
    /// With a registry that has `x/y:one`.
    pub(super) fn new(registry: Registry) -> Self {
        registry.image("x/y", Some("one"), &layers(), &config());
        let dir = tempfile::tempdir().unwrap();
        let mut settings = RegistrySettings {
            timeout_s: 20,
            ..RegistrySettings::default()
        };
        match registry.certificate() {
            None => settings.insecure.push(registry.host()),
            Some(pem) => {
                let path = dir.path().join("ca.pem");
                fs::write(&path, pem).unwrap();
                settings.ca_file = Some(path);
            }
        }
        let auth = dir.path().join("auth.json");
        fs::write(&auth, "{}").unwrap();
        settings.auth_file = Some(auth);
        Self {
            dir,
            registry,
            settings,
        }
    }

    pub(super) fn login(&self, entry: &Value) {
        let auths = json!({"auths": {self.registry.host(): entry}});
        fs::write(self.dir.path().join("auth.json"), auths.to_string()).unwrap();
    }

    pub(super) fn store(&self, policy: PullPolicy) -> Store {
        let store = Store::open(&self.cache(), Limits::default()).unwrap();
        store.with_registries(self.settings.clone(), policy)
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    pub(super) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.host())
    }

    pub(super) fn resolve(&self, rest: &str) -> Result<Image, ImageError> {
        let store = self.store(PullPolicy::Missing);
        store.resolve(&self.name(rest), &mut ())
    }

    /// What the attempt to get `x/y:one` says, in one line.
    pub(super) fn refusal(&self) -> String {
        self.refusal_of("x/y:one")
    }

    pub(super) fn refusal_of(&self, rest: &str) -> String {
        let said = one_line(&self.resolve(rest).unwrap_err());
        assert!(!said.contains('\n'), "{said:?} is not one line");
        assert!(said.contains(&self.registry.host()), "{said}");
        for dir in ["staging", "v1", "locks", "names"] {
            let Ok(left) = fs::read_dir(self.cache().join(dir)) else {
                continue;
            };
            assert_eq!(left.count(), 0, "{dir} is not empty");
        }
        said
    }

    /// Names of what is in the directory of layers.
    pub(super) fn blobs(&self) -> Vec<String> {
        let dir = fs::read_dir(self.cache().join("blobs")).unwrap();
        let names = dir.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

pub(super) fn assert_is_image(image: &Image) {
    let ImageSource::Oci(config) = &image.source else {
        panic!("{:?}", image.source);
    };
    assert_eq!(config.env, ["A=b"]);
    assert!(image.size_bytes > 200_000);
}
