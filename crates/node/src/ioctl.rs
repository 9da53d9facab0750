//! ioctl(2): JavaScript knows the requests and their structs.

use crate::throw::OrThrow;
use linux::calls::ioctl as calls;
use napi::bindgen_prelude::{Buffer, Result, Uint8Array};
use napi_derive::napi;

/// ioctl(2) with a number. Returns the result, which is a new descriptor or a value.
#[napi]
pub fn ioctl(fd: i32, request: u32, arg: i64, descriptor: bool) -> Result<i32> {
    let call = calls::ioctl(fd, request, arg);
    let call = if descriptor { call.descriptor() } else { call.value(|answer| answer.result as i32) };
    call.run().or_throw()
}

/// ioctl(2) with bytes that the kernel reads and writes. Returns the bytes afterwards. A batch collects the call if its bytes are
/// no `answer`, and returns none.
#[napi]
pub fn ioctl_bytes(fd: i32, request: u32, bytes: Uint8Array, answer: bool) -> Result<Buffer> {
    let call = calls::ioctl_bytes(fd, request, &bytes);
    let (_, out) = if answer { call.value(|_| ()).run_raw() } else { call.run_raw() }.or_throw()?;
    Ok(out.into())
}
