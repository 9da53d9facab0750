//! Process descriptors: pidfd_open(2), and the calls that take one.

use crate::call::{Call, Short};

/// `pidfd_open(pid, flags)`: a descriptor that stays bound to one process. Close-on-exec. Linux 5.3.
pub fn pidfd_open(pid: i32, flags: u32) -> Call<i32> {
    Call::new("pidfd_open", libc::SYS_pidfd_open).number(pid).number(flags).descriptor()
}

/// [`pidfd_send_signal`]: the third of its four arguments is always a null pointer.
pub const PIDFD_SEND_SIGNAL: Short = Short::new("pidfd_send_signal", libc::SYS_pidfd_send_signal);

/// `pidfd_send_signal(pidfd, sig, NULL, flags)`. Linux 5.1.
pub fn pidfd_send_signal(pidfd: i32, signal: i32, flags: u32) -> Call<()> {
    PIDFD_SEND_SIGNAL.call().fd(pidfd).number(signal).number(0).number(flags)
}

/// `pidfd_getfd(pidfd, targetfd, 0)`: a copy of another process's descriptor. Linux 5.6.
pub fn pidfd_getfd(pidfd: i32, fd: i32) -> Call<i32> {
    Call::new("pidfd_getfd", libc::SYS_pidfd_getfd).fd(pidfd).number(fd).number(0).descriptor()
}

/// `ioctl(pidfd, PIDFD_GET_INFO, &info)` with a `struct pidfd_info` of `length` bytes. Linux 6.13.
pub fn pidfd_info(pidfd: i32, mask: u64, length: u32) -> Call<Vec<u8>> {
    let mut info = mask.to_ne_bytes().to_vec();
    info.resize(length as usize, 0);
    let request = 3 << 30 | length << 16 | 0xff << 8 | 11;
    Call::new("ioctl", libc::SYS_ioctl).fd(pidfd).number(request).inout(&info).value(|answer| answer.out.to_vec())
}

/// [`pidfd_info`] for the exit status alone: `None` while the process is not reaped. Linux 6.15.
pub fn exit_status(pidfd: i32) -> Call<Option<i32>> {
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    pidfd_info(pidfd, PIDFD_INFO_EXIT, 64)
        .reading(|answer| (answer.u64(0) & PIDFD_INFO_EXIT != 0).then(|| answer.u32(60) as i32))
}
