//! Signals, priorities, prctl: JavaScript sees numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// kill(2).
#[napi]
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    linux::calls::signals::kill(pid, signal).run().or_throw()
}

/// setpriority(2).
#[napi]
pub fn setpriority(which: u32, who: i32, nice: i32) -> Result<()> {
    linux::calls::priority::setpriority(which, who, nice).run().or_throw()
}

/// getpriority(2).
#[napi]
pub fn getpriority(which: u32, who: i32) -> Result<i32> {
    linux::calls::priority::getpriority(which, who).run().or_throw()
}

/// PR_SET_NO_NEW_PRIVS.
#[napi]
pub fn set_no_new_privs() -> Result<()> {
    linux::calls::prctl::set_no_new_privs().run().or_throw()
}

/// PR_GET_NO_NEW_PRIVS.
#[napi]
pub fn get_no_new_privs() -> Result<bool> {
    linux::calls::prctl::get_no_new_privs().run().or_throw()
}

/// PR_SET_PDEATHSIG.
#[napi]
pub fn set_death_signal(signal: i32) -> Result<()> {
    linux::calls::prctl::set_death_signal(signal).run().or_throw()
}

/// PR_GET_PDEATHSIG.
#[napi]
pub fn get_death_signal() -> Result<i32> {
    linux::calls::prctl::get_death_signal().run().or_throw()
}
