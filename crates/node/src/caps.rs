//! Capabilities: sets cross as 64-bit numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{BigInt, Result};
use napi_derive::napi;

/// capget(2): effective, permitted, inheritable.
#[napi]
pub fn capget(pid: i32) -> Result<Vec<BigInt>> {
    linux::calls::caps::capget(pid).run().or_throw().map(|sets| sets.map(|set| u64::from_ne_bytes(set).into()).into())
}

/// Returns the number of the kernel's last capability.
#[napi]
pub fn last_capability() -> Result<u32> {
    linux::target::capability_sets::last().or_throw()
}

/// capget(2) and PR_CAPBSET_READ: effective, permitted, inheritable, bounding.
#[napi]
pub fn capability_sets() -> Result<Vec<BigInt>> {
    linux::target::capability_sets::sets().or_throw().map(|sets| sets.map(BigInt::from).into())
}

/// PR_CAPBSET_DROP of all in `drop`, PR_CAP_AMBIENT_CLEAR_ALL, and capset(2) to `keep`, nothing of it inheritable; with
/// `read_back`, returns the sets as `capabilitySets` does.
#[napi]
pub fn reduce_capabilities(drop: BigInt, keep: BigInt, read_back: bool) -> Result<Vec<BigInt>> {
    let sets = linux::target::capability_sets::reduce(drop.get_u64().1, keep.get_u64().1, read_back).or_throw()?;
    Ok(sets.into_iter().flatten().map(BigInt::from).collect())
}
