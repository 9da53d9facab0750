//! The task that is the parent of a process: only a parent can wait for a process with waitid(2).

use crate::calls::process::Waited;
use crate::error::Result;
use std::fmt::{self, Debug, Formatter};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The channel to a task, with the few operations that a [`super::Child`] needs of it. `task/channel` implements this
/// trait, so that the room `wait` does not depend on the room `task`.
pub trait TaskChannel: Send + Sync {
    /// Ends the channel in both directions, so that every thread and every job that waits for a reply stops waiting.
    fn hang_up(&self);

    /// Makes the task call waitid(2) for the process behind `pidfd`, and blocks until the task has replied.
    fn waitid(self: Arc<Self>, pidfd: &OwnedFd, options: i32) -> Result<Waited>;

    /// Makes the task call waitid(2) for the process behind `pidfd`, without blocking. `done` is called once with the
    /// result, on this thread or on the reactor's.
    fn submit_waitid(self: Arc<Self>, pidfd: Arc<OwnedFd>, options: i32, done: WaitDone);
}

/// With `Debug` above the trait, its table of functions would keep the `Debug` code of every call in the addon.
impl Debug for dyn TaskChannel {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("TaskChannel")
    }
}

/// Called once with the result of a waitid(2) that a task has made.
pub type WaitDone = Box<dyn FnOnce(Result<Waited>) + Send>;

/// The task that is the parent of a process.
#[derive(Clone, Debug)]
pub struct Parent {
    /// The channel to the task.
    pub channel: Arc<dyn TaskChannel>,
    /// The pid of the process in the task's pid namespace.
    pub pid: i32,
}
