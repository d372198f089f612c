//! The two messages at the start of a stream connection.

use std::io;

use husk_protocol::{
    agent::{StreamOpen, StreamOpened},
    frame::{self, LENGTH_BYTES},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::conn::Conn;

/// Reads what the host wants on this connection.
pub(crate) async fn read_open(conn: &mut Conn) -> io::Result<StreamOpen> {
    let mut length = [0; LENGTH_BYTES];
    conn.read_exact(&mut length).await?;
    let wanted = frame::body_len(length).map_err(io::Error::other)?;
    let mut body = vec![0; wanted];
    conn.read_exact(&mut body).await?;
    frame::parse(&body).map_err(io::Error::other)
}

/// Says whether the stream is open; an empty error means that bytes follow.
pub(crate) async fn answer(conn: &mut Conn, error: &str) -> io::Result<()> {
    let opened = StreamOpened {
        error: error.to_owned(),
        ..StreamOpened::default()
    };
    let frame = frame::encode(&opened).map_err(io::Error::other)?;
    conn.write_all(&frame).await
}
