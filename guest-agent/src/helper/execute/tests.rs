//! Tests of what the kernel is given.

use std::path::Path;

use super::{Image, Stumble};

#[test]
fn last_value_of_a_name_counts() {
    let pairs = [("A", "1"), ("B", "2"), ("A", "3")];
    let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let image = Image::new(Path::new("/x"), &[], &environment).unwrap();
    assert_eq!(image.environment, [c"A=3".to_owned(), c"B=2".to_owned()]);
}

#[test]
fn null_bytes_are_refused() {
    assert!(Image::new(Path::new("/x"), &["a\0b".to_owned()], &[]).is_err());
}

#[test]
fn missing_command_is_told() {
    let image = Image::new(Path::new("/no/such/command"), &[], &[]).unwrap();
    let stumble = image.execute(None);
    assert!(
        matches!(&stumble, Stumble::Execute(error) if error.raw_os_error() == Some(libc::ENOENT))
    );
}
