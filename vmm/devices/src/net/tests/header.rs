//! Headers of the driver, checked.

use proptest::prelude::any;
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::super::config::FEATURES;
use super::super::error::FrameError;
use super::super::header::checked;

const FRAME: usize = 1500;
const VERSION_1: u64 = 1 << 32;
const TCP4: [u8; 12] = [1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 9, 9];

#[test]
fn header_of_linux_passes_with_its_offloads_alone() {
    let mut expected = TCP4;
    expected[10..].fill(0);
    assert_eq!(checked(TCP4, FRAME, FEATURES), Ok(expected));
    assert_eq!(checked(TCP4, FRAME, VERSION_1), Err(FrameError::Offload));
    let csum_only = VERSION_1 | 1;
    assert_eq!(checked(TCP4, FRAME, csum_only), Err(FrameError::Offload));
    assert_eq!(checked([0; 12], FRAME, VERSION_1), Ok([0; 12]));
}

#[test]
fn numbers_that_point_out_of_the_frame_are_refused() {
    let with = |at: usize, value: u8| {
        let mut header = TCP4;
        header[at] = value;
        header
    };
    for (header, expected) in [
        (with(7, 0xff), FrameError::Checksum),
        (with(9, 0xff), FrameError::Checksum),
        (with(0, 0), FrameError::Segments),
        (with(3, 0xff), FrameError::Segments),
        (with(1, 3), FrameError::Offload),
        (with(1, 5), FrameError::Offload),
        (with(1, 0x80), FrameError::Offload),
        (with(1, 2), FrameError::Offload),
    ] {
        assert_eq!(
            checked(header, FRAME, FEATURES),
            Err(expected),
            "{header:?}"
        );
    }
    let mut no_size = TCP4;
    no_size[4..6].fill(0);
    assert_eq!(checked(no_size, FRAME, FEATURES), Err(FrameError::Segments));
}

proptest! {
    #[test]
    fn any_header_that_passes_stays_inside_of_its_frame(
        raw in any::<[u8; 12]>(), frame_len in 14_usize..65_554, features in any::<u64>(),
    ) {
        let features = features & FEATURES;
        if let Ok(clean) = checked(raw, frame_len, features) {
            let word = |at: usize| usize::from(u16::from_le_bytes([clean[at], clean[at + 1]]));
            prop_assert!(clean[0] & !1 == 0);
            prop_assert!(clean[0] == 0 || word(6) + word(8) + 2 <= frame_len);
            prop_assert!(clean[0] == 0 || features & 1 != 0);
            prop_assert!(clean[1] == 0 || (clean[0] == 1 && word(4) > 0 && word(2) <= frame_len));
            prop_assert_eq!(&clean[10..], &[0, 0]);
        }
    }
}
