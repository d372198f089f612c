//! Tests of the pages, as files.

use std::{collections::BTreeSet, fs};

use clap::CommandFactory;

use super::write;
use crate::args::Cli;

#[test]
fn every_command_has_a_page_with_synopsis_and_exit_status() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("made/for/them");
    write(&pages).unwrap();
    let mut expected = BTreeSet::from(["husk.1".to_owned()]);
    let husk = Cli::command();
    let verbs = husk.get_subcommands().filter(|verb| !verb.is_hide_set());
    expected.extend(verbs.map(|verb| format!("husk-{}.1", verb.get_name())));
    let entries = fs::read_dir(&pages).unwrap();
    let found: BTreeSet<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, expected);
    for file in found {
        let page = fs::read_to_string(pages.join(&file)).unwrap();
        for section in ["NAME", "SYNOPSIS", "\"EXIT STATUS\""] {
            assert!(
                page.contains(&format!("\n.SH {section}\n")),
                "{section} in {file}"
            );
        }
        let stem = file.trim_end_matches(".1").replace('-', "\\-");
        assert!(page.contains(&stem), "{file}");
    }
    // A second time over what is there.
    write(&pages).unwrap();
}

#[test]
fn pages_of_commands_that_run_something_say_how_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path()).unwrap();
    let page = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let sections = ["EXAMPLES", "FILES", "ENVIRONMENT"];
    for (file, sections) in [
        ("husk.1", &sections[..]),
        ("husk-run.1", &sections),
        ("husk-exec.1", &sections[..1]),
    ] {
        for section in sections {
            let heading = format!("\n.SH {section}\n");
            assert!(page(file).contains(&heading), "{section} in {file}");
        }
    }
    for code in ["125", "126", "127", "128+n"] {
        for file in ["husk-run.1", "husk-exec.1"] {
            assert!(
                page(file).contains(&format!(".TP\n\\fB{code}\\fR\n")),
                "{code} in {file}"
            );
        }
    }
}
