//! Linux system calls as values: described once, run in this thread (near), in a task (far), or collected (batch).
//!
//! The rooms are listed from the ground up. Each one uses only those before it; `scripts/check-graph.mjs` checks that.
//!
//! A panic in a binding of the addon would end Node. So the lints below refuse what may panic; each exception says why its
//! panic cannot happen, or why it has to.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice, clippy::todo, clippy::unimplemented))]

pub mod call;
pub mod error;
pub mod filter;
pub mod flags;
mod own_descriptor;
pub mod owned;
pub mod users;
pub mod wire;

pub mod calls;

pub mod sequence;

pub mod wait;

pub mod task;

pub mod threads;

pub mod target;
