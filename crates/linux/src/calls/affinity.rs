//! The CPUs on which a thread may run. A mask has one bit for each CPU; CPU 0 is the lowest bit of the first byte.

use crate::call::Call;

/// `sched_setaffinity(pid, size, mask)`; 0: the calling thread.
pub fn sched_setaffinity(pid: i32, mask: &[u8]) -> Call<()> {
    Call::new("sched_setaffinity", libc::SYS_sched_setaffinity).number(pid).number(mask.len() as u64).input(mask)
}

/// `sched_getaffinity(pid, size, mask)`; 0: the calling thread. The kernel returns as many bytes as its own masks have.
pub fn sched_getaffinity(pid: i32, size: u32) -> Call<Vec<u8>> {
    Call::new("sched_getaffinity", libc::SYS_sched_getaffinity)
        .number(pid)
        .number(size)
        .output(size as usize)
        .at_most(size)
        .value(|answer| answer.written())
}
