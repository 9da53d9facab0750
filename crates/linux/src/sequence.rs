//! Calls that travel together: the list of them, its format on the wire, and how it crosses a channel.

pub mod list;
pub(crate) mod message;
