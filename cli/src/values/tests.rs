//! Tests of option values, and of where the command line is cut.

use clap::Parser;
use husk_sandbox::spec::EnvOption;
use proptest::prelude::*;

use super::{TimelineSink, cpu_millis, env_option, memory_bytes, timeline_sink};
use crate::args::{Cli, RunArgs, Verb};

fn run(args: &[&str]) -> RunArgs {
    let all = ["husk", "run"].iter().chain(args);
    match Cli::try_parse_from(all).unwrap().verb {
        Verb::Run(args) => *args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn command_behind_two_dashes_is_the_containers() {
    let args = run(&["--rm", "image", "--", "ls", "-l", "--rm"]);
    assert_eq!(args.image, "image");
    assert_eq!(args.command, ["ls", "-l", "--rm"]);
}

#[test]
fn command_without_dashes_keeps_its_options() {
    let args = run(&["-i", "image", "sh", "-c", "cat", "--name"]);
    assert!(args.interactive);
    assert_eq!(args.command, ["sh", "-c", "cat", "--name"]);
    assert_eq!(args.name, None);
}

#[test]
fn dashes_within_the_command_stay() {
    let args = run(&["image", "--", "sh", "--", "x"]);
    assert_eq!(args.command, ["sh", "--", "x"]);
}

#[test]
fn timeline_takes_its_format_only_with_an_equals_sign() {
    assert_eq!(run(&["image"]).timeline, None);
    let text = run(&["--timeline", "image"]);
    assert_eq!(text.timeline, Some(TimelineSink::Text));
    assert_eq!(text.image, "image");
    let json = run(&["--timeline=json", "image"]);
    assert_eq!(json.timeline, Some(TimelineSink::Json));
    let file = run(&["--timeline=./t.json", "image"]);
    assert_eq!(file.timeline, Some(TimelineSink::File("./t.json".into())));
    assert!(timeline_sink("xml").is_err());
}

#[test]
fn cpus_are_read_in_thousandths() {
    assert_eq!(cpu_millis("2"), Ok(2000));
    assert_eq!(cpu_millis("0.1"), Ok(100));
    assert_eq!(cpu_millis(".5"), Ok(500));
    assert_eq!(cpu_millis("1.005"), Ok(1005));
    for wrong in ["", ".", "0", "0.0001", "-1", "1e3", "nan", "99999999999"] {
        assert!(cpu_millis(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn sizes_are_read_with_their_suffix() {
    assert_eq!(memory_bytes("4096"), Ok(4096));
    assert_eq!(memory_bytes("64k"), Ok(64 << 10));
    assert_eq!(memory_bytes("64M"), Ok(64 << 20));
    assert_eq!(memory_bytes("2g"), Ok(2 << 30));
    assert_eq!(memory_bytes("7b"), Ok(7));
    for wrong in ["", "m", "0", "-1", "1.5g", "18446744073709551615g", "1ä"] {
        assert!(memory_bytes(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn environment_is_set_or_inherited() {
    let set = EnvOption::Set("A".to_owned(), "b=c".to_owned());
    assert_eq!(env_option("A=b=c"), Ok(set));
    let empty = EnvOption::Set("A".to_owned(), String::new());
    assert_eq!(env_option("A="), Ok(empty));
    assert_eq!(env_option("A"), Ok(EnvOption::Inherit("A".to_owned())));
    assert!(env_option("=b").is_err());
}

proptest! {
    #[test]
    fn any_value_is_no_panic(text in ".*") {
        cpu_millis(&text).ok();
        memory_bytes(&text).ok();
        env_option(&text).ok();
    }
}
