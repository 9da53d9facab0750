//! Signals, priorities, prctl: JavaScript sees numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{Env, Result};
use napi_derive::napi;

/// kill(2).
#[napi]
pub fn kill(env: Env, pid: i32, signal: i32) -> Result<()> {
    linux::process::kill(pid, signal).run().or_throw(&env)
}

/// setpriority(2).
#[napi]
pub fn setpriority(env: Env, which: u32, who: i32, nice: i32) -> Result<()> {
    linux::process::setpriority(which, who, nice).run().or_throw(&env)
}

/// getpriority(2).
#[napi]
pub fn getpriority(env: Env, which: u32, who: i32) -> Result<i32> {
    linux::process::getpriority(which, who).run().or_throw(&env)
}

/// PR_SET_NO_NEW_PRIVS.
#[napi]
pub fn set_no_new_privs(env: Env) -> Result<()> {
    linux::process::set_no_new_privs().run().or_throw(&env)
}

/// PR_GET_NO_NEW_PRIVS.
#[napi]
pub fn get_no_new_privs(env: Env) -> Result<bool> {
    linux::process::get_no_new_privs().run().or_throw(&env)
}

/// PR_SET_PDEATHSIG.
#[napi]
pub fn set_death_signal(env: Env, signal: i32) -> Result<()> {
    linux::process::set_death_signal(signal).run().or_throw(&env)
}

/// PR_GET_PDEATHSIG.
#[napi]
pub fn get_death_signal(env: Env) -> Result<i32> {
    linux::process::get_death_signal().run().or_throw(&env)
}
