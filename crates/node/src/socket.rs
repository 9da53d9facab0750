//! Sockets: JavaScript sees numbers, and addresses as bytes.

use crate::syscall::{with_args, Syscalled};
use crate::throw::OrThrow;
use napi::bindgen_prelude::{BigInt, Either3, Result, Uint8Array};
use napi_derive::napi;

/// socket(2).
#[napi]
pub fn socket(domain: i32, kind: i32, protocol: i32) -> Result<i32> {
    linux::calls::socket::socket(domain, kind, protocol).run().or_throw()
}

/// bind(2), connect(2), listen(2), setsockopt(2), getsockopt(2), getsockname(2) or getpeername(2), by their place in this list.
/// `path`: the name of a Unix socket, for errors.
// An alias of the type of `args` would stand in the declarations by its name, which they do not declare.
#[napi]
pub fn on_socket(
    call: u32,
    fd: i32,
    args: Vec<Either3<i64, BigInt, Uint8Array>>,
    path: Uint8Array,
) -> Result<Syscalled> {
    Syscalled::of(with_args(linux::calls::socket::on_socket(call, fd, &path), &args))
}
