//! The grammar of names.

use proptest::prelude::{any, proptest};

use super::super::{ImageName, RegistrySettings};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn with_default() -> RegistrySettings {
    RegistrySettings {
        default_host: Some("hub.example".to_owned()),
        ..RegistrySettings::default()
    }
}

fn full(text: &str) -> String {
    match ImageName::parse(text, &with_default()) {
        Ok(name) => name.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn names_are_completed_as_docker_does() {
    for (given, expected) in [
        ("busybox", "hub.example/library/busybox:latest"),
        ("busybox:1.36", "hub.example/library/busybox:1.36"),
        ("a/b", "hub.example/a/b:latest"),
        ("localhost/b", "localhost/b:latest"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("h.example/a", "h.example/a:latest"),
        ("H/a", "H/a:latest"),
        ("[::1]:5000/a:1", "[::1]:5000/a:1"),
        (
            "10.0.0.1:80/a__b/c-d--e/f.g_h",
            "10.0.0.1:80/a__b/c-d--e/f.g_h:latest",
        ),
        ("h.example/a:V_1.x-y", "h.example/a:V_1.x-y"),
    ] {
        assert_eq!(full(given), expected, "{given}");
    }
    let digest = format!("h.example/a@{DIGEST}");
    assert_eq!(full(&digest), digest);
    let both = format!("h.example/a:t@{DIGEST}");
    assert_eq!(full(&both), both);
    let name = ImageName::parse(&both, &with_default()).unwrap();
    assert_eq!((name.version(), name.digest()), (DIGEST, Some(DIGEST)));
}

#[test]
fn wrong_parts_are_named() {
    let long_tag = format!("a:{}", "t".repeat(129));
    let long_path = "a".repeat(256);
    for (given, words) in [
        ("Busybox", "repository name \"Busybox\""),
        ("a//b", "repository name \"a//b\""),
        ("a/", "repository name \"a/\""),
        ("a..b", "repository name \"a..b\""),
        ("a___b", "repository name \"a___b\""),
        ("-a", "repository name \"-a\""),
        ("a/../b", "repository name \"a/../b\""),
        ("", "repository name \"\""),
        (long_path.as_str(), "repository name"),
        ("a:", "tag \"\""),
        ("a:.b", "tag \".b\""),
        (long_tag.as_str(), "tag"),
        ("a@sha256:12", "digest \"sha256:12\""),
        ("a@md5:12", "digest \"md5:12\""),
        ("h.example:0/a", "registry host \"h.example:0\""),
        ("h.example:99999/a", "registry host"),
        ("h.example:+80/a", "registry host"),
        ("-h.example/a", "registry host"),
        ("h..example/a", "registry host"),
        ("[::1/a", "registry host"),
        ("user@h.example/a", "digest \"h.example/a\""),
    ] {
        let said = full(given);
        assert!(said.starts_with(words), "{given}: {said}");
    }
    let none = ImageName::parse("a/b", &RegistrySettings::default());
    let said = none.unwrap_err().to_string();
    assert_eq!(
        said,
        "\"a/b\" names no registry host, and registry.default_host is not set"
    );
}

proptest! {
    #[test]
    fn texts_of_any_kind_are_answered(text in any::<String>()) {
        let _ = ImageName::parse(&text, &with_default());
    }

    #[test]
    fn full_names_are_read_as_themselves(text in "[a-zA-Z0-9.:/@_\\[\\]-]{0,40}") {
        if let Ok(name) = ImageName::parse(&text, &with_default()) {
            let again = ImageName::parse(&name.to_string(), &RegistrySettings::default()).unwrap();
            assert_eq!(again, name);
            assert!(!name.to_string().contains(".."));
        }
    }
}
