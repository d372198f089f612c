//! Tests of who learns of which end.

use std::{sync::Arc, time::Duration};

use super::{Exit, Reaper};

fn exit(code: u32) -> Exit {
    Exit {
        code,
        at: Duration::from_secs(1),
    }
}

#[test]
fn end_after_claim_reaches_the_watcher() {
    let reaper = Arc::new(Reaper::default());
    let watch = reaper.launch().claim(7);
    assert_eq!(*watch.borrow(), None);
    reaper.table().record(7, exit(3));
    assert_eq!(*watch.borrow(), Some(exit(3)));
}

#[test]
fn end_before_claim_is_kept_for_the_launch() {
    let reaper = Arc::new(Reaper::default());
    let launch = reaper.launch();
    reaper.table().record(7, exit(3));
    assert_eq!(*launch.claim(7).borrow(), Some(exit(3)));
}

#[test]
fn end_of_stranger_is_forgotten_with_the_last_launch() {
    let reaper = Arc::new(Reaper::default());
    let (first, second) = (reaper.launch(), reaper.launch());
    reaper.table().record(7, exit(3));
    drop(first);
    assert_eq!(reaper.table().unclaimed.len(), 1);
    drop(second);
    assert!(reaper.table().unclaimed.is_empty());
    reaper.table().record(8, exit(3));
    assert!(reaper.table().unclaimed.is_empty());
}
