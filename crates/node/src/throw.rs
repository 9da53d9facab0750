//! The one way out: a failure is thrown as the error that core's `errors.ts` makes of it.

use crate::failure::FailureData;
use linux::error::{Failure, Result};
use napi::bindgen_prelude::{Env, Function, FunctionRef, Unknown};
use std::cell::RefCell;

/// Makes errors; a function of core's.
type MakeError = FunctionRef<FailureData, Unknown<'static>>;

thread_local! {
    static MAKE_ERROR: RefCell<Option<(Env, MakeError)>> = const { RefCell::new(None) };
}

/// Sets the function that makes the errors of this thread.
pub fn set_make_error(env: Env, make_error: Function<FailureData, Unknown<'static>>) -> napi::Result<()> {
    MAKE_ERROR.set(Some((env, make_error.create_ref()?)));
    Ok(())
}

/// Lets go of that function when the thread ends.
pub fn forget_make_error() {
    drop(MAKE_ERROR.take());
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
    let env = MAKE_ERROR.with_borrow(|made| made.as_ref().map(|(env, _)| *env)).ok_or_else(attached)?;
    let make = MAKE_ERROR.with_borrow(|made| made.as_ref().map(|(_, make)| make.borrow_back(&env)));
    let make = make.ok_or_else(attached)??;
    // Called after the cell is closed: the function may call the addon, and that may fail too.
    make.call(failure)
}
