//! Docker archives: `manifest.json`, layer files and links between them, as every generation of `docker save` made them.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::Config;
use serde_json::{Value, json};
use tar::EntryType;

use super::super::ImageSource;
use super::fixture::{Bench, Layer, Mounted, Packing, digest, line, pack};

fn lower() -> Vec<u8> {
    Layer::new().file("a", b"lower").file("b", b"b").bytes()
}

fn upper() -> Vec<u8> {
    Layer::new().file("a", b"upper").bytes()
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|bytes| digest(bytes)).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"], "User": "5"},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    config.to_string().into_bytes()
}

fn named(config: &[u8]) -> String {
    format!("{}.json", &digest(config)["sha256:".len()..])
}

fn entry(config: &str, tags: &[&str], layers: &[&str]) -> Value {
    json!({"Config": config, "RepoTags": tags, "Layers": layers})
}

/// The archive of two layers as docker 1.10 to 24 wrote it.
fn classic() -> Layer {
    let (lower, upper) = (lower(), upper());
    let config = config(&[&lower, &upper]);
    let name = named(&config);
    let layers = ["l1/layer.tar", "l2/layer.tar"];
    let manifest = json!([entry(&name, &["x/y:one"], &layers)]);
    Layer::new()
        .dir("l1/")
        .file("l1/VERSION", b"1.0")
        .file("l1/layer.tar", &lower)
        .file("l2/layer.tar", &upper)
        .file(&name, &config)
        .file("manifest.json", manifest.to_string().as_bytes())
}

fn write(bench: &Bench, archive: Layer) -> String {
    let path = bench.path("image.tar");
    fs::write(&path, archive.bytes()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn refusal(archive: Layer) -> String {
    let bench = Bench::new();
    let path = write(&bench, archive);
    let text = line(&bench.store.resolve(&path, &mut ()).unwrap_err());
    bench.assert_clean();
    text
}

/// An archive with one layer under this manifest's layer name, which other members lead to.
fn with_layer_name(name: &str, layer: &[u8], add: impl Fn(Layer) -> Layer) -> Layer {
    let config = config(&[layer]);
    let manifest = json!([entry("c.json", &[], &[name])]);
    let archive = Layer::new()
        .file("c.json", &config)
        .file("manifest.json", manifest.to_string().as_bytes());
    add(archive)
}

#[test]
fn classic_archive_gives_its_layers_and_configuration() {
    let bench = Bench::new();
    let path = write(&bench, classic());
    let image = bench.store.resolve(&path, &mut ()).unwrap();
    let ImageSource::Oci(said) = &image.source else {
        panic!("{:?}", image.source);
    };
    assert_eq!(
        (said.cmd.as_slice(), said.user.as_str()),
        (&["/bin/true".to_owned()][..], "5")
    );
    let mounted = Mounted::new(&image);
    assert_eq!(
        (mounted.text("a"), mounted.text("b")),
        ("upper".to_owned(), "b".to_owned())
    );
    let layers = [(lower(), Packing::Gzip), (upper(), Packing::Zstd)];
    let layout = bench.layout(&layers);
    let same = bench.store.resolve(layout.reference(), &mut ()).unwrap();
    assert_eq!(same.key, image.key, "the same layers are the same image");
}

#[test]
fn compressed_archives_and_layers_are_taken() {
    let layer = lower();
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let bench = Bench::new();
        let stored = pack(&layer, packing);
        let archive = with_layer_name("l.tar", &layer, |archive| archive.file("l.tar", &stored));
        let path = bench.path("image.tar.gz");
        fs::write(&path, pack(&archive.bytes(), Packing::Gzip)).unwrap();
        let image = bench
            .store
            .resolve(path.to_str().unwrap(), &mut ())
            .unwrap();
        assert_eq!(Mounted::new(&image).text("a"), "lower");
    }
}

#[test]
fn layers_may_be_links_within_the_archive() {
    let layer = lower();
    for (kind, target) in [
        (EntryType::Symlink, "../real/layer.tar"),
        (EntryType::Symlink, "/real/layer.tar"),
        (EntryType::Symlink, "../../../real/layer.tar"),
        (EntryType::Link, "real/layer.tar"),
    ] {
        let bench = Bench::new();
        let archive = with_layer_name("./l/layer.tar", &layer, |archive| {
            archive
                .entry(kind, "l/layer.tar", target, b"")
                .file("real/layer.tar", &layer)
        });
        let path = write(&bench, archive);
        let image = bench.store.resolve(&path, &mut ()).unwrap();
        assert_eq!(Mounted::new(&image).text("a"), "lower", "{target}");
    }
}

#[test]
fn links_out_of_the_archive_lead_nowhere() {
    let layer = lower();
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), &layer).unwrap();
    let target = outside.path().to_str().unwrap();
    let climbing = format!("../../../../..{target}");
    for target in [target, &climbing] {
        let text = refusal(with_layer_name("l/layer.tar", &layer, |archive| {
            archive.symlink("l/layer.tar", target)
        }));
        assert!(
            text.contains("is missing") && text.contains("l/layer.tar"),
            "{text}"
        );
    }
}

#[test]
fn links_that_never_end_are_refused() {
    let layer = lower();
    let text = refusal(with_layer_name("a", &layer, |archive| {
        archive.symlink("a", "b").symlink("b", "a")
    }));
    assert!(
        text.contains("\"a\" is a link through more than 8 links"),
        "{text}"
    );
}

