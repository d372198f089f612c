//! What a thread leaves behind.

use std::ffi::CStr;
use std::{io, thread};

use super::own_keyring;

/// linux/keyctl.h
const SESSION_KEYRING: libc::c_long = -3;
const KEYCTL_SEARCH: libc::c_long = 10;

const KIND: &CStr = c"user";
const SECRET: &CStr = c"husk-test-secret";

fn add() -> io::Result<()> {
    // SAFETY: two strings that end in NUL, and as many readable bytes as are named.
    let id = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            KIND.as_ptr(),
            SECRET.as_ptr(),
            SECRET.as_ptr(),
            SECRET.count_bytes(),
            SESSION_KEYRING,
        )
    };
    if id < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn finds() -> bool {
    // SAFETY: two strings that end in NUL; the rest are numbers.
    let id = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_SEARCH,
            SESSION_KEYRING,
            KIND.as_ptr(),
            SECRET.as_ptr(),
            0,
        )
    };
    id >= 0
}

/// Needs a kernel with keyrings; says so where there are none.
#[test]
fn session_keyring_of_the_launcher_is_out_of_reach() {
    // A session keyring is a thread's: that of the other tests stays theirs.
    let found = thread::spawn(|| {
        own_keyring().unwrap();
        add().map(|()| (finds(), own_keyring().map(|()| finds()).unwrap()))
    });
    match found.join().unwrap() {
        Ok(found) => assert_eq!(found, (true, false)),
        Err(error) => eprintln!("left out: no key can be added here: {error}"),
    }
}
