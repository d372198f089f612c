//! Values of options, parsed.

use std::{path::PathBuf, str::FromStr as _};

use husk_sandbox::{
    engine::{Instant, signal_number},
    images::PullPolicy,
    spec::{CapabilityName, EnvOption},
};

/// Where a timeline goes, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimelineSink {
    /// A table on standard error.
    Text,
    /// One JSON object on standard error.
    Json,
    /// One JSON object in a file.
    File(PathBuf),
}

/// `text`, `json`, or a path, which holds a slash.
pub(crate) fn timeline_sink(text: &str) -> Result<TimelineSink, String> {
    match text {
        "text" => Ok(TimelineSink::Text),
        "json" => Ok(TimelineSink::Json),
        path if path.contains('/') => Ok(TimelineSink::File(path.into())),
        other => Err(format!(
            "{other:?} is neither text nor json nor a path with a slash"
        )),
    }
}

/// `missing`, `always` or `never`.
pub(crate) fn pull_policy(text: &str) -> Result<PullPolicy, String> {
    match text {
        "missing" => Ok(PullPolicy::Missing),
        "always" => Ok(PullPolicy::Always),
        "never" => Ok(PullPolicy::Never),
        other => Err(format!("{other:?} is not missing, always or never")),
    }
}

/// `NAME=value` or `NAME`.
pub(crate) fn env_option(text: &str) -> Result<EnvOption, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    Ok(match value {
        Some(value) => EnvOption::Set(name.to_owned(), value.to_owned()),
        None => EnvOption::Inherit(name.to_owned()),
    })
}

/// The name of a capability, as it was given: its owner reads it again.
pub(crate) fn capability(text: &str) -> Result<String, String> {
    CapabilityName::from_str(text)?;
    Ok(text.to_owned())
}

/// A decimal number of CPUs, in thousandths; no floating point, so that 0.1 is 100.
pub(crate) fn cpu_millis(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is not a number of CPUs such as 0.5 or 2");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let empty = whole.is_empty() && part.is_empty();
    if empty || part.len() > 3 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    let whole: u32 = format!("0{whole}").parse().map_err(|_| wrong())?;
    let part: u32 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    let millis = whole.checked_mul(1000).and_then(|w| w.checked_add(part));
    match millis {
        Some(millis) if millis > 0 => Ok(millis),
        _ => Err(wrong()),
    }
}

/// Bytes, or a number with `b`, `k`, `m` or `g` (powers of 1024, either case).
pub(crate) fn memory_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size such as 268435456, 512m or 2g");
    let lower = text.to_ascii_lowercase();
    let (digits, shift) = match lower.as_bytes().last() {
        Some(b'b') => (lower.get(..lower.len() - 1), 0),
        Some(b'k') => (lower.get(..lower.len() - 1), 10),
        Some(b'm') => (lower.get(..lower.len() - 1), 20),
        Some(b'g') => (lower.get(..lower.len() - 1), 30),
        _ => (Some(lower.as_str()), 0),
    };
    let digits = digits.unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

/// A moment, in any of its forms.
pub(crate) fn moment(text: &str) -> Result<Instant, String> {
    Instant::parse(text)
}

/// A number of lines, or `all`.
pub(crate) fn tail(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    let number = text.parse();
    number.map_err(|_| format!("{text:?} is neither a number of lines nor all"))
}

/// A signal by name, with or without SIG, or by number.
pub(crate) fn signal(text: &str) -> Result<u32, String> {
    signal_number(text).ok_or_else(|| format!("{text:?} is not a signal"))
}

#[cfg(test)]
mod tests;
