//! Sockets.

use crate::call::Call;

/// `socket(domain, type, protocol)`.
pub fn socket(domain: i32, kind: i32, protocol: i32) -> Call<i32> {
    Call::new("socket", libc::SYS_socket).number(domain).number(kind).number(protocol).descriptor()
}

/// The calls of [`on_socket`], in the order of their numbers there. Those up to [`LAST_CHANGE`] return nothing, the others write an
/// answer.
const CALLS: [(&str, i64); 7] = [
    ("bind", libc::SYS_bind),
    ("connect", libc::SYS_connect),
    ("listen", libc::SYS_listen),
    ("setsockopt", libc::SYS_setsockopt),
    ("getsockopt", libc::SYS_getsockopt),
    ("getsockname", libc::SYS_getsockname),
    ("getpeername", libc::SYS_getpeername),
];
const LAST_CHANGE: u32 = 3;

/// `bind(fd, …)` and the other calls whose first argument is a socket, without their further arguments. A number that is none
/// of theirs makes a call that the kernel does not have. `path` is the name of a Unix socket, for errors; an empty one is none.
pub fn on_socket(call: u32, fd: i32, path: &[u8]) -> Call<()> {
    let (name, nr) = CALLS.get(call as usize).copied().unwrap_or(("socketcall", -1));
    let made = Call::new(name, nr).fd(fd);
    let made = if path.is_empty() { made } else { made.about(path) };
    if call > LAST_CHANGE {
        made.value(|_| ())
    } else {
        made
    }
}
