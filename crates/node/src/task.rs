//! The channels of tasks.

use crate::tables::{self, Id};
use crate::throw::OrThrow;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// Returns the number of the task's own end of its channel.
#[napi]
pub fn channel_fd(task: Id) -> Result<i32> {
    tables::task(task).and_then(|task| task.far_fd()).or_throw()
}

/// Lets go of a task's channel: a task that still serves ends.
#[napi]
pub fn forget_task(task: Id) {
    tables::forget_task(task);
}

/// Ends a task's channel and kills the task, also one that is still being cloned.
#[napi]
pub fn kill_task(task: Id) {
    if let Ok(task) = tables::task(task) {
        task.give_up();
    }
}
