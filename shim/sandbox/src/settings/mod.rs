//! `/etc/husk/config.toml`: what an operator sets for a host.
//!
//! Called by the doors. An unknown key is an error: a misspelt restriction must not pass for one that holds.

mod file;
#[cfg(test)]
mod tests;

pub use file::{DEFAULT_PATH, Settings, SettingsError};
