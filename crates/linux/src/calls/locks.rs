//! Locks of open files: flock(2), and the locks of fcntl(2) that belong to an open file description.

use crate::call::{words, Call};
use std::mem::offset_of;

const LOCK: usize = size_of::<libc::flock>();

/// `flock(fd, operation)`, with LOCK_NB unless the call may `wait`.
pub fn flock(fd: i32, operation: i32, wait: bool) -> Call<()> {
    let flags = if wait { 0 } else { libc::LOCK_NB };
    Call::new("flock", libc::SYS_flock).fd(fd).number(operation | flags)
}

/// `fcntl(fd, F_OFD_SETLK, &lock)`, or F_OFD_SETLKW if the call may `wait`. Linux 3.15.
pub fn set_lock(fd: i32, kind: u16, start: i64, length: i64, wait: bool) -> Call<()> {
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    Call::new("fcntl", libc::SYS_fcntl).fd(fd).number(command).input(&range(kind, start, length))
}

/// `fcntl(fd, F_OFD_GETLK, &lock)`: the bytes of the `struct flock` that the kernel has written. Linux 3.15.
pub fn get_lock(fd: i32, kind: u16, start: i64, length: i64) -> Call<Vec<u8>> {
    let call = Call::new("fcntl", libc::SYS_fcntl).fd(fd).number(libc::F_OFD_GETLK);
    call.inout(&range(kind, start, length)).value(|answer| answer.out.to_vec())
}

/// Returns a `struct flock` that begins at the start of the file (`l_whence` is SEEK_SET, which is 0) and names no process.
fn range(kind: u16, start: i64, length: i64) -> [u8; LOCK] {
    words(&[
        (offset_of!(libc::flock, l_type), kind.into()),
        (offset_of!(libc::flock, l_start), start as u64),
        (offset_of!(libc::flock, l_len), length as u64),
    ])
}

const _: () = assert!(libc::SEEK_SET == 0 && offset_of!(libc::flock, l_start) == 8 && LOCK == 32);
