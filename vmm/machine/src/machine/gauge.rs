//! Time and memory of this process.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::ops::Range;

use rustix::time::{ClockId, clock_gettime};

/// Microseconds of the host's monotonic clock.
pub(super) fn monotonic_us() -> u64 {
    microseconds(ClockId::Monotonic)
}

/// CPU time of this process so far, user and system, all threads.
pub(super) fn cpu_us() -> u64 {
    microseconds(ClockId::ProcessCPUTime)
}

fn microseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

/// Counts the private memory of this process apart from its guest's.
#[derive(Debug)]
pub(super) struct MemoryGauge {
    /// `/proc/self/smaps`, which is out of reach in the jail.
    maps: File,
}

impl MemoryGauge {
    /// Must be called while there is a `/proc`.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            maps: File::open("/proc/self/smaps")?,
        })
    }

    /// Bytes of private memory outside of `guest`, the addresses of guest memory in this process.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(super) fn private_bytes(&mut self, guest: &[Range<u64>]) -> io::Result<u64> {
        self.maps.rewind()?;
        sum_private(BufReader::new(&self.maps), guest)
    }
}

/// Sum of `Private_*` over all mappings that are not in `guest`.
fn sum_private(maps: impl BufRead, guest: &[Range<u64>]) -> io::Result<u64> {
    let (mut bytes, mut counts) = (0, false);
    for line in maps.lines() {
        let line = line?;
        if let Some(range) = mapping(&line) {
            let inside = |part: &Range<u64>| range.start < part.end && part.start < range.end;
            counts = !guest.iter().any(inside);
        } else if counts && line.starts_with("Private_") {
            let kib = line.split_ascii_whitespace().nth(1);
            bytes += kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024;
        }
    }
    Ok(bytes)
}

/// The addresses in a mapping's first line: `start-end perms ...`.
fn mapping(line: &str) -> Option<Range<u64>> {
    let (start, end) = line.split_ascii_whitespace().next()?.split_once('-')?;
    let parse = |text| u64::from_str_radix(text, 16).ok();
    Some(parse(start)?..parse(end)?)
}

#[cfg(test)]
mod tests {
    use super::{MemoryGauge, sum_private};

    const MAPS: &str = "\
55d0-55d8 r-xp 00000000 08:01 1 /vmm
Rss:                   8 kB
Private_Clean:         8 kB
Private_Dirty:         4 kB
7f00-7f80 rw-p 00000000 00:00 0
Private_Clean:         0 kB
Private_Dirty:      4096 kB
VmFlags: rd wr mr
7ff0-7ff8 rw-p 00000000 00:00 0 [stack]
Shared_Clean:         64 kB
Private_Dirty:        12 kB
Private_Hugetlb:       0 kB
";

    #[test]
    fn guest_memory_and_shared_pages_do_not_count() {
        let all = sum_private(MAPS.as_bytes(), &[]).unwrap();
        assert_eq!(all, (8 + 4 + 4096 + 12) * 1024);
        let guest = 0x7f00..0x7f80;
        let own = sum_private(MAPS.as_bytes(), std::slice::from_ref(&guest)).unwrap();
        assert_eq!(own, (8 + 4 + 12) * 1024);
    }

    #[test]
    fn gauge_sees_memory_that_is_touched() {
        let mut gauge = MemoryGauge::open().unwrap();
        let before = gauge.private_bytes(&[]).unwrap();
        let block = vec![1_u8; 32 << 20];
        let after = gauge.private_bytes(&[]).unwrap();
        assert!(
            after >= before + (30 << 20),
            "{before} {after} {}",
            block.len()
        );
    }
}
