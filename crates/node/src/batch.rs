//! Targets and batches.

use crate::events;
use crate::tables::{self, Id};
use crate::targets;
use crate::throw::OrThrow;
use linux::target::{self, Target};
use linux::task::batch::Batch;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// Makes a task the current target, or this thread for task 0.
#[napi]
pub fn enter(task: Id) -> Result<()> {
    let target = match task {
        0 => Target::Near,
        id => Target::Far(tables::task(id).or_throw()?),
    };
    targets::enter(target);
    Ok(())
}

/// Makes the target before the current one current again.
#[napi]
pub fn leave() {
    targets::leave();
}

/// Collects the calls from now on, until `leave` drops them or `batch` runs them.
#[napi]
pub fn collect() {
    targets::enter(Target::Batch(Batch::default()));
}

/// Returns how many calls have been collected.
#[napi]
pub fn collected() -> u32 {
    target::collecting(|batch| batch.asked() as u32).unwrap_or(0)
}

/// Leaves, and runs the collected calls in a task, or in this thread for task 0. "batch" follows, perhaps
/// already: the caller has to drain, unless this is the first batch of a task that is being cloned.
#[napi]
pub fn batch(task: Id, first: bool) -> Result<Id> {
    let (id, queue) = (tables::next_id(), events::queue());
    let Target::Batch(batch) = targets::leave() else { return Ok(id) };
    let done = move |made: linux::error::Result<Vec<i32>>| match made {
        Ok(made) => queue.post(id, "batch", None, made.into_iter().map(f64::from).collect()),
        Err(failure) => queue.post(id, "batch", Some(failure), Vec::new()),
    };
    if task == 0 {
        let (made, failure) = batch.near();
        events::without_wake(|| done(failure.map_or(Ok(made), Err)));
        return Ok(id);
    }
    let channel = tables::task(task).or_throw()?;
    match first {
        true => batch.submit(&channel, first, done),
        false => events::without_wake(|| batch.submit(&channel, first, done)),
    }
    Ok(id)
}
