//! The spawner: the thread that is the parent of a zygote and of its tasks.

use crate::calls::process;
use crate::error::{Failure, Result};
use crate::wait::thread;
use nix::errno::Errno;
use std::sync::mpsc;

/// Keeps a spawner thread running. When the last reference is dropped, the thread ends, and the kernel kills the zygote
/// and its tasks: their parent-death signal is about this thread.
#[derive(Debug)]
pub struct Spawner {
    _keep_alive: mpsc::Sender<()>,
}

impl Spawner {
    /// Starts a spawner thread that calls `start`, and returns what `start` returned. The new thread has the calling
    /// thread's credentials, namespaces and limits, and so have the processes that it starts.
    pub(crate) fn start<T: Send + 'static>(start: impl FnOnce() -> Result<T> + Send + 'static) -> Result<(Spawner, T)> {
        let (keep_alive, dropped) = mpsc::channel::<()>();
        let (sender, started) = mpsc::channel();
        thread::spawn("nearfar-spawner", move || {
            // The receiver is missing only when the process is about to end.
            let _ = sender.send(start());
            // Blocks until the `Spawner` is dropped: the sender in it sends no message.
            let _ = dropped.recv();
            reap_children();
        })?;
        let started = started.recv().map_err(|_| Failure::Internal("the spawner thread ended"))??;
        Ok((Spawner { _keep_alive: keep_alive }, started))
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
