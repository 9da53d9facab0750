//! Counters behind a descriptor.

use crate::call::{words, Arg, Call};
use std::mem::offset_of;

/// `eventfd2(initval, flags)`.
pub fn eventfd(initial: u32, flags: u32) -> Call<i32> {
    Call::new("eventfd2", libc::SYS_eventfd2).number(initial).number(flags).descriptor()
}

/// `read(fd, &value, 8)`.
pub fn read(fd: i32) -> Call<u64> {
    Call::new("read", libc::SYS_read).fd(fd).output(8).number(8).value(|answer| answer.u64(0))
}

/// `preadv2(fd, {&value, 8}, 1, -1, RWF_NOWAIT)`: a `read` that does not wait, also where the descriptor is a blocking one. Linux 5.8.
pub fn read_now(fd: i32) -> Call<u64> {
    let iovec: [u8; size_of::<libc::iovec>()] = words(&[(offset_of!(libc::iovec, iov_len), 8)]);
    Call::new("preadv2", libc::SYS_preadv2)
        .fd(fd)
        .reserve(8)
        .input(&iovec)
        .holding(offset_of!(libc::iovec, iov_base) as u32, 8, Arg::Out(0))
        .number(1)
        .number(-1)
        .number(-1)
        .number(libc::RWF_NOWAIT)
        .value(|answer| answer.u64(0))
}

/// `write(fd, &value, 8)`.
pub fn write(fd: i32, value: u64) -> Call<()> {
    Call::new("write", libc::SYS_write).fd(fd).input(&value.to_ne_bytes()).number(8)
}
