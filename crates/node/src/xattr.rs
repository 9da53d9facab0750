//! Extended attributes of a file: JavaScript sees a place as the `*at` calls take it, and the bytes of the value.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use linux::calls::xattr::File;
use napi::bindgen_prelude::{Buffer, Result, Uint8Array};
use napi_derive::napi;

/// getxattr(2), or the one of its kin that reaches the place.
#[napi]
pub fn getxattr(at: i32, path: Text, flags: u32, attribute: String, length: u32) -> Result<Buffer> {
    let file = File::new(at, bytes(&path), flags);
    linux::calls::xattr::getxattr(file, attribute.as_bytes(), length).run_written().or_throw().map(Buffer::from)
}

/// setxattr(2), or the one of its kin that reaches the place.
#[napi]
pub fn setxattr(at: i32, path: Text, flags: u32, attribute: String, value: Uint8Array) -> Result<()> {
    linux::calls::xattr::setxattr(File::new(at, bytes(&path), flags), attribute.as_bytes(), &value).run().or_throw()
}

/// removexattr(2), or the one of its kin that reaches the place.
#[napi]
pub fn removexattr(at: i32, path: Text, flags: u32, attribute: String) -> Result<()> {
    linux::calls::xattr::removexattr(File::new(at, bytes(&path), flags), attribute.as_bytes()).run().or_throw()
}
