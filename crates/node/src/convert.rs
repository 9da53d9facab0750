//! What crosses the boundary: strings or bytes for what the kernel takes as bytes.

use napi::bindgen_prelude::{Either, FromNapiValue, Result, Uint8Array};
use napi::sys;
use napi_derive::napi;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr::null_mut;
use std::slice;

/// A path or another string: text, or bytes as they are. JavaScript has refused NUL bytes.
#[napi(js_name = "Text")]
#[expect(dead_code, reason = "only the declarations of the addon's types use this")]
pub type TextOfJavaScript = Either<String, Uint8Array>;

/// The bytes of a path or of another string. A copy is smaller to convert and to drop than [`TextOfJavaScript`], whose bytes
/// keep an object of JavaScript.
pub struct Text(Vec<u8>);

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let (mut length, mut data) = (0, null_mut());
        // SAFETY: the caller promises that `value` belongs to `env` and to the call under way. Node writes to variables that outlive
        // this call, and nothing for null pointers.
        let status = unsafe {
            sys::napi_get_typedarray_info(env, value, null_mut(), &mut length, &mut data, null_mut(), null_mut())
        };
        if status != sys::Status::napi_ok {
            // SAFETY: the caller promises that `value` belongs to `env` and to the call under way. A value that is no string is an error.
            return unsafe { String::from_napi_value(env, value) }.map(|text| Text(text.into_bytes()));
        }
        if data.is_null() {
            return Ok(Text(Vec::new()));
        }
        // SAFETY: the array owns at least `length` bytes at this address. The array is an argument of the call under way, and its
        // JavaScript thread makes this copy, so that no code frees or detaches the bytes before the copy is made.
        Ok(Text(unsafe { slice::from_raw_parts(data.cast(), length) }.to_vec()))
    }
}

/// Its bytes.
pub fn bytes(text: &Text) -> &[u8] {
    &text.0
}

/// The bytes of each.
pub fn all_bytes(texts: &[Text]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| bytes(text).to_vec()).collect()
}

/// Returns the number of a new descriptor, which JavaScript closes, or else the end of this thread.
pub fn owned_number(fd: OwnedFd) -> i32 {
    let number = fd.into_raw_fd();
    linux::owned::add(number);
    number
}