#[test]
fn wrong_digests_are_named() {
    let (layer, other) = (lower(), upper());
    let text = refusal(with_layer_name("l.tar", &layer, |archive| {
        archive.file("l.tar", &other)
    }));
    assert!(
        text.contains(&digest(&layer)) && text.contains(&digest(&other)),
        "{text}"
    );
    let config = config(&[&layer]);
    let name = named(b"something else");
    let manifest = json!([entry(&name, &[], &["l.tar"])]).to_string();
    let text = refusal(
        Layer::new()
            .file(&name, &config)
            .file("l.tar", &layer)
            .file("manifest.json", manifest.as_bytes()),
    );
    assert!(
        text.contains(&format!("has digest {}", digest(&config))),
        "{text}"
    );
}

#[test]
fn names_choose_between_images() {
    let bench = Bench::new();
    let (one, two) = (lower(), upper());
    let manifest = json!([
        entry("c1.json", &["x:one", "x:latest"], &["l1.tar"]),
        entry("c2.json", &["host:5000/y:two"], &["l2.tar"]),
    ]);
    let archive = Layer::new()
        .file("c1.json", &config(&[&one]))
        .file("c2.json", &config(&[&two]))
        .file("l1.tar", &one)
        .file("l2.tar", &two)
        .file("manifest.json", manifest.to_string().as_bytes());
    let path = write(&bench, archive);
    for (tag, content) in [("one", "lower"), ("latest", "lower"), ("two", "upper")] {
        let image = bench.store.resolve(&format!("{path}:{tag}"), &mut ());
        assert_eq!(Mounted::new(&image.unwrap()).text("a"), content);
    }
    let text = line(&bench.store.resolve(&path, &mut ()).unwrap_err());
    assert!(
        text.contains("more than one image") && text.contains("x:one"),
        "{text}"
    );
    let text = line(
        &bench
            .store
            .resolve(&format!("{path}:six"), &mut ())
            .unwrap_err(),
    );
    assert!(text.contains("no image named \"six\""), "{text}");
}

#[test]
fn archive_that_is_both_is_read_as_a_layout() {
    let bench = Bench::new();
    let layout = bench.layout(&[(upper(), Packing::Plain)]);
    let mut archive = classic();
    let mut files = vec!["index.json".to_owned()];
    for blob in fs::read_dir(layout.dir.join("blobs/sha256")).unwrap() {
        let name = blob.unwrap().file_name().into_string().unwrap();
        files.push(format!("blobs/sha256/{name}"));
    }
    for name in files {
        archive = archive.file(&name, &fs::read(layout.dir.join(&name)).unwrap());
    }
    let path = write(&bench, archive);
    let image = bench.store.resolve(&path, &mut ()).unwrap();
    assert!(!Mounted::new(&image).has("b"), "the layout has one layer");
}

#[test]
fn unusable_archives_are_named() {
    let layer = lower();
    let config = config(&[&layer]);
    let manifest = |value: Value| {
        Layer::new()
            .file("c.json", &config)
            .file("l.tar", &layer)
            .file("manifest.json", value.to_string().as_bytes())
    };
    let mut arm: Value = serde_json::from_slice(&config).unwrap();
    arm["architecture"] = json!("arm64");
    let mut shell_form: Value = serde_json::from_slice(&config).unwrap();
    shell_form["config"]["Entrypoint"] = json!("sh");
    let no_layers: [&str; 0] = [];
    for (archive, words) in [
        (Layer::new().file("x", b"x"), "index.json is missing"),
        (manifest(json!({})), "\"manifest.json\" is not valid"),
        (manifest(json!([])), "it holds no image"),
        (
            manifest(json!([{"Config": "c.json"}])),
            "\"manifest.json\" is not valid",
        ),
        (
            manifest(json!([entry("d.json", &[], &["l.tar"])])),
            "d.json is missing",
        ),
        (
            manifest(json!([entry("c.json", &[], &["m.tar"])])),
            "m.tar is missing",
        ),
        (
            manifest(json!([entry("c.json", &[], &no_layers)])),
            "manifest has 0 layers, configuration has 1 diff ids",
        ),
        (
            manifest(json!([entry("l.tar", &[], &["l.tar"])])),
            "\"l.tar\" is not valid",
        ),
        (
            manifest(json!([entry("e.json", &[], &["l.tar"])]))
                .file("e.json", shell_form.to_string().as_bytes()),
            "config.Entrypoint of \"e.json\" is not valid: invalid type: string \"sh\"",
        ),
        (
            manifest(json!([entry("a.json", &[], &["l.tar"])]))
                .file("a.json", arm.to_string().as_bytes()),
            "no image for linux/amd64, only for linux/arm64",
        ),
    ] {
        let text = refusal(archive);
        assert!(text.contains(words), "{text}");
        let form = if words.contains("index.json") {
            "OCI layout /"
        } else {
            "docker archive /"
        };
        assert!(text.contains(form), "{text}");
    }
}

fn some_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        prop_oneof![
            Just("c.json"),
            Just("l.tar"),
            Just("manifest.json"),
            Just("../../etc/passwd"),
            Just(""),
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| json!({"Config": a, "RepoTags": b, "Layers": c})),
        ]
    })
}

proptest! {
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    #[test]
    fn manifests_of_any_shape_are_answered(manifest in some_json(), described in some_json()) {
        let layer = lower();
        let archive = Layer::new()
            .file("c.json", described.to_string().as_bytes())
            .file("l.tar", &layer)
            .file("manifest.json", manifest.to_string().as_bytes());
        let bench = Bench::new();
        let path = write(&bench, archive);
        line(&bench.store.resolve(&path, &mut ()).unwrap_err());
        bench.assert_clean();
    }
}
