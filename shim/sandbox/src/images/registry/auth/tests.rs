//! Challenges and credentials, without a network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};

use super::super::settings::RegistrySettings;
use super::challenge::{Challenge, parse};
use super::credentials::{Credentials, find};

fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
    Some(Challenge::Bearer {
        realm: realm.to_owned(),
        service: service.map(str::to_owned),
        scope: scope.map(str::to_owned),
    })
}

#[test]
fn challenges_are_read() {
    for (header, expected) in [
        ("Basic realm=\"x\"", Some(Challenge::Basic)),
        ("basic", Some(Challenge::Basic)),
        (
            "Bearer realm=\"https://t/\",service=\"s\",scope=\"repository:a:pull,push\"",
            bearer("https://t/", Some("s"), Some("repository:a:pull,push")),
        ),
        (
            "bearer Realm=https://t , SERVICE = s",
            bearer("https://t", Some("s"), None),
        ),
        (
            "Basic realm=\"x\", Bearer realm=\"r\"",
            bearer("r", None, None),
        ),
        (
            "Negotiate, Bearer realm=\"a\\\"b\"",
            bearer("a\"b", None, None),
        ),
        ("Bearer service=\"no realm\"", None),
        ("Bearer realm=\"no end", None),
        ("Digest qop=\"auth\"", None),
        ("", None),
    ] {
        assert_eq!(parse(header), expected, "{header}");
    }
}

proptest! {
    #[test]
    fn headers_of_any_kind_are_read_to_an_end(text in "[A-Za-z=\", \\\\]{0,60}", rest in any::<String>()) {
        parse(&text);
        parse(&rest);
    }
}

struct Login {
    dir: tempfile::TempDir,
    settings: RegistrySettings,
}

impl Login {
    fn new(config: &Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        fs::write(&path, config.to_string()).unwrap();
        let settings = RegistrySettings {
            auth_file: Some(path),
            ..RegistrySettings::default()
        };
        Self { dir, settings }
    }

    fn of(&self, host: &str) -> Option<Credentials> {
        find(&self.settings, host).unwrap()
    }
}

fn password(user: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

#[test]
fn credentials_are_found_by_host() {
    let login = Login::new(&json!({"auths": {
        "one.example:5000": {"auth": STANDARD.encode("ann:a:b")},
        "https://two.example/v1/": {"username": "bob", "password": "c"},
        "three.example": {"auth": "x", "identitytoken": "t"},
        "four.example": {},
    }, "HttpHeaders": {"a": "b"}}));
    assert!(login.of("one.example:5000") == password("ann", "a:b"));
    assert!(login.of("two.example") == password("bob", "c"));
    assert!(login.of("three.example") == Some(Credentials::Identity("t".to_owned())));
    assert!(login.of("four.example").is_none() && login.of("one.example").is_none());
}

#[test]
fn credentials_of_a_server_stand_for_the_name() {
    let mut login =
        Login::new(&json!({"auths": {"api.example": {"username": "u", "password": "p"}}}));
    let servers = &mut login.settings.servers;
    servers.insert("name.example".to_owned(), "api.example".to_owned());
    assert!(login.of("name.example") == password("u", "p"));
}

#[test]
fn unusable_files_are_named_without_their_secrets() {
    let login = Login::new(&json!({"auths": {"h.example": {"auth": STANDARD.encode("secret")}}}));
    let said = find(&login.settings, "h.example")
        .err()
        .unwrap()
        .to_string();
    assert!(
        said.contains("h.example") && said.contains("USER:PASSWORD"),
        "{said}"
    );
    assert!(
        !said.contains("secret") && !said.contains(&STANDARD.encode("secret")),
        "{said}"
    );
    fs::write(login.dir.path().join("config.json"), "{").unwrap();
    let said = find(&login.settings, "h.example")
        .err()
        .unwrap()
        .to_string();
    assert!(said.contains("config.json is not valid"), "{said}");
    fs::remove_file(login.dir.path().join("config.json")).unwrap();
    let said = find(&login.settings, "h.example")
        .err()
        .unwrap()
        .to_string();
    assert!(said.contains("config.json does not exist"), "{said}");
}

#[test]
fn helpers_with_strange_names_are_not_run() {
    let login = Login::new(&json!({"credHelpers": {"h.example": "../../bin/sh"}}));
    let said = find(&login.settings, "h.example")
        .err()
        .unwrap()
        .to_string();
    assert!(
        said.contains("\"../../bin/sh\" has no valid name"),
        "{said}"
    );
    let login = Login::new(&json!({"credsStore": "there-is-none-of-this-name"}));
    let said = find(&login.settings, "h.example")
        .err()
        .unwrap()
        .to_string();
    assert!(
        said.contains("docker-credential-there-is-none-of-this-name"),
        "{said}"
    );
}

#[test]
fn helpers_are_asked_and_may_know_nothing() {
    let name = format!("husk-test-{}", std::process::id());
    let path = Path::new("/usr/local/bin").join(format!("docker-credential-{name}"));
    let script = "#!/bin/sh\nread host\n[ \"$host\" = known.example ] || exit 1\n\
                  echo '{\"ServerURL\":\"x\",\"Username\":\"ann\",\"Secret\":\"s\"}'\n";
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let login = Login::new(
        &json!({"credsStore": name, "auths": {"other.example": {"username": "u", "password": "p"}}}),
    );
    let (known, other) = (login.of("known.example"), login.of("other.example"));
    fs::remove_file(&path).unwrap();
    assert!(known == password("ann", "s"));
    assert!(other == password("u", "p"));
}
