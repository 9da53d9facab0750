//! Ids: JavaScript sees numbers.

use crate::throw::OrThrow;
use napi::bindgen_prelude::{Env, Result};
use napi_derive::napi;

/// getuid(2).
#[napi]
pub fn getuid(env: Env) -> Result<u32> {
    linux::credentials::getuid().run().or_throw(&env)
}

/// geteuid(2).
#[napi]
pub fn geteuid(env: Env) -> Result<u32> {
    linux::credentials::geteuid().run().or_throw(&env)
}

/// getgid(2).
#[napi]
pub fn getgid(env: Env) -> Result<u32> {
    linux::credentials::getgid().run().or_throw(&env)
}

/// getegid(2).
#[napi]
pub fn getegid(env: Env) -> Result<u32> {
    linux::credentials::getegid().run().or_throw(&env)
}

/// getpid(2).
#[napi]
pub fn getpid(env: Env) -> Result<u32> {
    linux::credentials::getpid().run().or_throw(&env)
}

/// getppid(2).
#[napi]
pub fn getppid(env: Env) -> Result<u32> {
    linux::credentials::getppid().run().or_throw(&env)
}

/// gettid(2).
#[napi]
pub fn gettid(env: Env) -> Result<u32> {
    linux::credentials::gettid().run().or_throw(&env)
}

/// setsid(2).
#[napi]
pub fn setsid(env: Env) -> Result<u32> {
    linux::credentials::setsid().run().or_throw(&env)
}

/// getresuid(2): real, effective, saved.
#[napi]
pub fn getresuid(env: Env) -> Result<Vec<u32>> {
    linux::credentials::getresuid().run().or_throw(&env).map(Vec::from)
}

/// getresgid(2): real, effective, saved.
#[napi]
pub fn getresgid(env: Env) -> Result<Vec<u32>> {
    linux::credentials::getresgid().run().or_throw(&env).map(Vec::from)
}

/// getgroups(2), up to `room` of them.
#[napi]
pub fn getgroups(env: Env, room: u32) -> Result<Vec<u32>> {
    linux::credentials::getgroups(room).run().or_throw(&env)
}

/// getgroups(2) for their number.
#[napi]
pub fn getgroups_count(env: Env) -> Result<u32> {
    linux::credentials::getgroups_count().run().or_throw(&env)
}

/// getpgid(2).
#[napi]
pub fn getpgid(env: Env, pid: i32) -> Result<u32> {
    linux::credentials::getpgid(pid).run().or_throw(&env)
}

/// getsid(2).
#[napi]
pub fn getsid(env: Env, pid: i32) -> Result<u32> {
    linux::credentials::getsid(pid).run().or_throw(&env)
}

/// setpgid(2).
#[napi]
pub fn setpgid(env: Env, pid: i32, group: i32) -> Result<()> {
    linux::credentials::setpgid(pid, group).run().or_throw(&env)
}
