//! Shared fixture of the end-to-end tests.
