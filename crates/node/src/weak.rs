//! A function of JavaScript that the addon does not keep from being collected.

use napi::bindgen_prelude::{Env, FromNapiValue, Function, JsValue, JsValuesTupleIntoVec, Result, Unknown};
use napi::{check_status, sys};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;

/// A function that can be called until JavaScript has collected it.
pub struct WeakFunction<Args: JsValuesTupleIntoVec> {
    env: Env,
    reference: sys::napi_ref,
    args: PhantomData<Args>,
}

impl<Args: JsValuesTupleIntoVec> WeakFunction<Args> {
    /// Refers to a function.
    pub fn new(env: Env, function: &Function<Args, Unknown<'static>>) -> Result<Self> {
        let mut reference = ptr::null_mut();
        // SAFETY: the function is a value of this call, and `reference` outlives the call.
        check_status!(unsafe { sys::napi_create_reference(env.raw(), function.raw(), 0, &mut reference) })?;
        Ok(Self { env, reference, args: PhantomData })
    }

    /// Calls `collected` with a number when the function was collected.
    pub fn when_collected(&self, number: u32, collected: sys::napi_finalize) -> Result<()> {
        let Some(function) = self.get()? else { return Ok(()) };
        let (raw, number) = (function.raw(), number as usize as *mut c_void);
        // SAFETY: the function is a value of the present call, and the number is never followed as an address. No reference to the
        // function is asked for.
        check_status!(unsafe {
            sys::napi_add_finalizer(self.env.raw(), raw, number, collected, ptr::null_mut(), ptr::null_mut())
        })
    }

    /// Returns the function, unless it was collected.
    pub fn get(&self) -> Result<Option<Function<'static, Args, Unknown<'static>>>> {
        let mut value = ptr::null_mut();
        // SAFETY: the reference is deleted by `drop` alone, and `value` outlives the call.
        check_status!(unsafe { sys::napi_get_reference_value(self.env.raw(), self.reference, &mut value) })?;
        if value.is_null() {
            return Ok(None);
        }
        // SAFETY: the value is the function that `new` was given. The caller uses it in the present call from JavaScript, whose
        // handles keep the function.
        unsafe { Function::from_napi_value(self.env.raw(), value) }.map(Some)
    }

    /// Keeps the function from being collected, or ceases to.
    pub fn hold(&self, held: bool) {
        let set = if held { sys::napi_reference_ref } else { sys::napi_reference_unref };
        // SAFETY: the reference is deleted by `drop` alone. The new count is not asked for.
        unsafe { set(self.env.raw(), self.reference, ptr::null_mut()) };
    }
}

impl<Args: JsValuesTupleIntoVec> Drop for WeakFunction<Args> {
    fn drop(&mut self) {
        // SAFETY: `new` has made the reference, and nothing uses it after this. A host is dropped in its JavaScript thread, before
        // the end of the environment.
        unsafe { sys::napi_delete_reference(self.env.raw(), self.reference) };
    }
}
