//! Linux system calls as values: described once, run in this thread (near), in a task (far), or collected (batch).
//!
//! The rooms are listed from the ground up. Each one uses only those before it; `scripts/check-graph.mjs` checks that.

pub mod call;
pub mod error;
pub mod flags;
pub mod owned;
pub mod wire;

pub mod calls;

pub mod sequence;

pub mod wait;

pub mod task;

pub mod target;
