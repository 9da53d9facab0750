//! The one addon. A function converts its arguments, builds the call, runs it in the current target, and converts the
//! answer or throws the failure. No function decides anything.
//!
//! A panic in a function would end Node. So the lints below refuse what may panic; each exception says why its panic cannot
//! happen.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::string_slice, clippy::todo, clippy::unimplemented))]

mod affinity;
mod attach;
mod attributes;
mod batch;
mod caps;
mod child;
mod clone;
mod contents;
mod convert;
mod copies;
mod credentials;
mod descriptor;
mod directory;
mod eventfd;
mod events;
mod exec;
mod failure;
mod fs_context;
mod getters;
mod ioctl;
mod landlock;
mod limits;
mod locks;
mod mount;
mod names;
mod namespaces;
mod pidfd;
mod prctl;
mod process;
mod seccomp;
mod signals;
mod socket;
mod statmount;
mod syscall;
mod tables;
mod targets;
mod task;
mod throw;
mod transfer;
mod users;
mod weak;
mod xattr;
