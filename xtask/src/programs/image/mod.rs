//! A program's image: what goes into it, and the archive that `husk run` takes.
//!
//! - `packages`: the Debian packages that it needs, resolved and fetched by apt.
//! - `golang`: a static program, compiled from one source file.
//! - `tree`: the root file system: packages unpacked, then the recipe's own users, files and directories.
//! - `archive`: the tree as an OCI image, cached by everything that went into it.
//!
//! Called by `run` above.

mod archive;
mod golang;
mod packages;
mod tree;

pub(super) use archive::build;
