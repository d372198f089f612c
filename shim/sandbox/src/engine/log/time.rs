//! Moments: as RFC 3339 in UTC, and as people give them.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const SECOND_NS: u64 = 1_000_000_000;
const DAY_S: u64 = 86_400;

/// A moment: nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ns = since.unwrap_or_default().as_nanos();
        Self(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// Time since then.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Duration::from_nanos(Self::now().0.saturating_sub(self.0))
    }

    /// A moment as RFC 3339, as seconds since the epoch, or as a time ago such as `90s`, `10m` or `1h30m`.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = rfc3339(text)
            .or_else(|| epoch_seconds(text))
            .or_else(|| ago(text).map(|ago| Self(Self::now().0.saturating_sub(ago))));
        parsed.ok_or_else(|| {
            format!(
                "{text:?} is neither a time such as 2026-01-02T03:04:05Z nor seconds since 1970 nor a time ago such as 10m"
            )
        })
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ns) = (self.0 / SECOND_NS, self.0 % SECOND_NS);
        let (year, month, day) = date(seconds / DAY_S);
        let of_day = seconds % DAY_S;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z"
        )
    }
}

/// Year, month and day of a day since the epoch (proleptic Gregorian, counted in years that begin in March).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// The day since the epoch of a date; `None`: there is no such date, or it is before the epoch.
fn day(year: u64, month: u64, day: u64) -> Option<u64> {
    let shifted = year.checked_sub(u64::from(month <= 2))?;
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day.checked_sub(1)?;
    let era = shifted / 400;
    let of_era = shifted % 400;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = days.checked_sub(719_468)?;
    (date(days) == (year, month, day)).then_some(days)
}

fn rfc3339(text: &str) -> Option<Instant> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| number(part, 4));
    let days = day(date.next()??, date.next()??, date.next()??)?;
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(at)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':').map(|part| number(part, 2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if hour > 23 || minute > 59 || second > 60 || fraction.len() > 9 {
        return None;
    }
    let ns = if fraction.is_empty() {
        0
    } else {
        number(&format!("{fraction:0<9}"), 9)?
    };
    let seconds = days * DAY_S + hour * 3600 + minute * 60 + second;
    let seconds = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => seconds,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let offset = number(hours, 2)? * 3600 + number(minutes, 2)? * 60;
            // East of Greenwich the same clock shows an earlier moment.
            if sign == "+" {
                seconds.checked_sub(offset)?
            } else {
                seconds + offset
            }
        }
    };
    Some(Instant(seconds.checked_mul(SECOND_NS)?.checked_add(ns)?))
}

fn epoch_seconds(text: &str) -> Option<Instant> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.len() > 9 {
        return None;
    }
    let ns = number(&format!("{fraction:0<9}"), 9)?;
    let seconds = number(seconds, 20)?;
    Some(Instant(seconds.checked_mul(SECOND_NS)?.checked_add(ns)?))
}

/// Nanoseconds of a sum such as `1h30m`.
fn ago(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(|c: char| !c.is_ascii_digit())?;
        let (count, after) = rest.split_at_checked(at)?;
        let (unit, after) = after.split_at_checked(1)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => DAY_S,
            _ => return None,
        };
        let part = number(count, 20)?.checked_mul(seconds)?;
        total = total.checked_add(part.checked_mul(SECOND_NS)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number of at most so many digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    let plain = (1..=digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
