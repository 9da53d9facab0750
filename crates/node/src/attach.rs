//! The beginning and the end of a JavaScript thread, and what keeps its event loop alive.

use crate::failure::FailureData;
use crate::{events, tables, targets, throw};
use linux::calls::credentials;
use linux::owned;
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
    // The end of the main thread is the end of the process, which closes everything.
    if credentials::gettid().near() != credentials::getpid().near() {
        owned::track();
    }
    env.add_env_cleanup_hook((), |()| end())?;
    Ok(())
}

/// Ends the tasks of this thread, which ends, and closes its descriptors.
fn end() {
    targets::end();
    tables::end();
    events::close();
    throw::forget_make_error();
    owned::close_all();
}

/// Says whether events of this thread keep its event loop alive.
#[napi]
pub fn keep_alive(env: Env, alive: bool) {
    let set = if alive { sys::napi_ref_threadsafe_function } else { sys::napi_unref_threadsafe_function };
    let Ok(queue) = events::queue() else { return };
    // SAFETY: the function lives as long as the thread, and this is its thread. Neither call can fail.
    unsafe { set(env.raw(), queue.wake().raw()) };
}
