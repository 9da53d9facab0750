//! The calls that a stub makes itself, without the kernel: see [`crate::wire`].
//!
//! Each call is marked `one_thread`, which keeps them from running near. The kernel would read the lower half of
//! their numbers alone, and make another call.

use crate::call::{Arg, Call};
use crate::wire;
use nix::errno::Errno;

/// `attach(fd, close)`: sends a descriptor of the task with the reply. With `close`, the task closes the descriptor then.
pub(crate) fn attach(fd: Arg, close: bool) -> Call<()> {
    Call::new("attach", wire::ATTACH as i64).arg(fd).number(u8::from(close)).one_thread()
}

/// `expect(a, b, errno)`: fails with `errno` unless `a` and `b` are equal. The failure names `syscall`, the call whose result
/// is compared.
pub(crate) fn expect(syscall: &'static str, a: Arg, b: Arg, errno: Errno) -> Call<()> {
    Call::new(syscall, wire::EXPECT as i64).arg(a).arg(b).number(errno as i32).one_thread()
}
