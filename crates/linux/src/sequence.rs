//! Calls that travel together: their list, how it becomes a message, how the message crosses a channel, and the reply.

pub(crate) mod context_log;
pub(crate) mod encode;
pub mod expected;
pub(crate) mod file_limit;
pub mod list;
pub(crate) mod message;
pub mod reply;
