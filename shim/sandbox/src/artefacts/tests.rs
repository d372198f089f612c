//! Artefacts: the digests' format, where files are looked for, and which kernel fits.

use std::fs;

use husk_machine::api::config::KvmKind;
use proptest::prelude::*;

use super::{ArtefactError, Artefacts, Flavour, FlavourChoice, sums};

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn sums_text_and_binary_lines_are_read() {
    let text = format!("{DIGEST}  a\n{DIGEST} *b c\n");
    let sums = sums::parse(&text).unwrap();
    assert_eq!(sums["a"], DIGEST);
    assert_eq!(sums["b c"], DIGEST);
}

#[test]
fn sums_upper_case_digest_becomes_lower_case() {
    let text = format!("{}  a\n", DIGEST.to_ascii_uppercase());
    assert_eq!(sums::parse(&text).unwrap()["a"], DIGEST);
}

#[test]
fn sums_short_digest_is_refused_with_its_line() {
    let text = format!("{DIGEST}  a\nabc  b\n");
    assert_eq!(sums::parse(&text), Err(2));
}

proptest! {
    #[test]
    fn sums_any_text_is_no_panic(text in ".*") {
        sums::parse(&text).ok();
    }
}

#[test]
fn kernel_without_digest_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{DIGEST}  vmlinux-lean\n");
    fs::write(dir.path().join("SHA256SUMS"), text).unwrap();
    let artefacts = Artefacts::open(dir.path()).unwrap();
    assert_eq!(artefacts.kernel(Flavour::Lean).unwrap().sha256, DIGEST);
    let error = artefacts.kernel(Flavour::Hardened).unwrap_err();
    assert!(error.to_string().contains("vmlinux-hardened"), "{error}");
}

#[test]
fn directory_without_digests_is_refused_with_a_fix() {
    let dir = tempfile::tempdir().unwrap();
    let error = Artefacts::open(dir.path()).unwrap_err();
    assert!(matches!(error, ArtefactError::NoDirectory { .. }));
    assert!(error.to_string().contains("HUSK_ARTEFACTS"), "{error}");
}

#[test]
fn flavour_follows_the_host_unless_chosen() {
    let auto: FlavourChoice = "auto".parse().unwrap();
    assert_eq!(auto.resolve(KvmKind::Interpreting), Flavour::Lean);
    assert_eq!(auto.resolve(KvmKind::Hardware), Flavour::Hardened);
    let lean: FlavourChoice = "lean".parse().unwrap();
    assert_eq!(lean.resolve(KvmKind::Hardware), Flavour::Lean);
    assert!("fat".parse::<FlavourChoice>().unwrap_err().contains("fat"));
}

#[test]
fn kernel_named_by_path_has_the_digest_of_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vmlinux");
    fs::write(&path, "").unwrap();
    assert_eq!(Artefacts::kernel_file(&path).unwrap().sha256, DIGEST);
    assert!(Artefacts::kernel_file(dir.path()).is_err());
}
