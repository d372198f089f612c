//! Limits of this very process.

use oci_spec::runtime::{PosixRlimit, PosixRlimitBuilder, PosixRlimitType};
use rustix::process::{Resource, getrlimit};

use super::{make_room, take_limits};

fn limit(kind: PosixRlimitType, soft: u64, hard: u64) -> PosixRlimit {
    let limit = PosixRlimitBuilder::default().typ(kind).soft(soft);
    limit.hard(hard).build().unwrap()
}

#[test]
fn limit_that_the_kernel_refuses_is_named_with_its_values() {
    // More than fs.nr_open can be.
    let limits = [limit(PosixRlimitType::RlimitNofile, 7, 1 << 40)];
    let refusal = make_room(&limits).unwrap_err().to_string();
    let named = "process.rlimits: RLIMIT_NOFILE of 7, hard 1099511627776: ";
    assert!(refusal.starts_with(named), "{refusal}");
    assert!(
        take_limits(&limits)
            .unwrap_err()
            .to_string()
            .starts_with(named)
    );
}

#[test]
fn room_is_made_and_nothing_lowered() {
    let before = getrlimit(Resource::Stack);
    make_room(&[limit(PosixRlimitType::RlimitStack, 4096, 8192)]).unwrap();
    assert_eq!(getrlimit(Resource::Stack), before);
}

/// No test of this program meets RLIMIT_RTTIME.
#[test]
fn limits_are_taken_exactly() {
    let limits = [limit(PosixRlimitType::RlimitRttime, 1 << 40, u64::MAX)];
    take_limits(&limits).unwrap();
    let now = getrlimit(Resource::Rttime);
    assert_eq!((now.current, now.maximum), (Some(1 << 40), None));
}
