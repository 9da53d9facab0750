//! Making, feeding and ending a task.

pub mod ambient;
pub mod batch;
pub mod channel;
pub mod clone;
pub(crate) mod context_log;
pub(crate) mod death_signal;
pub mod exec;
pub(crate) mod outgoing;
mod own_proc;
pub mod share;
pub mod spawner;
pub mod stub;
pub mod supervise;
pub mod thread;
pub mod transfer;
pub mod zygote;
