//! Capabilities: sets cross as 64-bit numbers.

use crate::throw::OrThrow;
use linux::target::ambient_set::{self, Inheriting};
use linux::target::capability_sets::{self, Reduction};
use napi::bindgen_prelude::{BigInt, BigUint64Array, Result};
use napi_derive::napi;

/// Returns effective, permitted and inheritable.
fn three(sets: Vec<BigInt>) -> [u64; 3] {
    let mut words = sets.into_iter().map(|set| set.get_u64().1);
    std::array::from_fn(|_| words.next().unwrap_or(0))
}

/// capget(2): effective, permitted, inheritable.
#[napi]
pub fn capget(pid: i32) -> Result<Vec<u64>> {
    capability_sets::three(pid).or_throw().map(Vec::from)
}

/// capget(2): writes effective, permitted and inheritable to an array of three words, which takes half the time.
#[napi]
pub fn capget_into(pid: i32, mut sets: BigUint64Array) -> Result<()> {
    let read = capability_sets::three(pid).or_throw()?;
    // SAFETY: JavaScript is in this call, and so nothing else uses the memory of the array.
    unsafe { sets.as_mut() }.iter_mut().zip(read).for_each(|(place, set)| *place = set);
    Ok(())
}

/// capset(2): effective, permitted, inheritable.
#[napi]
pub fn capset(pid: i32, sets: Vec<BigInt>) -> Result<()> {
    linux::calls::caps::capset(pid, three(sets)).run().or_throw()
}

/// Returns the number of the kernel's last capability.
#[napi]
pub fn last_capability() -> Result<u32> {
    capability_sets::last().or_throw()
}

/// Returns whether the kernel has the securebits about execve(2) of Linux 6.14.
#[napi]
pub fn has_exec_securebits() -> bool {
    linux::calls::caps::has_exec_securebits()
}

/// Returns effective, permitted, inheritable, bounding, ambient, and 1 for no_new_privs.
#[napi]
pub fn capability_sets() -> Result<Vec<u64>> {
    capability_sets::sets().or_throw().map(Vec::from)
}

/// PR_CAPBSET_READ of all capabilities.
#[napi]
pub fn bounding_set() -> Result<u64> {
    capability_sets::bounding().or_throw()
}

/// PR_CAPBSET_DROP of these capabilities.
#[napi]
pub fn drop_bounding(caps: BigInt) -> Result<()> {
    capability_sets::drop_from_bounding(caps.get_u64().1).or_throw()
}

/// PR_CAP_AMBIENT_IS_SET of all capabilities.
#[napi]
pub fn ambient_set() -> Result<u64> {
    capability_sets::ambient().or_throw()
}

/// PR_CAP_AMBIENT_RAISE of these capabilities, of all or of none. `before` and `during` are sets for capset(2) around that.
#[napi]
pub fn raise_ambient(caps: BigInt, before: Option<Vec<BigInt>>, during: Option<Vec<BigInt>>) -> Result<()> {
    let inheriting =
        before.zip(during).map(|(before, during)| Inheriting { before: three(before), during: three(during) });
    ambient_set::raise(caps.get_u64().1, inheriting).or_throw()
}

/// PR_CAP_AMBIENT_LOWER of these capabilities.
#[napi]
pub fn lower_ambient(caps: BigInt) -> Result<()> {
    capability_sets::lower(caps.get_u64().1).or_throw()
}

/// capset(2) to `before`; PR_CAPBSET_DROP of all in `drop`; PR_CAP_AMBIENT_CLEAR_ALL; capset(2) to `keep`; with `ambient`,
/// PR_CAP_AMBIENT_RAISE of it; with `no_new_privs`, PR_SET_NO_NEW_PRIVS. With `read_back`, returns what `capabilitySets` does.
#[napi]
pub fn reduce_capabilities(
    before: Option<Vec<BigInt>>,
    drop: BigInt,
    keep: BigInt,
    ambient: bool,
    no_new_privs: bool,
    read_back: bool,
) -> Result<Vec<u64>> {
    let reduction =
        Reduction { before: before.map(three), drop: drop.get_u64().1, keep: keep.get_u64().1, ambient, no_new_privs };
    let sets = capability_sets::reduce(reduction, read_back).or_throw()?;
    Ok(sets.into_iter().flatten().collect())
}
