//! Layouts: which image is taken, in what containers they come, and what is said of those that are not usable.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use serde_json::{Value, json};

use super::super::{Image, ImageSource};
use super::fixture::{Bench, Layer, Layout, Packing, line, pack};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn one(bench: &Bench) -> Layout {
    bench.layout(&[(Layer::new().file("a", b"a").bytes(), Packing::Gzip)])
}

/// The first manifest of a layout again, with other content.
fn variant(layout: &Layout, change: impl Fn(&mut Value)) -> Value {
    let first = &layout.manifests()[0];
    let path = layout.path(first["digest"].as_str().unwrap());
    let mut manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut manifest);
    layout.blob(manifest.to_string().as_bytes(), MANIFEST)
}

fn with(mut descriptor: Value, key: &str, value: Value) -> Value {
    descriptor[key] = value;
    descriptor
}

fn platform(architecture: &str) -> Value {
    json!({"os": "linux", "architecture": architecture})
}

fn refusal(bench: &Bench, layout: &Layout) -> String {
    let text = line(
        &bench
            .store
            .resolve(layout.reference(), &mut ())
            .unwrap_err(),
    );
    bench.assert_clean();
    text
}

#[test]
fn archives_of_a_layout_are_taken_plain_and_compressed() {
    let bench = Bench::new();
    let layout = one(&bench);
    let expected = bench.store.resolve(layout.reference(), &mut ()).unwrap();
    let tar = bench.path("image.tar");
    let mut pack_dir = Command::new("tar");
    pack_dir
        .arg("-cf")
        .arg(&tar)
        .arg("-C")
        .arg(&layout.dir)
        .arg(".");
    assert!(pack_dir.status().unwrap().success());
    let gzip = bench.path("image.tgz");
    File::create(&gzip)
        .unwrap()
        .write_all(&pack(&fs::read(&tar).unwrap(), Packing::Gzip))
        .unwrap();
    for file in [tar, gzip] {
        let image = bench
            .store
            .resolve(file.to_str().unwrap(), &mut ())
            .unwrap();
        assert_eq!(image.key, expected.key);
        assert!(matches!(image.source, ImageSource::Oci(_)));
    }
    let cut = bench.path("cut.tar");
    let whole = fs::read(bench.path("image.tar")).unwrap();
    fs::write(&cut, &whole[..whole.len() / 3]).unwrap();
    let text = line(
        &bench
            .store
            .resolve(cut.to_str().unwrap(), &mut ())
            .unwrap_err(),
    );
    assert!(
        text.contains("archive ends within") || text.contains("is missing"),
        "{text}"
    );
}

#[test]
fn platform_is_chosen_through_nested_indexes() {
    let bench = Bench::new();
    let layout = one(&bench);
    let fits = with(layout.manifests()[0].clone(), "platform", platform("amd64"));
    let other = variant(&layout, |manifest| {
        manifest["annotations"] = json!({"a": "b"})
    });
    let other = with(other, "platform", platform("arm64"));
    let inner = json!({"schemaVersion": 2, "manifests": [other, fits]});
    let inner = layout.blob(inner.to_string().as_bytes(), INDEX);
    layout.index(&[inner]);
    let image: Image = bench.store.resolve(layout.reference(), &mut ()).unwrap();
    assert!(image.size_bytes > 0);
    layout.index(&[other]);
    let text = line(
        &bench
            .store
            .resolve(layout.reference(), &mut ())
            .unwrap_err(),
    );
    assert!(
        text.contains("no image for linux/amd64, only for linux/arm64"),
        "{text}"
    );
}

