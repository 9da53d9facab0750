//! Resource limits: JavaScript sees two 64-bit numbers, soft and hard.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{BigInt, Result};
use napi_derive::napi;

/// setrlimit(2).
#[napi]
pub fn setrlimit(resource: u32, soft: BigInt, hard: BigInt) -> Result<()> {
    linux::limits::setrlimit(resource, [soft, hard].map(|limit| limit.get_u64().1)).run().or_throw()
}

/// prlimit(2): what the limits were.
#[napi]
pub fn prlimit(pid: i32, resource: u32, soft: Option<BigInt>, hard: Option<BigInt>) -> Result<Vec<BigInt>> {
    let new = soft.zip(hard).map(|(soft, hard)| [soft, hard].map(|limit| limit.get_u64().1));
    linux::limits::prlimit(pid, resource, new).run().or_throw().map(|limits| limits.map(BigInt::from).into())
}
