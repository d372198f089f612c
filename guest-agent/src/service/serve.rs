//! Accept loops: calls on one port, streams on the other.

use std::{io, sync::Arc};

use async_stream::stream;
use husk_protocol::{
    agent::{StreamKind, StreamOpen},
    agent_ttrpc::create_agent,
};
use ttrpc::asynchronous::{Server, transport};

use super::agent::AgentService;
use crate::{
    container::{Agent, ProcessKey},
    stream::{Conn, Listener, answer, read_open},
};

/// Serves calls from now on. The server stops when it is dropped.
pub(crate) async fn serve_calls(
    listener: Listener,
    service: Arc<AgentService>,
) -> ttrpc::Result<Server> {
    let connections = transport::Listener::new(stream! {
        loop {
            yield Ok(listener.accept().await);
        }
    });
    let mut server = Server::new()
        .add_listener(connections)
        .register_service(create_agent(service));
    server.start().await?;
    Ok(server)
}

/// Serves stream connections for ever.
pub(crate) async fn serve_streams(listener: Listener, agent: Arc<Agent>) {
    loop {
        let conn = listener.accept().await;
        let agent = Arc::clone(&agent);
        // An error of one connection ends that connection.
        tokio::spawn(async move {
            let _ = serve_stream(conn, &agent).await;
        });
    }
}

async fn serve_stream(mut conn: Conn, agent: &Agent) -> io::Result<()> {
    let open = read_open(&mut conn).await?;
    let key = ProcessKey {
        container: &open.container_id,
        exec: &open.exec_id,
    };
    let process = match agent.process(key) {
        Ok(process) => process,
        Err(error) => return answer(&mut conn, &error.to_string()).await,
    };
    match open.kind.enum_value_or_default() {
        StreamKind::STREAM_KIND_STDIN => {
            let Some(stdin) = &process.stdin else {
                return answer(&mut conn, &not_connected(&open)).await;
            };
            answer(&mut conn, "").await?;
            stdin.serve(&conn).await;
        }
        kind => {
            let output = match kind {
                StreamKind::STREAM_KIND_STDOUT => &process.stdout,
                StreamKind::STREAM_KIND_STDERR => &process.stderr,
                _ => &None,
            };
            let Some(output) = output else {
                return answer(&mut conn, &not_connected(&open)).await;
            };
            answer(&mut conn, "").await?;
            output.serve(&conn).await;
        }
    }
    Ok(())
}

fn not_connected(open: &StreamOpen) -> String {
    format!(
        "{:?} of container {} is not a stream of this process",
        open.kind, open.container_id
    )
}
