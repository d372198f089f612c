//! Frames: any cut of the bytes gives the same messages, and no bytes give a panic.

use husk_machine::api::{
    Event, Message, Reply,
    wire::{self, MAX_MESSAGE_BYTES},
};
use proptest::prelude::*;

use crate::machine::frames::Frames;

fn messages() -> Vec<Message> {
    vec![
        Message::Event(Event::Started),
        Message::Reply {
            id: 7,
            result: Reply::Refused("no".to_owned()),
        },
        Message::Reply {
            id: 8,
            result: Reply::Done,
        },
    ]
}

proptest! {
    #[test]
    fn messages_cut_anywhere_arrive_whole(cuts in prop::collection::vec(1_usize..40, 1..60)) {
        let bytes: Vec<u8> = messages().iter().flat_map(|m| wire::encode(m).unwrap()).collect();
        let mut frames = Frames::default();
        let mut arrived = Vec::new();
        let mut rest = bytes.as_slice();
        let mut cuts = cuts.into_iter().cycle();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            frames.push(now);
            while let Some(message) = frames.next().unwrap() {
                arrived.push(message);
            }
            rest = later;
        }
        prop_assert_eq!(arrived, messages());
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut frames = Frames::default();
        frames.push(&bytes);
        while let Ok(Some(_)) = frames.next() {}
    }
}

#[test]
fn length_beyond_the_limit_is_refused_before_the_body_arrives() {
    let mut frames = Frames::default();
    let length = u32::try_from(MAX_MESSAGE_BYTES + 1).unwrap();
    frames.push(&length.to_le_bytes());
    assert!(frames.next().is_err());
}
