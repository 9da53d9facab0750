//! Ids: JavaScript sees numbers.

use crate::throw::OrThrow;
use linux::target::drop_to::{self, Found, User};
use napi::bindgen_prelude::{BigInt, Result};
use napi_derive::napi;

/// What a target has become.
#[napi(object)]
pub struct FoundCredentials {
    /// The user ids: for file accesses, real, effective and saved.
    pub uids: Vec<u32>,
    /// The group ids in the same order.
    pub gids: Vec<u32>,
    /// The effective, permitted and inheritable set, and what of the kept capabilities is ambient.
    pub sets: Vec<BigInt>,
    /// The supplementary groups. Empty if they were to stay.
    pub groups: Vec<u32>,
    /// True when no thread of this process was changed, because the rehearsal has led to this.
    pub unchanged: bool,
}

impl From<Found> for FoundCredentials {
    fn from(Found { uids, gids, sets, groups, unchanged }: Found) -> Self {
        FoundCredentials { uids, gids, sets: sets.into_iter().map(BigInt::from).collect(), groups, unchanged }
    }
}

/// setgroups(2), setresgid(2), setresuid(2) and capset(2), to another user with the capabilities `keep`. Returns nothing in a batch.
#[napi]
pub fn drop_to(
    uid: u32,
    gid: u32,
    groups: Option<Vec<u32>>,
    keep: BigInt,
    ambient: bool,
) -> Result<Option<FoundCredentials>> {
    let user = User { uid, gid, groups, keep: keep.get_u64().1, ambient };
    drop_to::drop_to(&user).or_throw().map(|found| found.map(FoundCredentials::from))
}

/// getuid(2).
#[napi]
pub fn getuid() -> Result<u32> {
    linux::calls::credentials::getuid().run().or_throw()
}

/// geteuid(2).
#[napi]
pub fn geteuid() -> Result<u32> {
    linux::calls::credentials::geteuid().run().or_throw()
}

/// getgid(2).
#[napi]
pub fn getgid() -> Result<u32> {
    linux::calls::credentials::getgid().run().or_throw()
}

/// getegid(2).
#[napi]
pub fn getegid() -> Result<u32> {
    linux::calls::credentials::getegid().run().or_throw()
}

/// getpid(2).
#[napi]
pub fn getpid() -> Result<u32> {
    linux::calls::credentials::getpid().run().or_throw()
}

/// getppid(2).
#[napi]
pub fn getppid() -> Result<u32> {
    linux::calls::credentials::getppid().run().or_throw()
}

/// gettid(2).
#[napi]
pub fn gettid() -> Result<u32> {
    linux::calls::credentials::gettid().run().or_throw()
}

/// setsid(2).
#[napi]
pub fn setsid() -> Result<()> {
    linux::calls::credentials::setsid().run().or_throw()
}

/// getresuid(2): real, effective, saved.
#[napi]
pub fn getresuid() -> Result<Vec<u32>> {
    linux::calls::credentials::getresuid().run().or_throw().map(Vec::from)
}

/// getresgid(2): real, effective, saved.
#[napi]
pub fn getresgid() -> Result<Vec<u32>> {
    linux::calls::credentials::getresgid().run().or_throw().map(Vec::from)
}

/// getgroups(2), up to `room` of them.
#[napi]
pub fn getgroups(room: u32) -> Result<Vec<u32>> {
    linux::calls::credentials::getgroups(room).run().or_throw()
}

/// getgroups(2) for their number.
#[napi]
pub fn getgroups_count() -> Result<u32> {
    linux::calls::credentials::getgroups_count().run().or_throw()
}

/// getpgid(2).
#[napi]
pub fn getpgid(pid: i32) -> Result<u32> {
    linux::calls::credentials::getpgid(pid).run().or_throw()
}

/// getsid(2).
#[napi]
pub fn getsid(pid: i32) -> Result<u32> {
    linux::calls::credentials::getsid(pid).run().or_throw()
}

/// setpgid(2).
#[napi]
pub fn setpgid(pid: i32, group: i32) -> Result<()> {
    linux::calls::credentials::setpgid(pid, group).run().or_throw()
}

/// setuid(2).
#[napi]
pub fn setuid(uid: u32) -> Result<()> {
    linux::calls::credentials::setuid(uid).run().or_throw()
}

/// setgid(2).
#[napi]
pub fn setgid(gid: u32) -> Result<()> {
    linux::calls::credentials::setgid(gid).run().or_throw()
}

/// setreuid(2).
#[napi]
pub fn setreuid(real: u32, effective: u32) -> Result<()> {
    linux::calls::credentials::setreuid(real, effective).run().or_throw()
}

/// setregid(2).
#[napi]
pub fn setregid(real: u32, effective: u32) -> Result<()> {
    linux::calls::credentials::setregid(real, effective).run().or_throw()
}

/// setfsuid(2), and again for what has become of the id: the former id.
#[napi]
pub fn setfsuid(uid: u32) -> Result<u32> {
    linux::target::file_ids::set_user(uid).or_throw()
}

/// setfsgid(2), and again for what has become of the id: the former id.
#[napi]
pub fn setfsgid(gid: u32) -> Result<u32> {
    linux::target::file_ids::set_group(gid).or_throw()
}

/// setresuid(2).
#[napi]
pub fn setresuid(real: u32, effective: u32, saved: u32) -> Result<()> {
    linux::calls::credentials::setresuid(real, effective, saved).run().or_throw()
}

/// setresgid(2).
#[napi]
pub fn setresgid(real: u32, effective: u32, saved: u32) -> Result<()> {
    linux::calls::credentials::setresgid(real, effective, saved).run().or_throw()
}

/// setgroups(2); with `go_on` a batch passes over a refusal.
#[napi]
pub fn setgroups(groups: Vec<u32>, go_on: bool) -> Result<()> {
    linux::calls::credentials::setgroups(&groups, go_on).run().or_throw()
}
