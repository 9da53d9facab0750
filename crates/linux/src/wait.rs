//! Waiting, for all threads of Node: one epoll, children, other processes, descriptors that become ready.

pub mod child;
pub mod exit_status;
pub mod foreign_descriptor;
pub(crate) mod proc_directory;
pub mod reactor;
pub(crate) mod seen_pid;
pub mod stranger;
pub(crate) mod thread;
pub mod watched;
pub mod zombie;
