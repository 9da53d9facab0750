//! prctl(2) by number.

use crate::syscall::{with_args, Syscalled};
use crate::throw::OrThrow;
use napi::bindgen_prelude::{BigInt, Either3, Result, Uint8Array};
use napi_derive::napi;

/// prctl(2) and what it answered.
#[napi]
pub fn prctl(option: i32, args: Vec<Either3<i64, BigInt, Uint8Array>>) -> Result<Syscalled> {
    Syscalled::of(with_args(linux::calls::prctl::prctl(option), &args).value(|_| ()))
}

/// prctl(2) with an option that answers nothing.
#[napi]
pub fn set_prctl(option: i32, args: Vec<Either3<i64, BigInt, Uint8Array>>) -> Result<()> {
    with_args(linux::calls::prctl::prctl(option), &args).run().or_throw()
}
