//! Registries that misbehave: each gets one clear line, and nothing is left but what a later pull takes up.

use std::net::TcpListener;

use husk_test_registry::{Access, Fault, Registry, image_layers};

use super::super::super::{ImageError, Observer, Progress};
use super::super::PullPolicy;
use super::fixture::{Bench, assert_is_image, layers};

fn open() -> Bench {
    Bench::new(Registry::plain(Access::Open).unwrap())
}

fn big_layer(bench: &Bench) -> String {
    let stored = image_layers(&layers()).pop().unwrap();
    let described = bench.registry.blob(&stored, "x");
    described["digest"].as_str().unwrap().to_owned()
}

#[test]
fn statuses_are_named() {
    for (status, times, words) in [
        (404, 1, "has no manifest one of x/y"),
        (
            403,
            1,
            "refuses access: 403 to manifest one of x/y: not yours",
        ),
        (418, 1, "answers 418 to manifest one of x/y: not yours"),
        (503, 9, "answers 503 to manifest one of x/y: not yours"),
        (429, 9, "answers 429 too many requests"),
    ] {
        let bench = open();
        let body = r#"{"errors":[{"code":"C","message":"not\u001b yours"}]}"#.to_owned();
        let headers = vec![("Retry-After", "0".to_owned())];
        bench
            .registry
            .fail("/manifests/", times, Fault::Status(status, headers, body));
        let said = bench.refusal();
        assert!(said.contains(words), "{said}");
    }
    let bench = open();
    assert!(
        bench
            .refusal_of("no/such:tag")
            .contains("has no manifest tag of no/such")
    );
}

#[test]
fn busy_registry_is_asked_again() {
    let bench = open();
    let headers = vec![("Retry-After", "0".to_owned())];
    bench
        .registry
        .fail("/manifests/", 2, Fault::Status(429, headers, String::new()));
    bench
        .registry
        .fail("/blobs/", 2, Fault::Status(502, Vec::new(), String::new()));
    assert_is_image(&bench.resolve("x/y:one").unwrap());
}

#[test]
fn wrong_bytes_are_named_by_their_digest() {
    let bench = open();
    let digest = big_layer(&bench);
    let mut stored = image_layers(&layers()).pop().unwrap();
    stored[1000] ^= 1;
    bench.registry.fail(&digest, 1, Fault::Instead(stored));
    let said = bench.refusal();
    assert!(
        said.contains(&format!("gave blob {digest} with digest sha256:")),
        "{said}"
    );
    assert_is_image(&bench.resolve("x/y:one").unwrap());
}

#[test]
fn blob_longer_than_it_should_be_is_cut_off() {
    let bench = open();
    let digest = big_layer(&bench);
    bench.registry.fail(&digest, 1, Fault::Endless(4 << 20));
    let said = bench.refusal();
    assert!(said.contains("has more than its"), "{said}");
}

#[test]
fn wrong_documents_are_named() {
    for (path, bytes, words) in [
        ("/manifests/one", "{}", "unsupported media type \"\""),
        ("/manifests/one", "not json", "is not valid"),
        (
            "/manifests/one",
            r#"{"mediaType":"text/html"}"#,
            "media type \"text/html\"",
        ),
        ("/blobs/", "{}", "has digest sha256:"),
    ] {
        let bench = open();
        bench
            .registry
            .fail(path, 1, Fault::Instead(bytes.as_bytes().to_vec()));
        let said = bench.refusal();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn documents_without_end_are_cut_off() {
    let bench = open();
    bench
        .registry
        .fail("/manifests/", 1, Fault::Endless(64 << 20));
    let said = bench.refusal();
    assert!(said.contains("has more than 4194304 bytes"), "{said}");
}

#[test]
fn digest_that_was_asked_for_must_come() {
    let bench = open();
    let digest = format!("sha256:{}", "0".repeat(64));
    let fault = Fault::Instead(b"{}".to_vec());
    bench.registry.fail("/manifests/", 1, fault);
    let said = bench.refusal_of(&format!("x/y@{digest}"));
    assert!(
        said.contains(&format!("blob {digest} has digest sha256:")),
        "{said}"
    );
}

#[test]
fn silent_registries_are_given_up() {
    for (path, fault, words) in [
        (
            "/manifests/",
            Fault::Silence,
            "manifest one of x/y stands still for 1 s",
        ),
        (
            "/manifests/",
            Fault::Stall,
            "manifest one of x/y stands still for 1 s",
        ),
        (
            "/manifests/",
            Fault::Drip,
            "manifest one of x/y stands still for 1 s",
        ),
        ("layer", Fault::Silence, "stands still for 1 s"),
        ("layer", Fault::Stall, "stands still for 1 s"),
        ("layer", Fault::Drip, "stands still for 1 s"),
    ] {
        let mut bench = open();
        bench.settings.timeout_s = 1;
        let path = if path == "layer" {
            big_layer(&bench)
        } else {
            path.to_owned()
        };
        bench.registry.fail(&path, 9, fault);
        let said = bench.refusal();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn redirects_that_never_end_are_given_up() {
    let bench = open();
    let to = "/v2/x/y/manifests/one".to_owned();
    bench.registry.fail("/manifests/", 99, Fault::Redirect(to));
    let said = bench.refusal();
    assert!(said.contains("more than 5 redirects away"), "{said}");
    assert_eq!(bench.registry.requests().len(), 6);
}

#[test]
fn registry_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut bench = open();
    bench.settings.insecure.push(host.clone());
    let store = bench.store(PullPolicy::Missing);
    let said = store.resolve(&format!("{host}/a"), &mut ()).unwrap_err();
    let said = crate::text::one_line(&said);
    assert!(
        said.contains(&format!("cannot reach registry {host}: ")),
        "{said}"
    );
    assert!(said.contains("refused"), "{said}");
}

#[test]
fn plain_registry_is_not_spoken_to_without_leave() {
    let mut bench = open();
    bench.settings.insecure.clear();
    let said = bench.refusal();
    assert!(said.contains("cannot reach registry"), "{said}");
    assert!(
        bench
            .registry
            .requests()
            .iter()
            .all(|request| !request.path.contains("/v2/"))
    );
}

struct Impatient;

impl Observer for Impatient {
    fn progress(&mut self, _progress: Progress) {}

    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn pull_that_is_called_off_ends_though_the_registry_is_silent() {
    let bench = open();
    bench.registry.fail("/manifests/", 1, Fault::Silence);
    let store = bench.store(PullPolicy::Missing);
    let outcome = store.resolve(&bench.name("x/y:one"), &mut Impatient);
    assert!(matches!(outcome, Err(ImageError::Cancelled)));
}
