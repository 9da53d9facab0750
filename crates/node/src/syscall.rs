//! System calls by number.

use crate::throw::OrThrow;
use linux::call::Call;
use napi::bindgen_prelude::{BigInt, Buffer, Either3, Result, Uint8Array};
use napi_derive::napi;

/// The result of `syscall`.
#[napi(object)]
pub struct Syscalled {
    /// The return value.
    pub result: BigInt,
    /// The byte arguments, one after the other, each at a multiple of 8.
    pub out: Buffer,
}

/// One argument of a call by number: a number, or bytes that are passed by address.
pub type RawArg = Either3<i64, BigInt, Uint8Array>;

/// The call with these further arguments.
pub fn with_args(call: Call<()>, args: &[RawArg]) -> Call<()> {
    args.iter().fold(call, |call, arg| match arg {
        Either3::A(number) => call.number(*number),
        Either3::B(number) => call.number(number.get_i128().0),
        Either3::C(bytes) => call.inout(bytes),
    })
}

impl Syscalled {
    /// Makes the call in the current target.
    pub fn of(call: Call<()>) -> Result<Self> {
        let (result, out) = call.value(|_| ()).run_raw().or_throw()?;
        Ok(Syscalled { result: result.into(), out: out.into() })
    }
}

/// Any system call in the current target.
#[napi]
pub fn syscall(nr: i64, args: Vec<Either3<i64, BigInt, Uint8Array>>) -> Result<Syscalled> {
    Syscalled::of(with_args(Call::new("syscall", nr), &args))
}
