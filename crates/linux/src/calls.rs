//! One file for each family of system calls, and nothing but calls.

pub mod affinity;
pub mod by_number;
pub mod caps;
pub mod credentials;
pub mod descriptor;
pub mod eventfd;
pub mod limits;
pub mod memory;
pub mod mount;
pub mod namespaces;
pub mod pidfd;
pub mod prctl;
pub mod priority;
pub mod process;
pub mod signals;
pub mod stub;
