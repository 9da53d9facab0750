//! File system contexts: JavaScript sees numbers, text and bytes.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use linux::calls::fs_context::Value;
use napi::bindgen_prelude::{Buffer, Result, Uint8Array};
use napi_derive::napi;

/// fsopen(2).
#[napi]
pub fn fsopen(fstype: String, flags: u32) -> Result<i32> {
    linux::calls::fs_context::fsopen(fstype.as_bytes(), flags).run().or_throw()
}

/// fspick(2).
#[napi]
pub fn fspick(at: i32, path: Text, flags: u32) -> Result<i32> {
    linux::calls::fs_context::fspick(at, bytes(&path), flags).run().or_throw()
}

/// fsconfig(2) with text, or without a value. `fstype` is for the error.
#[napi]
pub fn fsconfig(
    fd: i32,
    command: u32,
    key: Option<String>,
    value: Option<Text>,
    aux: i32,
    fstype: Option<String>,
) -> Result<()> {
    let value = value.as_ref().map_or(Value::Nothing, |text| Value::Text(bytes(text)));
    let (key, fstype) = (key.as_ref().map(String::as_bytes), fstype.as_ref().map(String::as_bytes));
    linux::calls::fs_context::fsconfig(fd, command, key, value, aux, fstype).run().or_throw()
}

/// fsconfig(2) with bytes. `fstype` is for the error.
#[napi]
pub fn fsconfig_binary(fd: i32, command: u32, key: String, value: Uint8Array, fstype: Option<String>) -> Result<()> {
    let (length, fstype) = (value.len() as i32, fstype.as_ref().map(String::as_bytes));
    let value = Value::Bytes(&value);
    linux::calls::fs_context::fsconfig(fd, command, Some(key.as_bytes()), value, length, fstype).run().or_throw()
}

/// fsmount(2). `fstype` is for the error.
#[napi]
pub fn fsmount(fd: i32, flags: u32, attributes: u32, fstype: Option<String>) -> Result<i32> {
    let fstype = fstype.as_ref().map(String::as_bytes);
    linux::calls::fs_context::fsmount(fd, flags, attributes, fstype).run().or_throw()
}

/// read(2) of all messages of a context.
#[napi]
pub fn read_context_log(fd: i32) -> Result<Vec<Buffer>> {
    let log = linux::target::read_context_log(fd).or_throw()?;
    Ok(log.into_iter().map(Buffer::from).collect())
}
