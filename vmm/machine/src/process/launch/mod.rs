//! The launch: one configuration with its descriptors comes over the socket that is the standard input.
//!
//! [`receive`] reads and parses, [`validate`] is the pure check of every value, [`Descriptors::sort`] gives each
//! descriptor its place. After that nothing of the configuration is doubted any more.

mod descriptors;
mod error;
mod intake;
#[cfg(test)]
mod tests;
mod validate;

pub use descriptors::Descriptors;
pub use error::{FieldError, LaunchError};
pub use intake::{parse, receive, take_socket};
pub use validate::validate;
