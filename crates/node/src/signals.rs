//! Signals: sets cross as 64-bit numbers, signal 1 in the lowest bit.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{BigInt, Result};
use napi_derive::napi;

/// tgkill(2).
#[napi]
pub fn tgkill(tgid: i32, tid: i32, signal: i32) -> Result<()> {
    linux::calls::signals::tgkill(tgid, tid, signal).run().or_throw()
}

/// rt_sigqueueinfo(2) with SI_QUEUE.
#[napi]
pub fn sigqueue(pid: i32, signal: i32, value: BigInt, sender: u32, uid: u32) -> Result<()> {
    linux::calls::signals::rt_sigqueueinfo(pid, signal, value.get_u64().1, sender, uid).run().or_throw()
}

/// sigprocmask(2), which changes the mask.
#[napi]
pub fn sigprocmask(how: i32, set: BigInt) -> Result<()> {
    linux::calls::signals::sigprocmask(how, set.get_u64().1).run().or_throw()
}

/// sigprocmask(2), which reads it.
#[napi]
pub fn get_sigprocmask() -> Result<BigInt> {
    linux::calls::signals::get_sigprocmask().run().or_throw().map(BigInt::from)
}

/// sigaction(2): ignored, or the default action.
#[napi]
pub fn sigaction(signal: i32, ignore: bool) -> Result<()> {
    linux::calls::signals::sigaction(signal, ignore).run().or_throw()
}

/// sigaction(2), which reads: 0 the default action, 1 ignored, 2 a handler.
#[napi]
pub fn get_sigaction(signal: i32) -> Result<u32> {
    linux::calls::signals::get_sigaction(signal).run().or_throw()
}
