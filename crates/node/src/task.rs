//! The channels of tasks.

use crate::events;
use crate::tables::{self, Id};
use crate::throw::OrThrow;
use linux::task::thread::{self, Begin, ThreadTask};
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// Returns the number of the task's own end of its channel.
#[napi]
pub fn channel_fd(task: Id) -> Result<i32> {
    tables::task(task).and_then(|task| task.far_fd()).or_throw()
}

/// Returns true when a task has closed its channel: it has ended, also when the kernel has not finished its end, or executed a program.
#[napi]
pub fn is_hung_up(task: Id) -> bool {
    tables::task(task).map_or(true, |task| task.is_hung_up())
}

/// Lets go of a task's channel: a task that still serves ends.
#[napi]
pub fn forget_task(task: Id) {
    tables::forget_task(task);
}

/// Starts a thread of this process that makes calls and nothing else. "thread" follows with its id, and once more, gone, when a thread
/// that has begun has ended. `join` are the numbers of namespaces to enter, each followed by the flag of its kind.
#[napi]
pub fn start_thread(join: Vec<i64>, make: i64) -> Result<Id> {
    let (id, queue) = (tables::next_id(), events::queue().or_throw()?);
    let pairs = join.chunks_exact(2).filter_map(|pair| Some((*pair.first()? as i32, *pair.last()? as u64)));
    let join = pairs.map(|(fd, kind)| Ok((thread::copy(fd)?, kind))).collect::<linux::error::Result<_>>().or_throw()?;
    let notify = move |tid: linux::error::Result<i32>| match tid {
        Ok(tid) => queue.post(id, "thread", None, vec![tid.into()]),
        Err(failure) => queue.post(id, "thread", Some(failure), Vec::new()),
    };
    let begin = Begin { join, make: make as u64 };
    tables::keep_thread(id, ThreadTask::start(begin, Box::new(notify)).or_throw()?);
    Ok(id)
}

/// Has a task of the zygote end with the zygote: when this process has given up privileges that the task has. The task first replies to
/// what it was sent.
#[napi]
pub fn end_with_cloner(task: Id) {
    if let Ok(task) = tables::task(task) {
        task.end_with_cloner();
    }
}

/// Ends a task's channel and kills the task, or the program that it has become. Returns false when the task is still being
/// cloned: it is killed when it appears.
#[napi]
pub fn kill_task(task: Id) -> bool {
    match tables::task(task) {
        Ok(task) => task.give_up(),
        Err(_) => tables::child(task).is_some_and(|child| child.signal(9).unwrap_or(true)),
    }
}
