//! The one door for work.
fn main() {}
