//! The ids that file accesses are checked with: the kernel does not report whether it has set them.

use crate::call::{Answer, Call};
use crate::calls::caps::{capget, halves};
use crate::calls::credentials::{getfsgid, getfsuid, setfsgid, setfsuid, UNCHANGED};
use crate::error::{refused, Failure, Result};
use crate::target::run_all;
use nix::errno::Errno;

const SETGID: u32 = 6;
const SETUID: u32 = 7;

/// Sets the user id for file accesses, and returns the former one. Fails if the kernel has left the id as it was.
pub fn set_user(uid: u32) -> Result<u32> {
    set("setfsuid", uid, SETUID, setfsuid(uid), getfsuid())
}

/// Sets the group id for file accesses, and returns the former one. Fails if the kernel has left the id as it was.
pub fn set_group(gid: u32) -> Result<u32> {
    set("setfsgid", gid, SETGID, setfsgid(gid), getfsgid())
}

/// Sets an id, and reads it back and the effective capabilities, in one message. With the capability to set any id, the kernel
/// leaves the id as it was only if the user namespace does not map the new one.
fn set(name: &'static str, id: u32, capability: u32, set: Call<u32>, get: Call<u32>) -> Result<u32> {
    let number = |answer: &Answer| u64::from(answer.result as u32);
    let calls = vec![set.reading(number), get.reading(number), capget(0).reading(|answer| halves(answer)[0])];
    let [former, now, effective] = run_all(calls)?.try_into().map_err(|_| Failure::Internal("a call has no answer"))?;
    if id == UNCHANGED || now == u64::from(id) {
        return Ok(former as u32);
    }
    Err(refused(name, if effective >> capability & 1 == 1 { Errno::EINVAL } else { Errno::EPERM }))
}
