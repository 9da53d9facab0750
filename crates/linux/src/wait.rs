//! Waiting, for all threads of Node: one epoll, children, other processes, readable descriptors.

pub mod child;
pub mod reactor;
pub mod readable;
