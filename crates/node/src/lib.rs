//! The one addon. It converts what JavaScript gives, builds the call, runs it in the current target, and converts or
//! throws what comes back. It decides nothing.

mod affinity;
mod caps;
mod convert;
mod credentials;
mod descriptor;
mod eventfd;
mod getters;
mod host;
mod limits;
mod mount;
mod namespaces;
mod pidfd;
mod prctl;
mod process;
mod signals;
mod task;
mod throw;
