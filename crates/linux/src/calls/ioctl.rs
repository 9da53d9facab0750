//! ioctl(2): on namespaces, pidfds and sockets.

use crate::call::Call;

/// `ioctl(fd, request, arg)` with a number. The caller says what the result is: nothing, a value or a descriptor.
pub fn ioctl(fd: i32, request: u32, arg: i64) -> Call<()> {
    Call::new("ioctl", libc::SYS_ioctl).fd(fd).number(request).number(arg)
}

/// `ioctl(fd, request, &bytes)` with bytes that the kernel reads and writes. The caller says whether the bytes are a value.
pub fn ioctl_bytes(fd: i32, request: u32, bytes: &[u8]) -> Call<()> {
    Call::new("ioctl", libc::SYS_ioctl).fd(fd).number(request).inout(bytes)
}
