//! Looking at mounts: JavaScript sees the bytes of the kernel.

use crate::throw::OrThrow;
use linux::calls::statmount::Mount;
use napi::bindgen_prelude::{BigInt, Buffer, Either, Result};
use napi_derive::napi;

/// statmount(2): a buffer of `length` bytes that holds a `struct statmount`. `mount` is an id or a descriptor.
#[napi]
pub fn statmount(
    mount: Either<i32, BigInt>,
    mask: i64,
    namespace: Option<BigInt>,
    length: u32,
    flags: u32,
) -> Result<Buffer> {
    let mount = match mount {
        Either::A(fd) => Mount::Fd(fd),
        Either::B(id) => Mount::Id(id.get_u64().1),
    };
    let namespace = namespace.map(|id| id.get_u64().1);
    let call = linux::calls::statmount::statmount(mount, mask as u64, namespace, length, flags);
    call.run_raw().or_throw().map(|(_, out)| out.into())
}

/// listmount(2): the ids, of 8 bytes each.
#[napi]
pub fn listmount(mount: BigInt, after: BigInt, namespace: Option<BigInt>, count: u32, flags: u32) -> Result<Buffer> {
    let namespace = namespace.map(|id| id.get_u64().1);
    let [mount, after] = [mount, after].map(|id| id.get_u64().1);
    let call = linux::calls::statmount::listmount(mount, after, namespace, count, flags);
    call.run_raw().or_throw().map(|(listed, mut out)| {
        out.truncate(listed as usize * 8);
        out.into()
    })
}
