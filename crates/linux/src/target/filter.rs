//! Installing a filter of seccomp(2) in a target.

use crate::calls::seccomp::set_filter;
use crate::error::Result;
use crate::target::{Target, CURRENT};
use crate::threads;

/// Installs a program of classic BPF as a filter in the current target.
pub fn install(program: &[u8]) -> Result<()> {
    // The plan of a change has no calls with addresses in their memory, and the kernel needs none for this one.
    if CURRENT.with_borrow(|target| matches!(target, Target::EveryThread(_))) {
        return threads::filter::install(program);
    }
    set_filter(program).run()
}
