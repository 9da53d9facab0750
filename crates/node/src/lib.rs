//! The one addon. A function converts its arguments, builds the call, runs it in the current target, and converts the
//! answer or throws the failure. No function decides anything.

mod affinity;
mod attach;
mod batch;
mod caps;
mod child;
mod clone;
mod convert;
mod credentials;
mod descriptor;
mod eventfd;
mod events;
mod exec;
mod failure;
mod getters;
mod limits;
mod mount;
mod namespaces;
mod pidfd;
mod prctl;
mod process;
mod signals;
mod syscall;
mod tables;
mod targets;
mod task;
mod throw;
mod transfer;
