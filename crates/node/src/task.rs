//! The channels of tasks.

use crate::tables;
use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// The number of the descriptor that a task is controlled through.
#[napi]
pub fn channel_fd(task: u32) -> Result<i32> {
    tables::task(task).and_then(|task| task.far_fd()).or_throw()
}

/// Lets go of a task; one that still serves ends.
#[napi]
pub fn forget_task(task: u32) {
    tables::forget_task(task);
}

/// Ends a task's channel: whoever waits for a reply hears that none will come.
#[napi]
pub fn hang_up(task: u32) {
    if let Ok(task) = tables::task(task) {
        task.hang_up();
    }
}
