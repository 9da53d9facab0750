//! One file for each family of system calls, and nothing but calls.

pub mod affinity;
pub mod attributes;
pub mod by_number;
pub mod caps;
pub mod contents;
pub mod credentials;
pub mod descriptor;
pub mod directory;
pub mod eventfd;
pub mod fs_context;
pub mod ioctl;
pub mod limits;
pub mod locks;
pub mod memory;
pub mod mount;
pub mod names;
pub mod namespaces;
pub mod pidfd;
pub mod prctl;
pub mod priority;
pub mod process;
pub mod signals;
pub mod socket;
pub mod statmount;
pub mod stub;
pub mod xattr;
