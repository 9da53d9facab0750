//! Filters of seccomp(2).

use crate::throw::OrThrow;
use linux::error::Failure;
use linux::filter::Filter;
use napi::bindgen_prelude::{BigUint64Array, Buffer, Result, Uint8Array};
use napi_derive::napi;

/// Compiles a filter; `Filter::from_words` says what the words are.
#[napi]
pub fn compile_filter(words: BigUint64Array) -> Result<Buffer> {
    let filter = Filter::from_words(&words).ok_or(Failure::Internal("the words of a filter are incomplete"));
    filter.or_throw().map(|filter| filter.compile().into())
}

/// SECCOMP_SET_MODE_FILTER.
#[napi]
pub fn install_filter(program: Uint8Array) -> Result<()> {
    linux::target::filter::install(&program).or_throw()
}
