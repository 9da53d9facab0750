//! What the crate does on a real kernel, as root and as an ordinary user alike.

mod alone;
mod channel;
mod child;
mod exec;
mod forbid;
mod hostile;
mod hostile_clone;
mod hostile_fuzz;
mod random;
mod raw;
mod sequence;
mod stub;
mod stub_clones;
mod stub_descriptors;
mod stub_file;
mod stub_fuzz;
mod stub_messages;
mod stub_refuses;
mod stub_runs;
mod task;
mod watched;
mod zombie;
mod zygote;
