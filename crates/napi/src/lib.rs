//! napi-rs, with less code in each binding.
//!
//! `#[napi]` generates a callback and a registration for each binding. Both name what they use by paths that begin with `napi`,
//! and so this crate has that name: the generated code finds the small parts below, and everything else in napi-rs.
//!
//! The large parts of napi-rs exist for classes and asynchronous functions, and the addon has neither. Here a reference to an
//! instance of a class is never converted: without the [`bindgen_prelude::NativeBorrowScope`] of napi-rs the call fails.

pub use napi_rs::*;

use std::convert::Infallible;
use std::ptr::null_mut;

/// The names that generated code uses.
pub mod bindgen_prelude {
    pub use crate::{check_registration as check_status, Arguments as CallbackInfo};
    pub use napi_rs::bindgen_prelude::*;

    /// The instances of classes that a call borrows. There are none.
    #[derive(Debug)]
    pub struct NativeBorrowScope(());

    impl NativeBorrowScope {
        /// Begins a call.
        ///
        /// # Safety
        /// Nothing is demanded. Generated code calls an unsafe function.
        pub const unsafe fn new() -> Self {
            Self(())
        }

        /// Ends the conversion of the arguments.
        pub const fn finish(&mut self) {}
    }

    /// The limit between the borrows of a call and those of a call inside of it.
    #[derive(Debug)]
    pub struct NativeBorrowBarrier(());

    impl NativeBorrowBarrier {
        /// Begins the function that was bound.
        #[expect(clippy::new_without_default)]
        pub const fn new() -> Self {
            Self(())
        }
    }

    /// Ends the function that was bound.
    pub const fn defer_native_borrow_scope(_: NativeBorrowScope, _: sys::napi_env) {}
}

/// Makes the registration of a binding fail when Node has not made the function. The error does not name the binding: the
/// messages with two hundred names would be a part of the addon.
#[macro_export]
macro_rules! check_registration {
    ($status:expr, $($message:tt)*) => {
        match $status {
            $crate::sys::Status::napi_ok => $crate::Result::Ok(()),
            status => return Err($crate::not_made(status)),
        }
    };
}

/// Returns the error for a function that Node has not made.
#[cold]
#[inline(never)]
pub fn not_made(status: sys::napi_status) -> Error {
    Error::from_status(Status::from(status))
}

/// The arguments of a call from JavaScript.
#[derive(Debug)]
pub struct Arguments<const COUNT: usize>([sys::napi_value; COUNT]);

impl<const COUNT: usize> Arguments<COUNT> {
    /// Reads the arguments. An argument that JavaScript has left out is `undefined`. Generated code that demands a number of arguments
    /// does not compile.
    ///
    /// # Safety
    /// `env` and `info` belong to the call under way.
    #[inline]
    pub unsafe fn new(
        env: sys::napi_env,
        info: sys::napi_callback_info,
        _: Option<Infallible>,
        _: bool,
    ) -> Result<Self> {
        let mut arguments = [null_mut(); COUNT];
        // SAFETY: the caller promises that `env` and `info` belong to the call under way.
        unsafe { read(env, info, &mut arguments) };
        Ok(Self(arguments))
    }

    /// Returns an argument.
    #[inline]
    pub const fn get_arg(&self, index: usize) -> sys::napi_value {
        self.0[index]
    }
}

/// Reads the arguments of a call. Node fails to tell them only for null pointers. The arguments then stay null, and no conversion
/// accepts null.
///
/// # Safety
/// `env` and `info` belong to the call under way.
#[inline(never)]
unsafe fn read(env: sys::napi_env, info: sys::napi_callback_info, arguments: &mut [sys::napi_value]) {
    let mut count = arguments.len();
    // SAFETY: the caller promises that `env` and `info` belong to the call under way. Node writes at most `count` handles, for
    // which `arguments` has room, and nothing for null pointers.
    unsafe { sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), null_mut()) };
}
