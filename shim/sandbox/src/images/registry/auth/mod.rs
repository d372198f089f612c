//! Who asks: what a registry wants to know (`challenge`), what the user's files say (`credentials`), and the header that
//! comes of both (`token`). Called by the client. Calls `transport` for token servers.

mod challenge;
mod credentials;
#[cfg(test)]
mod tests;
mod token;

pub(super) use challenge::parse;
pub(super) use token::authorization;
