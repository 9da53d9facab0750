//! The one addon. It converts what JavaScript gives, builds the call, runs it in the current target, and converts or
//! throws what comes back. It decides nothing.

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
