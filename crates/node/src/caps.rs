//! Capabilities: sets cross as 64-bit numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{BigInt, Env, Result};
use napi_derive::napi;

/// capget(2): effective, permitted, inheritable.
#[napi]
pub fn capget(env: Env, pid: i32) -> Result<Vec<BigInt>> {
    linux::caps::capget(pid).run().or_throw(&env).map(|sets| sets.map(|set| u64::from_ne_bytes(set).into()).into())
}

/// capset(2).
#[napi]
pub fn capset(env: Env, effective: BigInt, permitted: BigInt, inheritable: BigInt) -> Result<()> {
    linux::caps::capset(effective.get_u64().1, permitted.get_u64().1, inheritable.get_u64().1).run().or_throw(&env)
}

/// PR_CAPBSET_DROP.
#[napi]
pub fn drop_bounding(env: Env, capability: u32) -> Result<()> {
    linux::process::drop_bounding(capability).run().or_throw(&env)
}

/// PR_CAPBSET_READ.
#[napi]
pub fn read_bounding(env: Env, capability: u32) -> Result<bool> {
    linux::process::read_bounding(capability).run().or_throw(&env)
}

/// PR_CAP_AMBIENT_CLEAR_ALL.
#[napi]
pub fn clear_ambient(env: Env) -> Result<()> {
    linux::process::clear_ambient().run().or_throw(&env)
}
