//! Filters of system calls: seccomp(2).

use crate::call::{words, Call};

// Constants of linux/seccomp.h that the libc crate does not have on every platform.
const SECCOMP_SET_MODE_FILTER: u32 = 1;
const SECCOMP_FILTER_FLAG_TSYNC: u32 = 1;

/// `seccomp(SECCOMP_SET_MODE_FILTER, 0, &program)`: of the calling thread and of all that it starts later. Cannot be undone. Linux 3.17.
pub fn set_filter(program: &[u8]) -> Call<()> {
    filter(program, 0).one_thread()
}

/// `seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)`: of every thread of the process. Returns 0, or the id of a
/// thread whose filters are not among those of the calling thread. No thread has the new filter then.
pub(crate) fn set_filter_of_every_thread(program: &[u8]) -> Call<i32> {
    filter(program, SECCOMP_FILTER_FLAG_TSYNC).value(|answer| answer.result as i32)
}

/// `prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)`: as [`set_filter`], for a task that has filters already. Programs that make
/// several filters count on this call: the earlier ones allow it.
pub fn set_further_filter(program: &[u8]) -> Call<()> {
    let header = header(program);
    let call = Call::new("prctl", libc::SYS_prctl).number(libc::PR_SET_SECCOMP).number(libc::SECCOMP_MODE_FILTER);
    call.input(&header).holding_bytes(8, program).one_thread()
}

fn filter(program: &[u8], flags: u32) -> Call<()> {
    let header = header(program);
    let call = Call::new("seccomp", libc::SYS_seccomp).number(SECCOMP_SET_MODE_FILTER).number(flags);
    call.input(&header).holding_bytes(8, program)
}

/// Returns a `struct sock_fprog`, which has the address of the program at offset 8.
fn header(program: &[u8]) -> [u8; 16] {
    // The kernel reads 16 bits, and refuses a program of so many instructions.
    let count = (program.len() as u64 / 8).min(u16::MAX.into());
    words::<16>(&[(0, count)])
}
