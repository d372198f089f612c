//! Tests of the agent's room: an agent that lies, a socket that speaks wrongly, and calls to a real ttrpc server.

mod answers;
mod connect;
mod stream;
