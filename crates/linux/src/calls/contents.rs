//! The contents of a file as a whole: their length, and their way to the device.

use crate::call::Call;

/// `ftruncate(fd, length)`.
pub fn ftruncate(fd: i32, length: i64) -> Call<()> {
    Call::new("ftruncate", libc::SYS_ftruncate).fd(fd).number(length)
}

/// `fsync(fd)`.
pub fn fsync(fd: i32) -> Call<()> {
    Call::new("fsync", libc::SYS_fsync).fd(fd)
}

/// `fdatasync(fd)`.
pub fn fdatasync(fd: i32) -> Call<()> {
    Call::new("fdatasync", libc::SYS_fdatasync).fd(fd)
}
