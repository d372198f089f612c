//! Pulls that work: what is asked, how often, and what is kept.

use std::thread;

use husk_test_registry::{Access, Fault, Registry, image_layers};
use serde_json::json;

use super::super::super::{CacheUse, Progress, Stage};
use super::super::PullPolicy;
use super::fixture::{Bench, assert_is_image, config, layer, layers};
use crate::text::one_line;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn open() -> Bench {
    Bench::new(Registry::plain(Access::Open).unwrap())
}

#[test]
fn image_is_pulled_over_tls_with_the_settings_authority() {
    let mut bench = Bench::new(Registry::tls(Access::Open).unwrap());
    let image = bench.resolve("x/y:one").unwrap();
    assert_is_image(&image);
    let origin = image.origin.unwrap();
    assert_eq!(origin.name, bench.name("x/y:one"));
    bench.settings.ca_file = None;
    let store = bench.store(PullPolicy::Always);
    let said = one_line(&store.resolve(&bench.name("x/y:one"), &mut ()).unwrap_err());
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn pulled_image_is_here_without_the_registry() {
    let bench = open();
    let first = bench.resolve("x/y:one").unwrap();
    assert_eq!(first.cache, CacheUse::Built);
    assert_eq!(
        bench.blobs(),
        Vec::<String>::new(),
        "layers are kept after the image was made"
    );
    let asked = bench.registry.requests().len();
    let store = bench.store(PullPolicy::Never);
    let again = store.resolve(&bench.name("x/y:one"), &mut ()).unwrap();
    assert_eq!((again.cache, &again.key), (CacheUse::Hit, &first.key));
    assert_eq!((again.origin, again.source), (first.origin, first.source));
    assert_eq!(bench.registry.requests().len(), asked);
    let said = one_line(&store.resolve(&bench.name("x/y:two"), &mut ()).unwrap_err());
    assert!(
        said.contains("x/y:two") && said.contains("never pulled"),
        "{said}"
    );
}

#[test]
fn moved_tag_is_noticed_when_the_registry_is_asked() {
    let bench = open();
    let old = bench.resolve("x/y:one").unwrap();
    let other = bench
        .registry
        .image("x/y", Some("one"), &[layer("c", b"new")], &config());
    let same = bench.resolve("x/y:one").unwrap();
    assert_eq!(same.key, old.key);
    let name = bench.name("x/y:one");
    let new = bench
        .store(PullPolicy::Missing)
        .pull(&name, &mut ())
        .unwrap();
    assert_ne!(new.key, old.key);
    assert_eq!(
        new.origin.unwrap().digest,
        other["digest"].as_str().unwrap()
    );
    assert_eq!(bench.resolve("x/y:one").unwrap().key, new.key);
}

#[test]
fn image_is_pulled_by_digest() {
    let bench = open();
    let described = bench
        .registry
        .image("x/y", None, &layers(), &json!({"Env": ["A=b"]}));
    let digest = described["digest"].as_str().unwrap();
    let image = bench.resolve(&format!("x/y@{digest}")).unwrap();
    assert_is_image(&image);
    assert_eq!(image.origin.unwrap().digest, digest);
}

#[test]
fn platform_is_chosen_from_an_index() {
    let bench = open();
    let registry = &bench.registry;
    let mut fits = registry.image("x/y", None, &layers(), &config());
    fits["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let mut second = registry.image("x/y", None, &[layer("z", b"z")], &config());
    second["platform"] = fits["platform"].clone();
    let mut arm = second.clone();
    arm["platform"]["architecture"] = json!("arm64");
    let mut unknown = second.clone();
    unknown["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let index =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [arm, unknown, fits, second]});
    registry.manifest("x/y", Some("many"), INDEX, &index);
    let image = bench.resolve("x/y:many").unwrap();
    assert_is_image(&image);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [arm]});
    registry.manifest("x/y", Some("arm"), INDEX, &index);
    let said = one_line(&bench.resolve("x/y:arm").unwrap_err());
    assert!(
        said.contains("no image for linux/amd64, only for linux/arm64"),
        "{said}"
    );
}

#[test]
fn type_of_a_manifest_may_be_in_the_header_only() {
    let bench = open();
    let first = bench.registry.image("x/y", None, &layers(), &config());
    let index = json!({"schemaVersion": 2, "manifests": [first]});
    bench.registry.manifest(
        "x/y",
        Some("bare"),
        &format!("{INDEX}; charset=utf-8"),
        &index,
    );
    assert_is_image(&bench.resolve("x/y:bare").unwrap());
}

#[test]
fn concurrent_pulls_do_the_work_once() {
    let bench = open();
    let pulled: Vec<_> = thread::scope(|scope| {
        let pull = || bench.resolve("x/y:one").unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(pull)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let built = pulled.iter().filter(|image| image.cache == CacheUse::Built);
    assert_eq!(built.count(), 1);
    for stored in image_layers(&layers()) {
        let digest = bench.registry.blob(&stored, "x")["digest"].clone();
        assert_eq!(bench.registry.count(digest.as_str().unwrap()), 1);
    }
}

#[test]
fn known_layers_are_not_fetched_again() {
    let bench = open();
    bench.resolve("x/y:one").unwrap();
    bench
        .registry
        .image("other", Some("name"), &layers(), &config());
    let asked = bench.registry.count("/blobs/");
    let image = bench.resolve("other:name").unwrap();
    assert_eq!(image.cache, CacheUse::Hit);
    // The configuration alone, if at all.
    assert!(bench.registry.count("/blobs/") <= asked + 1);
}

#[test]
fn broken_transfer_goes_on_where_it_ended() {
    let bench = open();
    let big = image_layers(&layers()).pop().unwrap();
    let digest = bench.registry.blob(&big, "x")["digest"].clone();
    let digest = digest.as_str().unwrap();
    bench.registry.fail(digest, 1, Fault::Cut(50_000));
    bench.registry.fail(digest, 1, Fault::Cut(70_000));
    assert_is_image(&bench.resolve("x/y:one").unwrap());
    let requests = bench.registry.requests();
    let ranges: Vec<_> = requests
        .iter()
        .filter(|request| request.path.contains(digest))
        .map(|request| request.range.clone())
        .collect();
    assert_eq!(ranges.len(), 3);
    assert!(ranges[0].is_none() && ranges[1].is_some(), "{ranges:?}");
    assert_eq!(ranges[2].as_deref(), Some("bytes=120000-"));
}

#[test]
fn later_pull_takes_up_what_an_earlier_one_left() {
    let bench = open();
    let big = image_layers(&layers()).pop().unwrap();
    let digest = bench.registry.blob(&big, "x")["digest"].clone();
    let digest = digest.as_str().unwrap();
    bench.registry.fail(digest, 5, Fault::Cut(10_000));
    let said = bench.refusal();
    assert!(
        said.contains("ends after 50000 of") || said.contains("cannot reach"),
        "{said}"
    );
    // The registry may have forgotten how to give parts.
    bench.registry.fail(digest, 1, Fault::NoRange);
    assert_is_image(&bench.resolve("x/y:one").unwrap());
    let requests = bench.registry.requests();
    assert_eq!(
        requests.last().unwrap().range.as_deref(),
        Some("bytes=50000-")
    );
}

#[test]
fn damaged_remains_are_thrown_away() {
    let bench = open();
    let big = image_layers(&layers()).pop().unwrap();
    let digest = bench.registry.blob(&big, "x")["digest"].clone();
    let digest = digest.as_str().unwrap();
    bench.registry.fail(digest, 5, Fault::Cut(10_000));
    bench.refusal();
    let parts = bench.blobs();
    let part = parts
        .iter()
        .find(|name| name.contains(&digest[7..]))
        .unwrap();
    std::fs::write(bench.cache().join("blobs").join(part), vec![7; 60_000]).unwrap();
    assert_is_image(&bench.resolve("x/y:one").unwrap());
}

#[test]
fn progress_counts_the_bytes_of_layers() {
    struct Seen(Vec<Progress>);
    impl super::super::super::Observer for Seen {
        fn progress(&mut self, progress: Progress) {
            self.0.push(progress);
        }
    }
    let bench = open();
    let mut seen = Seen(Vec::new());
    let store = bench.store(PullPolicy::Missing);
    store.resolve(&bench.name("x/y:one"), &mut seen).unwrap();
    let pulling = seen.0.iter().filter(|news| news.stage == Stage::Pulling);
    let totals: Vec<u64> = pulling.map(|news| news.total).collect();
    let stored = image_layers(&layers());
    let sum: usize = stored.iter().map(Vec::len).sum();
    assert!(totals.contains(&u64::try_from(sum).unwrap()), "{totals:?}");
}
