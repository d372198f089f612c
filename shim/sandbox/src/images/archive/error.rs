//! What can be wrong with an archive as such.

use std::io;

use thiserror::Error;

/// Why an archive cannot be read on.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It ends in the middle of something.
    #[error("archive ends within {0}")]
    Truncated(&'static str),
    /// A header's checksum is wrong: damaged, or not a tar archive.
    #[error("header at byte {0} has a wrong checksum")]
    Checksum(u64),
    /// A number of a header cannot be read.
    #[error("header at byte {at} has no valid {field}")]
    Field {
        /// Where the header is.
        at: u64,
        /// Which number.
        field: &'static str,
    },
    /// A name or an extended header is longer than any honest one.
    #[error("{what} of {bytes} bytes is longer than {limit}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// How long it says it is.
        bytes: u64,
        /// How long it may be.
        limit: u64,
    },
    /// An extended header is not a list of `length key=value` records.
    #[error("extended header at byte {0} is malformed")]
    Pax(u64),
    /// The map of a sparse member contradicts its sizes.
    #[error("sparse map at byte {0} is malformed")]
    Sparse(u64),
    /// A way to store sparse files that is not read.
    #[error("sparse file in pax format is not supported (make the archive without --sparse)")]
    PaxSparse,
    /// Headers that describe a next member, and none comes, or the same header twice.
    #[error("header at byte {0} describes a member that does not follow")]
    Dangling(u64),
    /// The source cannot be read.
    #[error("cannot read the archive")]
    Io(#[from] io::Error),
}
