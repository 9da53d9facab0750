//! The beginning and the end of a copy of core in a JavaScript thread, and what keeps the event loop alive.

use crate::failure::FailureData;
use crate::weak::WeakFunction;
use crate::{copies, events, tables, targets, throw};
use linux::calls::credentials;
use linux::owned;
use napi::bindgen_prelude::{Env, Function, Object, Result, Unknown};
use napi::sys;
use napi_derive::napi;
use std::cell::RefCell;
use std::ffi::c_void;

thread_local! {
    /// The environments of the addon in this thread whose end calls [`end`]. An addon file that was loaded under two names has
    /// two environments.
    static ENVIRONMENTS: RefCell<Vec<sys::napi_env>> = const { RefCell::new(Vec::new()) };
}

/// Called once by each copy of core in each JavaScript thread, before anything else. Returns the number of the copy, for
/// `useCopy`, and the object that says which copy has called that last.
///
/// The addon does not keep the functions from being collected: jest drops all modules of a test file. Then the copy ends.
#[napi(ts_return_type = "[copy: number, seat: { copy: number }]")]
pub fn attach(
    env: Env,
    on_events: Function<(), Unknown<'static>>,
    make_error: Function<FailureData, Unknown<'static>>,
    stub_file: String,
) -> Result<(u32, Object<'static>)> {
    linux::task::stub::set_file(stub_file.into());
    watch_end(env)?;
    let copy = copies::open();
    tables::open(copy);
    throw::open(copy, WeakFunction::new(env, &make_error)?);
    let dispatch = WeakFunction::new(env, &on_events)?;
    dispatch.when_collected(copy, Some(collected))?;
    events::open(env, copy, dispatch)?;
    Ok((copy, copies::seat(env)?))
}

/// Calls [`end`] when an environment ends, and prepares a thread for its end.
fn watch_end(env: Env) -> Result<()> {
    let known = ENVIRONMENTS.with_borrow(Vec::len);
    if ENVIRONMENTS.with_borrow(|known| known.contains(&env.raw())) {
        return Ok(());
    }
    ENVIRONMENTS.with_borrow_mut(|known| known.push(env.raw()));
    // The end of the main thread is the end of the process, which closes everything.
    if known == 0 && credentials::gettid().near() != credentials::getpid().near() {
        owned::track();
    }
    env.add_env_cleanup_hook((), |()| end())?;
    Ok(())
}

/// Ends the tasks of a copy. Called when the functions of the copy were collected, and when its environment ends, where nothing is
/// left to end.
unsafe extern "C" fn collected(_: sys::napi_env, copy: *mut c_void, _: *mut c_void) {
    let copy = copy as usize as u32;
    tables::end(copy);
    events::close(copy);
    throw::end(copy);
}

/// Ends the tasks of this thread, which ends, and closes its descriptors.
fn end() {
    targets::end();
    tables::end_all();
    events::close_all();
    throw::end_all();
    copies::end();
    // A later environment in the same thread may have the address of an earlier one.
    ENVIRONMENTS.take();
    owned::close_all();
}

/// Says whether events of the copy that calls this keep the event loop alive.
#[napi]
pub fn keep_alive(env: Env, alive: bool) {
    let set = if alive { sys::napi_ref_threadsafe_function } else { sys::napi_unref_threadsafe_function };
    let Ok(queue) = events::queue() else { return };
    events::hold(alive);
    // SAFETY: the function lives as long as its copy, and this is its thread. Neither call can fail.
    unsafe { set(env.raw(), queue.wake().raw()) };
}
