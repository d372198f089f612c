//! Parts of names: which texts are hosts, paths, tags and digests.

use std::net::Ipv6Addr;

/// Most bytes of a repository's path (distribution specification).
const MAX_PATH_BYTES: usize = 255;
const MAX_HOST_BYTES: usize = 255;
const MAX_TAG_BYTES: usize = 128;

/// Docker's rule for what is a host at all.
pub(super) fn is_host_part(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':']) || text.contains(char::is_uppercase)
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
pub(super) fn is_host(text: &str) -> bool {
    if text.len() > MAX_HOST_BYTES {
        return false;
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => match port.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port_fits = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0)
    });
    let host_fits = if text.starts_with('[') {
        host.parse::<Ipv6Addr>().is_ok()
    } else {
        host.split('.').all(is_label)
    };
    port_fits && host_fits
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Components of lower-case letters and digits with `.`, `_`, `__` or dashes between them.
pub(super) fn is_path(text: &str) -> bool {
    text.len() <= MAX_PATH_BYTES && text.split('/').all(is_component)
}

fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| word(*byte));
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return false;
    }
    let between = bytes.split(|byte| word(*byte));
    between.into_iter().all(|separator| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-')
    })
}

pub(super) fn is_tag(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_TAG_BYTES).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with(['.', '-'])
}

/// A digest of one of the two registered algorithms.
pub(super) fn is_digest(text: &str) -> bool {
    let length = match text.split_once(':') {
        Some(("sha256", digits)) => (digits.len() == 64).then_some(digits),
        Some(("sha512", digits)) => (digits.len() == 128).then_some(digits),
        _ => None,
    };
    length.is_some_and(|digits| {
        digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
