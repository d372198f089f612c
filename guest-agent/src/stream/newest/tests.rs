//! Turns of connections, without connections.

use tokio::{sync::oneshot, task::yield_now};

use super::Newest;

#[tokio::test]
async fn turn_lasts_until_a_newer_connection_comes() {
    let newest = Newest::default();
    let mut first = newest.take_over();
    let (told, mut is_told) = oneshot::channel();
    let waiting = tokio::spawn(async move {
        first.is_over().await;
        told.send(()).unwrap();
    });
    yield_now().await;
    assert!(is_told.try_recv().is_err());
    let _second = newest.take_over();
    waiting.await.unwrap();
    is_told.await.unwrap();
}

/// The count does not begin again behind its end.
#[tokio::test]
async fn retired_stream_is_nobodys_however_many_come() {
    let newest = Newest::default();
    let mut before = newest.take_over();
    newest.retire();
    before.is_over().await;
    for _ in 0..3 {
        newest.take_over().is_over().await;
    }
    before.is_over().await;
}