#[test]
fn names_choose_between_images() {
    let bench = Bench::new();
    let layout = one(&bench);
    let name = "org.opencontainers.image.ref.name";
    let first = with(
        layout.manifests()[0].clone(),
        "annotations",
        json!({name: "docker.io/library/x:one"}),
    );
    let second = variant(&layout, |manifest| {
        manifest["annotations"] = json!({"a": "b"})
    });
    let second = with(second, "annotations", json!({name: "two"}));
    layout.index(&[first, second]);
    let text = refusal(&bench, &layout);
    assert!(
        text.contains("more than one image") && text.contains("docker.io/library/x:one, two"),
        "{text}"
    );
    for tag in ["one", "two"] {
        bench
            .store
            .resolve(&format!("{}:{tag}", layout.reference()), &mut ())
            .unwrap();
    }
    let missing = format!("{}:three", layout.reference());
    let text = line(&bench.store.resolve(&missing, &mut ()).unwrap_err());
    assert!(text.contains("no image named \"three\""), "{text}");
}

#[test]
fn unusable_documents_are_named() {
    let bench = Bench::new();
    let layout = one(&bench);
    let index = fs::read(layout.dir.join("index.json")).unwrap();
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 4] = [
        (
            |m| m["layers"][0]["mediaType"] = json!("application/x-lzma"),
            "application/x-lzma",
        ),
        (
            |m| m["config"]["mediaType"] = json!("application/vnd.other"),
            "application/vnd.other",
        ),
        (
            |m| m["layers"] = json!([]),
            "manifest has 0 layers, configuration has 1 diff ids",
        ),
        (
            |m| m["layers"][0]["digest"] = json!("sha256:../../x"),
            "manifest sha256:",
        ),
    ];
    for (change, words) in changes {
        layout.index(&[variant(&layout, change)]);
        let text = refusal(&bench, &layout);
        assert!(text.contains(words), "{text}");
        fs::write(layout.dir.join("index.json"), &index).unwrap();
    }
    let text = {
        fs::write(layout.dir.join("index.json"), b"{\"schemaVersion\": 2").unwrap();
        refusal(&bench, &layout)
    };
    assert!(text.contains("index.json is not valid"), "{text}");
    fs::remove_file(layout.dir.join("index.json")).unwrap();
    assert!(refusal(&bench, &layout).contains("index.json is missing"));
}

#[test]
fn indexes_that_never_end_are_refused() {
    let bench = Bench::new();
    let layout = one(&bench);
    let mut inner = layout.manifests()[0].clone();
    for _ in 0..8 {
        let index = json!({"schemaVersion": 2, "manifests": [inner]});
        inner = layout.blob(index.to_string().as_bytes(), INDEX);
    }
    layout.index(&[inner]);
    assert!(refusal(&bench, &layout).contains("nested too deep"));
}

#[test]
fn verified_documents_must_match_their_digest() {
    let bench = Bench::new();
    let layout = one(&bench);
    let digest = layout.manifests()[0]["digest"].as_str().unwrap().to_owned();
    let mut content = fs::read(layout.path(&digest)).unwrap();
    let place = content.iter().position(|byte| *byte == b'2').unwrap();
    content[place] = b'3';
    fs::write(layout.path(&digest), content).unwrap();
    let text = refusal(&bench, &layout);
    assert!(
        text.contains(&format!("blob {digest} has digest sha256:")),
        "{text}"
    );
}

#[test]
fn blobs_that_are_no_files_are_not_waited_for() {
    let bench = Bench::new();
    let layout = one(&bench);
    fs::remove_file(layout.dir.join("index.json")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    let path = layout.dir.join("index.json");
    rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
    assert!(refusal(&bench, &layout).contains("not a regular file"));
}

#[test]
fn things_that_are_no_image_are_named() {
    let bench = Bench::new();
    let empty = bench.path("empty");
    fs::create_dir(&empty).unwrap();
    let text = bench.path("text");
    fs::write(&text, b"hello").unwrap();
    for (path, words) in [
        (bench.path("nowhere"), "not found"),
        (empty, "the directory is empty"),
        (text, "neither a directory nor a tar archive"),
    ] {
        let path = path.to_str().unwrap();
        let said = line(&bench.store.resolve(path, &mut ()).unwrap_err());
        assert!(said.contains(words) && said.contains(path), "{said}");
    }
    assert!(line(&bench.store.resolve("", &mut ()).unwrap_err()).contains("not found"));
}
