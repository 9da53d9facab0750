//! The beginning and the end of a JavaScript thread, and what keeps its event loop alive.

use crate::failure::FailureData;
use crate::{events, tables, targets, throw};
use napi::bindgen_prelude::{Env, Function, Result, Unknown};
use napi::sys;
use napi_derive::napi;

/// Called once by each JavaScript thread, before anything else.
#[napi]
pub fn attach(
    env: Env,
    on_events: Function<(), Unknown<'static>>,
    make_error: Function<FailureData, Unknown<'static>>,
    stub_file: String,
) -> Result<()> {
    linux::task::stub::set_file(stub_file.into());
    events::open(on_events.build_threadsafe_function::<()>().weak::<true>().build()?);
    throw::set_make_error(env, make_error)?;
    env.add_env_cleanup_hook((), |()| end())?;
    Ok(())
}

/// The thread ends, and its tasks end with it.
fn end() {
    targets::end();
    tables::end();
    events::close();
    throw::forget_make_error();
}

/// Says whether events of this thread keep its event loop alive.
#[napi]
pub fn keep_alive(env: Env, alive: bool) {
    let set = if alive { sys::napi_ref_threadsafe_function } else { sys::napi_unref_threadsafe_function };
    // SAFETY: the function lives as long as the thread, and this is its thread. Neither call can fail.
    unsafe { set(env.raw(), events::queue().wake().raw()) };
}
