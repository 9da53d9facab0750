//! Users by name or by id. JavaScript has refused ids that no user can have.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use linux::users::{resolve, Ids, Key};
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// The name and the ids of a user.
#[napi(object)]
pub struct UserIds {
    /// The name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The groups, ascending. Empty if they were not asked for.
    pub groups: Vec<u32>,
}

impl From<Ids> for UserIds {
    fn from(Ids { name, uid, gid, groups }: Ids) -> Self {
        UserIds { name, uid, gid, groups }
    }
}

/// getpwnam_r(3) and, with `groups`, getgrouplist(3). Returns nothing if no user has the name.
#[napi]
pub fn find_user_by_name(name: Text, gid: Option<u32>, groups: bool) -> Result<Option<UserIds>> {
    resolve(Key::Name(bytes(&name)), gid, groups).or_throw().map(|ids| ids.map(UserIds::from))
}

/// getpwuid_r(3) and, with `groups`, getgrouplist(3). Returns nothing if no user has the id.
#[napi]
pub fn find_user_by_id(uid: u32, gid: Option<u32>, groups: bool) -> Result<Option<UserIds>> {
    resolve(Key::Id(uid), gid, groups).or_throw().map(|ids| ids.map(UserIds::from))
}
