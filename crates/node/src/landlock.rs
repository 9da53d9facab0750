//! Landlock(7). Rights cross as 64 bits.

use crate::throw::OrThrow;
use linux::calls::{landlock, prctl};
use napi::bindgen_prelude::{BigInt, Result};
use napi_derive::napi;

/// landlock_create_ruleset(2).
#[napi]
pub fn landlock_create_ruleset(fs: BigInt, net: BigInt, scoped: BigInt) -> Result<i32> {
    let [fs, net, scoped] = [fs, net, scoped].map(|bits| bits.get_u64().1);
    landlock::create_ruleset(fs, net, scoped).run().or_throw()
}

/// landlock_create_ruleset(2) without a ruleset, near, whichever target is current.
#[napi]
pub fn landlock_version(flags: u32) -> Result<i32> {
    landlock::version(flags).near().or_throw()
}

/// landlock_add_rule(2) for a file.
#[napi]
pub fn landlock_add_path_rule(ruleset: i32, file: i32, allowed: BigInt) -> Result<()> {
    landlock::add_path_rule(ruleset, file, allowed.get_u64().1).run().or_throw()
}

/// landlock_add_rule(2) for a port.
#[napi]
pub fn landlock_add_port_rule(ruleset: i32, port: i64, allowed: BigInt) -> Result<()> {
    landlock::add_port_rule(ruleset, port as u64, allowed.get_u64().1).run().or_throw()
}

/// landlock_restrict_self(2). `this_thread`: also near, for the calling thread alone.
#[napi]
pub fn landlock_restrict_self(ruleset: i32, flags: u32, this_thread: bool) -> Result<()> {
    linux::target::landlock::restrict(ruleset, flags, this_thread).or_throw()
}

/// PR_SET_NO_NEW_PRIVS, also near, for the calling thread alone.
#[napi]
pub fn set_no_new_privs_of_this_thread() -> Result<()> {
    prctl::set_no_new_privs_of_this_thread().run().or_throw()
}
