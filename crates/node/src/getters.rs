//! The shortest calls a second time, directly on Node-API: the code that `#[napi]` generates takes a sixth of their time.

use crate::throw::OrThrow;
use linux::calls::credentials;
use linux::calls::pidfd;
use linux::target::capability_sets::three;
use linux::target::run_short;
use napi::bindgen_prelude::{Env, JsObjectValue, Object, Result};
use napi::{sys, JsError};
use napi_derive::napi;
use std::ptr::null_mut;

macro_rules! getters {
    ($($name:ident $SHORT:ident;)*) => {
        $(extern "C" fn $name(env: sys::napi_env, _: sys::napi_callback_info) -> sys::napi_value {
            number(env, run_short(credentials::$SHORT, [0; 4], |id| id as u32, credentials::$name))
        })*
        const SHORTEST: &[(&str, sys::napi_callback)] =
            &[$((stringify!($name), Some($name))),*, ("pidfdSendSignal", Some(pidfd_send_signal)), ("capgetInto", Some(capget_into))];
    };
}

getters! {
    getuid GETUID;
    geteuid GETEUID;
    getgid GETGID;
    getegid GETEGID;
    getpid GETPID;
    getppid GETPPID;
    gettid GETTID;
}

fn number(env: sys::napi_env, answer: linux::error::Result<u32>) -> sys::napi_value {
    let mut value = null_mut();
    match answer.or_throw() {
        // SAFETY: `env` belongs to the call under way. Node writes the handle to `value`, which outlives the call.
        Ok(number) => drop(unsafe { sys::napi_create_uint32(env, number, &mut value) }),
        // SAFETY: `env` belongs to the call under way, which returns to JavaScript right after.
        Err(error) => unsafe { JsError::from(error).throw_into(env) },
    }
    value
}

/// Returns the first three arguments.
fn arguments(env: sys::napi_env, info: sys::napi_callback_info) -> [sys::napi_value; 3] {
    let (mut values, mut count) = ([null_mut(); 3], 3);
    // SAFETY: `env` and `info` belong to the call under way. Node writes at most `count` handles, for which `values` has room.
    unsafe { sys::napi_get_cb_info(env, info, &mut count, values.as_mut_ptr(), null_mut(), null_mut()) };
    values
}

/// Returns the number of an argument, which JavaScript has checked. A value that is no number becomes 0.
fn number_of(env: sys::napi_env, value: sys::napi_value) -> i32 {
    let mut number = 0;
    // SAFETY: the handle belongs to the call under way. Node writes the number to `number`, which outlives the call.
    unsafe { sys::napi_get_value_int32(env, value, &mut number) };
    number
}

extern "C" fn pidfd_send_signal(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let [fd, signal, flags] = arguments(env, info).map(|value| number_of(env, value));
    let args = [fd.into(), signal.into(), 0, (flags as u32).into()];
    let call = || pidfd::pidfd_send_signal(fd, signal, flags as u32);
    if let Err(error) = run_short(pidfd::PIDFD_SEND_SIGNAL, args, |_| (), call).or_throw() {
        // SAFETY: `env` belongs to the call under way, which returns to JavaScript right after.
        unsafe { JsError::from(error).throw_into(env) };
    }
    null_mut()
}

extern "C" fn capget_into(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let [pid, array, _] = arguments(env, info);
    let (mut kind, mut length, mut data) = (0, 0, null_mut());
    // SAFETY: the handle belongs to the call under way. Node writes to variables that outlive the call, and nothing for null pointers.
    unsafe {
        sys::napi_get_typedarray_info(env, array, &mut kind, &mut length, &mut data, null_mut(), null_mut());
    }
    match three(number_of(env, pid)).or_throw() {
        Ok(sets) if kind == sys::TypedarrayType::biguint64_array && length == sets.len() => {
            // SAFETY: the array has room for three words and is aligned for them. JavaScript, which has the array, is in this call.
            unsafe { data.cast::<u64>().copy_from_nonoverlapping(sets.as_ptr(), sets.len()) };
        }
        Ok(_) => {}
        // SAFETY: `env` belongs to the call under way, which returns to JavaScript right after.
        Err(error) => unsafe { JsError::from(error).throw_into(env) },
    }
    null_mut()
}

/// Exports these functions in the place of those of the same name in `caps.rs`, `credentials.rs` and `pidfd.rs`, which document them.
#[napi(module_exports)]
pub fn replace_shortest(mut exports: Object, env: Env) -> Result<()> {
    for (name, getter) in SHORTEST {
        let mut function = null_mut();
        // SAFETY: Node reads the name during the call and writes the handle to `function`, which outlives it. The callback
        // lives as long as the addon.
        let status = unsafe {
            sys::napi_create_function(
                env.raw(),
                name.as_ptr().cast(),
                name.len() as isize,
                *getter,
                null_mut(),
                &mut function,
            )
        };
        napi::check_status!(status)?;
        // SAFETY: the handle is the function just made, in the scope of this call.
        exports.set_named_property(name, unsafe { napi::Unknown::from_raw_unchecked(env.raw(), function) })?;
    }
    Ok(())
}
