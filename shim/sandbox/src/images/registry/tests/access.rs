//! Registries that want to know who asks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use husk_test_registry::{Access, Fault, Registry};
use serde_json::json;

use super::fixture::{Bench, assert_is_image};

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn password_is_given_when_asked_for() {
    let bench = Bench::new(Registry::tls(Access::Basic(text("ann"), text("pw"))).unwrap());
    let said = bench.refusal();
    assert!(said.contains("wants a user and a password"), "{said}");
    bench.login(&json!({"auth": STANDARD.encode("ann:wrong")}));
    let said = bench.refusal();
    assert!(said.contains("refuses access: 401"), "{said}");
    assert!(!said.contains("wrong"), "{said}");
    bench.login(&json!({"auth": STANDARD.encode("ann:pw")}));
    assert_is_image(&bench.resolve("x/y:one").unwrap());
}

#[test]
fn token_is_fetched_once_and_for_pulling_only() {
    let bench = Bench::new(Registry::plain(Access::AnyToken).unwrap());
    assert_is_image(&bench.resolve("x/y:one").unwrap());
    assert_eq!(bench.registry.count("/token"), 1);
    let requests = bench.registry.requests();
    let token = requests
        .iter()
        .find(|request| request.path.contains("/token"));
    let path = &token.unwrap().path;
    assert!(path.contains("scope=repository%3Ax%2Fy%3Apull"), "{path}");
}

#[test]
fn token_server_checks_the_password() {
    let bench = Bench::new(Registry::plain(Access::Token(text("ann"), text("pw"))).unwrap());
    let said = bench.refusal();
    assert!(
        said.contains("token server answers 401: no credentials are known"),
        "{said}"
    );
    bench.login(&json!({"username": "ann", "password": "no"}));
    let said = bench.refusal();
    assert!(said.contains("the credentials are not accepted"), "{said}");
    bench.login(&json!({"username": "ann", "password": "pw"}));
    assert_is_image(&bench.resolve("x/y:one").unwrap());
}

#[test]
fn identity_token_is_exchanged() {
    let bench = Bench::new(Registry::plain(Access::Identity(text("long-lived"))).unwrap());
    bench.login(&json!({"identitytoken": "long-lived"}));
    assert_is_image(&bench.resolve("x/y:one").unwrap());
    let requests = bench.registry.requests();
    assert!(
        requests
            .iter()
            .all(|request| !request.path.contains("long-lived"))
    );
}

#[test]
fn unusable_tokens_are_named() {
    for (body, words) in [
        ("{}", "gives no token"),
        ("[", "gives no token"),
        (r#"{"token": "a\nb"}"#, "is no header value"),
    ] {
        let bench = Bench::new(Registry::plain(Access::AnyToken).unwrap());
        let fault = Fault::Instead(body.as_bytes().to_vec());
        bench.registry.fail("/token", 1, fault);
        let said = bench.refusal();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn challenges_that_lead_out_of_tls_are_refused() {
    for (challenge, words) in [
        (
            "Bearer realm=\"http://10.0.0.1/token\"",
            "which is not https",
        ),
        ("Bearer realm=\"file:///etc/passwd\"", "which is not https"),
        ("Bearer realm=\"nowhere\"", "\"nowhere\" is no address"),
        ("Negotiate", "401 without a challenge"),
    ] {
        let bench = Bench::new(Registry::tls(Access::Open).unwrap());
        let headers = vec![("WWW-Authenticate", challenge.to_owned())];
        bench
            .registry
            .fail("/v2/", 1, Fault::Status(401, headers, String::new()));
        let said = bench.refusal();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn storage_behind_a_redirect_is_not_told_who_asks() {
    let storage = Registry::plain(Access::Open).unwrap();
    let mut bench = Bench::new(Registry::plain(Access::Basic(text("ann"), text("pw"))).unwrap());
    bench.login(&json!({"username": "ann", "password": "pw"}));
    let layers = super::fixture::layers();
    storage.image("x/y", None, &layers, &super::fixture::config());
    for stored in husk_test_registry::image_layers(&layers) {
        let digest = storage.blob(&stored, "x")["digest"].clone();
        let digest = digest.as_str().unwrap();
        let to = format!("http://{}/storage/{digest}", storage.host());
        bench.registry.fail(digest, 1, Fault::Redirect(to));
    }
    let said = bench.refusal();
    assert!(
        said.contains(&storage.host()) && said.contains("which is not https"),
        "{said}"
    );
    assert_eq!(storage.requests().len(), 0);
    for stored in husk_test_registry::image_layers(&layers) {
        let digest = storage.blob(&stored, "x")["digest"].clone();
        let digest = digest.as_str().unwrap();
        let to = format!("http://{}/storage/{digest}", storage.host());
        bench.registry.fail(digest, 1, Fault::Redirect(to));
    }
    bench.settings.insecure.push(storage.host());
    assert_is_image(&bench.resolve("x/y:one").unwrap());
    let told = storage.requests();
    assert!(!told.is_empty() && told.iter().all(|request| request.authorization.is_none()));
}
