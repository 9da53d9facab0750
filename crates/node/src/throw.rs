//! The one way out: a failure is thrown as the error that core's `errors.ts` makes of it.

use crate::copies::PerCopy;
use crate::failure::FailureData;
use crate::weak::WeakFunction;
use linux::error::{Failure, Result};
use napi::bindgen_prelude::Unknown;

thread_local! {
    /// The functions of the copies of core that make their errors.
    static MAKE_ERROR: PerCopy<WeakFunction<FailureData>> = const { PerCopy::new() };
}

/// Sets the function that makes the errors of a copy.
pub fn open(copy: u32, make_error: WeakFunction<FailureData>) {
    MAKE_ERROR.with(|all| all.add(copy, make_error));
}

/// Lets go of the function of a copy that was collected.
pub fn end(copy: u32) {
    drop(MAKE_ERROR.try_with(|all| all.take(copy)));
}

/// Lets go of the functions of this thread, which ends.
pub fn end_all() {
    MAKE_ERROR.with(PerCopy::take_all).for_each(drop);
}

/// Turns a failure into a thrown JavaScript error.
pub trait OrThrow<T> {
    /// The value, or napi's "exception pending".
    fn or_throw(self) -> napi::Result<T>;
}

impl<T> OrThrow<T> for Result<T> {
    fn or_throw(self) -> napi::Result<T> {
        self.map_err(thrown)
    }
}

#[cold]
fn thrown(failure: Failure) -> napi::Error {
    make_error(failure.into()).map_or_else(|error| error, napi::Error::from)
}

fn make_error(failure: FailureData) -> napi::Result<Unknown<'static>> {
    let attached = || napi::Error::from_reason("core attaches before it calls anything");
    let make = MAKE_ERROR.with(|all| all.with_current(|make| make.get()));
    // Called after the cell is closed: the function may call the addon, and that may fail too.
    make.transpose()?.flatten().ok_or_else(attached)?.call(failure)
}
