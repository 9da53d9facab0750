//! The one addon. It converts what JavaScript gives, builds the call, runs it in the current target, and converts or
//! throws what comes back. It decides nothing.

mod caps;
mod convert;
mod credentials;
mod descriptor;
mod eventfd;
mod getters;
mod host;
mod mount;
mod namespaces;
mod pidfd;
mod process;
mod task;
mod throw;
