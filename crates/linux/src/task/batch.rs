//! What a batch collects: calls, descriptors that go along, and at the end perhaps a program to execute.

use crate::call::Call;
use crate::calls::descriptor;
use crate::error::{refused, During, Failure, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::death_signal;
use crate::task::exec::{Attempt, Exec};
use crate::task::transfer;
use crate::wire;
use nix::errno::Errno;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// How long a batch holds the event loop up: about as long as it takes to wake one.
const PATIENCE: Duration = Duration::from_micros(50);

/// Calls on their way to a task.
#[derive(Debug, Default)]
pub struct Batch {
    sequence: Sequence,
    fds: Vec<Arc<OwnedFd>>,
    exec: Option<Box<Attempt>>,
}

impl Batch {
    /// Adds a call and returns what stands for its result until the batch has run.
    pub fn push<T>(&mut self, call: Call<T>) -> Result<T> {
        match self.exec {
            Some(_) => Err(Failure::Sealed(call.request.name)),
            None => death_signal::push(&mut self.sequence, call),
        }
    }

    /// Adds a copy of a descriptor of this process; see [`transfer::put`].
    pub fn put(&mut self, fd: RawFd, number: Option<i32>, close_on_exec: bool) -> Result<i32> {
        // Of the descriptors that a message carries, one is the memfd of a long sequence, and one is in reserve.
        if self.fds.len() + 2 == wire::DESCRIPTORS {
            return Err(refused("sendmsg", Errno::ETOOMANYREFS));
        }
        // SAFETY: the caller keeps the descriptor open during this call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let copy = fd.try_clone_to_owned().during("fcntl")?;
        let put = self.push(descriptor::put_passed(self.fds.len() as u32, number, close_on_exec))?;
        self.fds.push(Arc::new(copy));
        Ok(put)
    }

    /// How many calls there are, as they are counted in a failure.
    pub fn asked(&self) -> usize {
        self.sequence.asked()
    }

    /// Adds the last step: after it the task is another program.
    pub fn exec(&mut self, exec: &Exec) -> Result<()> {
        if self.exec.is_some() {
            return Err(Failure::Sealed("execve"));
        }
        self.exec = Some(Box::new(Attempt::add(&mut self.sequence, exec)));
        Ok(())
    }

    /// Runs it in the calling thread; see [`Sequence::near`].
    pub fn near(self) -> (Vec<i32>, Option<Failure>) {
        self.sequence.near()
    }

    /// Runs it in a task. `done` is called once with the descriptors made, on this thread or the reactor's. What had been
    /// made when a call fails is closed before that. `first`: the task has just been asked for.
    pub fn submit(self, task: &Arc<Channel>, first: bool, done: impl FnOnce(Result<Vec<i32>>) + Send + 'static) {
        let Batch { sequence, fds, exec } = self;
        if first {
            // From then on it has a working directory and a umask of its own: Node may change both.
            task.await_clone();
        }
        if sequence.is_empty() {
            return done(Ok(Vec::new()));
        }
        // A program takes long to begin, and so does a task: nobody waits for that.
        let patience = if exec.is_some() || first { Duration::ZERO } else { PATIENCE };
        let again = task.clone();
        let ended = move |ran: Result<Ran>| match ran {
            Err(Failure::Executed) => done(Ok(Vec::new())),
            Err(failure) => done(Err(failure)),
            Ok(Ran { sequence, reply, .. }) => {
                let made = sequence.made(&reply);
                let failure = match exec {
                    Some(exec) => {
                        if let Some(undo) = exec.undo(&reply) {
                            again.submit(undo, Vec::new(), Box::new(|_| {}));
                        }
                        Some(exec.failure(&sequence, &reply))
                    }
                    None => sequence.failure(&reply, 0),
                };
                match failure {
                    None => done(Ok(made)),
                    Some(failure) => transfer::close_all(&again, &made, move || done(Err(failure))),
                }
            }
        };
        task.submit_with_patience(sequence, fds, patience, Box::new(ended));
    }
}
