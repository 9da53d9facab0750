//! The spawner: the thread that is the parent of a zygote and of its tasks.

use crate::calls::process;
use crate::error::{Failure, Result};
use crate::wait::thread;
use nix::errno::Errno;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Keeps a spawner thread running. When the last reference is dropped, the thread ends, and the kernel kills the zygote
/// and its tasks: their parent-death signal is about this thread.
#[derive(Debug)]
pub struct Spawner {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Spawner {
    /// Starts a spawner thread. The thread has the calling thread's credentials, namespaces and limits, and so have the
    /// processes that it starts.
    pub(crate) fn start() -> Result<Spawner> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::spawn("nearfar-spawner", move || {
            // The queue ends when the `Spawner` is dropped.
            queue.into_iter().for_each(|job| job());
            reap_children();
        })?;
        Ok(Spawner { jobs })
    }

    /// Calls `run` on the spawner thread, and returns what `run` returned. While `run` takes longer than usual, the calling
    /// thread calls `meanwhile` again and again.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> Result<T> + Send + 'static,
        meanwhile: impl Fn(),
    ) -> Result<T> {
        const USUALLY: Duration = Duration::from_millis(2);
        const ENDED: Failure = Failure::Internal("the spawner thread ended");
        let (sender, result) = mpsc::channel();
        // The receiver is missing only when the process is about to end.
        let job = move || drop(sender.send(run()));
        self.jobs.send(Box::new(job)).map_err(|_| ENDED)?;
        loop {
            match result.recv_timeout(USUALLY) {
                Ok(returned) => return returned,
                Err(RecvTimeoutError::Timeout) => meanwhile(),
                Err(RecvTimeoutError::Disconnected) => return Err(ENDED),
            }
        }
    }
}

/// Reaps the remaining children of the calling thread, a spawner: the zygote, and tasks whose pids the zygote could not
/// send because it was killed. No `Child` watches those tasks, which end with their channels.
fn reap_children() {
    let options = libc::WEXITED | libc::__WALL | libc::__WNOTHREAD;
    loop {
        match process::waitid(libc::P_ALL, 0, options).near() {
            Err(Failure::Refused(refusal)) if refusal.errno != Errno::EINTR => return,
            _ => {}
        }
    }
}
