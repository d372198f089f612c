//! Settings: defaults, every key, and what is refused.

use std::path::Path;

use super::Settings;
use crate::artefacts::{Flavour, FlavourChoice};

#[test]
fn empty_file_gives_defaults() {
    assert_eq!(Settings::parse("").unwrap(), Settings::default());
}

#[test]
fn default_settings_pass_their_own_check() {
    assert_eq!(
        Settings::parse("uid_base = 1879048192").unwrap(),
        Settings::default()
    );
}

#[test]
fn every_key_is_read() {
    let text = "kernel = \"lean\"\nartefacts = \"/a\"\nstate_dir = \"/s\"\nimage_dir = \"/i\"\n\
                run_dir = \"/r\"\nuid_base = 100000\nscratch_mib = 64\n\
                read_only_slots = 3\n\
                [registry]\ndefault_host = \"h.example\"\ndefault_namespace = \"n\"\n\
                insecure = [\"10.0.0.1:5000\"]\nca_file = \"/c\"\nauth_file = \"/f\"\n\
                timeout_s = 5\nservers = { \"h.example\" = \"api.h.example\" }\n";
    let settings = Settings::parse(text).unwrap();
    assert_eq!(settings.kernel, FlavourChoice::Always(Flavour::Lean));
    assert_eq!(settings.artefacts.as_deref(), Some(Path::new("/a")));
    assert_eq!(settings.state_dir, Path::new("/s"));
    assert_eq!(settings.image_dir, Path::new("/i"));
    assert_eq!(settings.run_dir, Path::new("/r"));
    assert_eq!(settings.uid_base, 100_000);
    assert_eq!(settings.scratch_mib, 64);
    assert_eq!(settings.read_only_slots, 3);
    let registry = settings.registry;
    assert_eq!(registry.default_host.as_deref(), Some("h.example"));
    assert_eq!(registry.default_namespace, "n");
    assert_eq!(registry.insecure, ["10.0.0.1:5000"]);
    assert_eq!(registry.ca_file.as_deref(), Some(Path::new("/c")));
    assert_eq!(registry.auth_file.as_deref(), Some(Path::new("/f")));
    assert_eq!(registry.timeout_s, 5);
    assert_eq!(registry.servers["h.example"], "api.h.example");
}

#[test]
fn unusable_registry_settings_are_refused_by_key() {
    for (line, words) in [
        ("default_host = \"a/b\"", "registry.default_host \"a/b\""),
        (
            "default_namespace = \"A\"",
            "registry.default_namespace \"A\"",
        ),
        (
            "insecure = [\"http://h\"]",
            "registry.insecure \"http://h\"",
        ),
        ("servers = { \"h\" = \"\" }", "registry.servers \"\""),
        ("timeout_s = 0", "registry.timeout_s 0"),
        ("ca_file = \"c\"", "registry.ca_file c"),
        ("auth_file = \"f\"", "registry.auth_file f"),
        ("host = \"h\"", "host"),
    ] {
        let error = Settings::parse(&format!("[registry]\n{line}\n")).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn number_of_slots_out_of_range_is_refused() {
    for slots in ["0", "17"] {
        let error = Settings::parse(&format!("read_only_slots = {slots}")).unwrap_err();
        assert!(error.contains(slots), "{error}");
    }
}

#[test]
fn unknown_key_is_refused_by_name_and_line() {
    let error = Settings::parse("kernel = \"lean\"\nkernal = \"lean\"\n").unwrap_err();
    assert!(
        error.contains("kernal") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn uid_base_among_peoples_ids_is_refused() {
    let error = Settings::parse("uid_base = 1000").unwrap_err();
    assert!(error.contains("uid_base 1000"), "{error}");
    assert!(Settings::parse("uid_base = 4294967295").is_err());
}

#[test]
fn unknown_flavour_is_refused_by_name() {
    let error = Settings::parse("kernel = \"fat\"").unwrap_err();
    assert!(error.contains("fat"), "{error}");
}

#[test]
fn relative_directory_is_refused_by_key() {
    let error = Settings::parse("run_dir = \"run\"").unwrap_err();
    assert!(error.contains("run_dir"), "{error}");
}
