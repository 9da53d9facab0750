//! Looking at mounts: JavaScript sees the bytes of the kernel.

use crate::throw::OrThrow;
use linux::calls::statmount::Mount;
use napi::bindgen_prelude::{BigInt, Buffer, BufferSlice, Result};
use napi_derive::napi;

/// statmount(2): fills a buffer, whose length the kernel is told, with a `struct statmount` and its strings. `fd` takes the place
/// of the id. The buffer is the caller's: making one costs more than the call.
#[napi]
pub fn statmount(
    id: BigInt,
    fd: Option<i32>,
    mask: i64,
    namespace: Option<BigInt>,
    flags: u32,
    mut buffer: BufferSlice,
) -> Result<()> {
    let mount = fd.map_or(Mount::Id(id.get_u64().1), Mount::Fd);
    let namespace = namespace.map(|id| id.get_u64().1);
    let call = linux::calls::statmount::statmount(mount, mask as u64, namespace, buffer.len() as u32, flags);
    let written = call.run().or_throw()?;
    if let Some(place) = buffer.get_mut(..written.len()) {
        place.copy_from_slice(&written);
    }
    Ok(())
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
