//! The memory of a process.

use crate::call::{Arg, Call};

/// `mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)`: new memory, all zero.
pub(crate) fn mmap(length: u64) -> Call<()> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let call = Call::new("mmap", libc::SYS_mmap).number(0).number(length);
    call.number(protection).number(flags).number(-1).number(0)
}

/// `mprotect(address, length, protection)`.
pub(crate) fn mprotect(address: Arg, length: u64, protection: i32) -> Call<()> {
    Call::new("mprotect", libc::SYS_mprotect).arg(address).number(length).number(protection)
}

/// `munmap(address, length)`.
pub(crate) fn munmap(address: u64, length: u64) -> Call<()> {
    Call::new("munmap", libc::SYS_munmap).number(address).number(length)
}
