//! Where calls run: each thread has a current target, near unless somebody says otherwise.

use crate::call::Call;
use crate::channel::Channel;
use crate::error::Result;
use crate::program::Program;
use std::cell::RefCell;
use std::sync::Arc;

/// What runs the calls of a thread.
#[derive(Debug)]
pub enum Target {
    /// The thread itself.
    Near,
    /// A task.
    Far(Arc<Channel>),
    /// Nobody yet: they are collected.
    Batch(Program),
}

thread_local! {
    static CURRENT: RefCell<Target> = const { RefCell::new(Target::Near) };
}

/// Makes `target` the calling thread's current one, and returns the one it was.
pub fn replace(target: Target) -> Target {
    CURRENT.replace(target)
}

impl<T> Call<T> {
    /// Runs the call in the current target of the calling thread.
    pub fn run(self) -> Result<T> {
        CURRENT.with_borrow_mut(|target| match target {
            Target::Near => self.near(),
            Target::Far(channel) => channel.call(self),
            Target::Batch(program) => program.push(self),
        })
    }
}
