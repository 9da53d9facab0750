//! Linux system calls as values: described once, run in this thread (near), in a task (far), or collected (batch).

pub mod ambient;
pub mod batch;
pub mod call;
pub mod caps;
pub mod channel;
pub mod child;
pub mod credentials;
pub mod descriptor;
pub mod error;
pub mod eventfd;
pub mod exec;
pub mod flags;
mod message;
pub mod mount;
pub mod namespaces;
pub mod pidfd;
pub mod process;
pub mod program;
pub mod reactor;
pub mod readable;
pub mod share;
pub mod stub;
pub mod supervise;
pub mod target;
pub mod task;
pub mod wire;
pub mod zygote;
