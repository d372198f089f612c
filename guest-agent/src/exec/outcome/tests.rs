//! Tests of records and words.

use proptest::prelude::*;
use rustix::io::Errno;

use super::{RECORD_BYTES, STEPS, Step, Stumble, Words};
use crate::process::{FailureClass, LaunchError};

fn words() -> Words {
    Words {
        name: "tool".into(),
        cwd: "/w".into(),
    }
}

#[test]
fn every_step_is_read_back() {
    for step in STEPS {
        let stumble = Stumble {
            step,
            errno: Errno::PERM,
        };
        assert_eq!(Stumble::from_bytes(stumble.to_bytes()), Some(stumble));
    }
}

#[test]
fn failures_have_the_classes_that_the_host_tells_apart() {
    for (step, errno, class, text) in [
        (
            Step::Nowhere,
            Errno::NOENT,
            FailureClass::CommandNotFound,
            "exec: \"tool\": executable file not found in $PATH",
        ),
        (
            Step::Nowhere,
            Errno::ACCESS,
            FailureClass::CommandNotExecutable,
            "exec: \"tool\": permission denied",
        ),
        (
            Step::Execute,
            Errno::NOEXEC,
            FailureClass::CommandNotExecutable,
            "exec: \"tool\": exec format error",
        ),
        (
            Step::Cwd,
            Errno::ACCESS,
            FailureClass::Other,
            "chdir to cwd (\"/w\") set in config.json failed: permission denied",
        ),
        (
            Step::User,
            Errno::INVAL,
            FailureClass::Other,
            "set process.user.uid: invalid argument",
        ),
    ] {
        match (Stumble { step, errno }).into_error(&words()) {
            LaunchError::Failed {
                class: got,
                text: words,
            } => assert_eq!((got, words.as_str()), (class, text)),
            other => panic!("{other}"),
        }
    }
}

proptest! {
    #[test]
    fn any_record_is_read_or_refused(record in any::<[u8; RECORD_BYTES]>()) {
        if let Some(stumble) = Stumble::from_bytes(record) {
            prop_assert_eq!(stumble.to_bytes(), record);
            let _ = stumble.into_error(&words());
        }
    }
}
