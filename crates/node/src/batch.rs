//! Targets and batches.

use crate::events::{self, Event};
use crate::tables::{self, Id};
use crate::targets;
use crate::throw::OrThrow;
use linux::target::{self, Target};
use linux::task::batch::Batch;
use linux::threads::Turn;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// Makes a task or a thread the current target, or this thread for task 0.
#[napi]
pub fn enter(task: Id) -> Result<()> {
    targets::enter(if task == 0 { Target::Near } else { tables::target(task).or_throw()? });
    Ok(())
}

/// Makes all threads of this process the current target, each for its own part of a call. Waits until no other thread has done so.
#[napi]
pub fn enter_every_thread() {
    targets::enter(Target::EveryThread(Turn::take()));
}

/// Makes the target before the current one current again.
#[napi]
pub fn leave() {
    targets::leave();
}

/// Collects the calls from now on for a task or a thread, until `leave` drops them or `batch` runs them.
#[napi]
pub fn collect(task: Id) {
    let batch = if tables::thread(task).is_some() { Batch::in_thread() } else { Batch::default() };
    targets::enter(Target::Batch(batch));
}

/// Returns how many calls have been collected.
#[napi]
pub fn collected() -> u32 {
    target::collecting(|batch| batch.asked() as u32).unwrap_or(0)
}

/// Lets the batch go on when the kernel refuses the call that was collected last, such as a mkdir(2) of what is there already. If the
/// call after it does not find the file, the error is that of the refused call.
#[napi]
pub fn pass_over() {
    target::collecting(Batch::pass_over_last);
}

/// Leaves, and runs the collected calls in a task or a thread, or in this thread for task 0. Returns the event
/// "batch" if the reply has come already. Otherwise returns an event "sent", and "batch" follows, perhaps already: the caller has
/// to drain, unless this is the first batch of a task that is being cloned. With `wait` this thread waits for the reply as long as
/// waking it would take.
#[napi]
pub fn batch(task: Id, first: bool, wait: bool) -> Result<Event> {
    let (id, queue) = (tables::next_id(), events::queue().or_throw()?);
    let Target::Batch(batch) = targets::leave() else { return Ok(events::sent(id)) };
    let done = move |made| queue.post_reply(id, made);
    if task == 0 {
        let (made, failure) = batch.near();
        events::expect_reply(id);
        done(failure.map_or(Ok(made), Err));
    } else if let Some(thread) = tables::thread(task) {
        batch.submit_to_thread(&thread, done);
    } else {
        let channel = tables::task(task).or_throw()?;
        if !first {
            events::expect_reply(id);
        }
        batch.submit(&channel, first, wait, done);
    }
    Ok(events::take_reply().unwrap_or_else(|| events::sent(id)))
}
