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
    let streams = &process.streams;
    let terminal = &streams.terminal;
    match open.kind.enum_value_or_default() {
        StreamKind::STREAM_KIND_STDIN => {
            if let Some(stdin) = &streams.stdin {
                answer(&mut conn, "").await?;
                stdin.serve(&conn).await;
            } else if let Some(terminal) = terminal {
                answer(&mut conn, "").await?;
                terminal.serve_input(&conn).await;
            } else {
                answer(&mut conn, &not_connected(&open)).await?;
            }
        }
        kind => {
            let output = match kind {
                StreamKind::STREAM_KIND_STDOUT => &streams.stdout,
                StreamKind::STREAM_KIND_STDERR => &streams.stderr,
                _ => &None,
            };
            let shown = (kind == StreamKind::STREAM_KIND_STDOUT)
                .then_some(terminal.as_ref())
                .flatten();
            if let Some(output) = output {
                answer(&mut conn, "").await?;
                output.serve(&conn).await;
            } else if let Some(terminal) = shown {
                answer(&mut conn, "").await?;
                terminal.serve_output(&conn).await;
            } else {
                answer(&mut conn, &not_connected(&open)).await?;
            }
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
