//! Strings as `execve` takes them.

use std::{
    ffi::{CString, c_char},
    ptr,
};

/// A text of the specification.
pub(super) fn c_string(field: &str, text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{field} {text:?} contains a NUL byte"))
}

/// The addresses of strings, with a null behind the last.
pub(super) fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let addresses = strings.iter().map(|string| string.as_ptr());
    addresses.chain([ptr::null()]).collect()
}
