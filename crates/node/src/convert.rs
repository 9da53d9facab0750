//! What crosses the boundary: strings or bytes for what the kernel takes as bytes.

use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;
use std::os::fd::{IntoRawFd, OwnedFd};

/// A path or another string: text, or bytes as they are. JavaScript has refused NUL bytes.
#[napi]
pub type Text = Either<String, Uint8Array>;

/// Its bytes.
pub fn bytes(text: &Text) -> &[u8] {
    match text {
        Either::A(text) => text.as_bytes(),
        Either::B(bytes) => bytes,
    }
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
