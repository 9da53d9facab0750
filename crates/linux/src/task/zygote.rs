//! The zygote: the stub that clones all other tasks. No task ever copies this process's memory.

mod exec_stub;
mod kinship;
mod table;

use self::exec_stub::{exec_stub, Started};
use self::kinship::Kinship;
use self::table::NoZygote;
use crate::calls::pidfd;
use crate::error::{Failure, Result, Unchanged};
use crate::task::ambient::Ambient;
use crate::task::channel::Channel;
use crate::task::spawner::Spawner;
use crate::task::stub;
use crate::wait::child::{Child, Relations, TaskChannel};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// How long a zygote that is to end may take, in milliseconds, before it is killed, and again before it is given up.
const PATIENCE: u16 = 1000;

/// A zygote, and the state of this process that its tasks inherit.
#[derive(Debug)]
pub struct Zygote {
    /// The channel to the zygote, for sequences that clone.
    pub channel: Arc<Channel>,
    /// The thread that is the parent of the zygote.
    pub spawner: Arc<Spawner>,
    /// The pid of the zygote.
    pub pid: i32,
    /// The pid of this process in the zygote's pid namespace; 0: it has none there.
    pub parent: i32,
    ambient: Ambient,
    kinship: Kinship,
    /// The thread that has started the zygote.
    starter: ThreadId,
}

impl Zygote {
    /// Returns a zygote whose tasks inherit what a child of the calling thread would inherit now.
    pub fn matching() -> Result<Arc<Zygote>> {
        table::matching()
    }

    /// Ends the zygote and waits for its end, as soon as it has replied to what was sent, and to what other threads are about to
    /// send: a thread that clones a task holds a reference until the reply has come.
    fn end(self: &Arc<Self>) -> Result<()> {
        let begin = Instant::now();
        self.channel.continue_if_stopped();
        while (Arc::strong_count(self) > 1 || !self.channel.is_idle())
            && begin.elapsed() < Duration::from_millis(PATIENCE.into())
        {
            thread::sleep(Duration::from_micros(200));
        }
        self.channel.hang_up();
        let Some(process) = self.channel.process() else { return Ok(()) };
        if process.await_end(PATIENCE) {
            return Ok(());
        }
        process.signal(libc::SIGKILL)?;
        if process.await_end(PATIENCE) {
            return Ok(());
        }
        let words = format!("process {}, which clones tasks, did not end", self.pid);
        Err(Failure::Unchanged(Box::new(Unchanged { code: "THREAD_SILENT", words, thread: None })))
    }

    /// Returns whether the zygote lives and replies. A zygote that was stopped is continued.
    fn can_clone(&self) -> bool {
        self.channel.continue_if_stopped();
        !self.channel.is_hung_up() && !self.channel.is_late()
    }
}

/// Ends all zygotes and waits for their end. No zygote starts before the returned value is dropped: a thread that clones a task
/// waits until then.
pub(crate) fn end_all() -> Result<NoZygote> {
    table::end_all()
}

/// Returns the pid of the zygote that was used last; 0 where no zygote was started yet.
pub fn last_pid() -> i32 {
    table::last_pid()
}

/// Starts a zygote below a spawner, in the state that the spawner has.
fn start(spawner: Arc<Spawner>, ambient: Ambient) -> Result<Zygote> {
    let (channel, end) = Channel::pair()?;
    let stub = stub::open()?.as_raw_fd();
    let file = stub::file();
    let child = Arc::new(AtomicI32::new(-1));
    let of_spawner = child.clone();
    let begin = move || exec_stub(stub, file, end.as_raw_fd(), &of_spawner);
    // A signal may have stopped the child before it has executed the stub. EBADF: there is no child yet.
    let meanwhile = || drop(pidfd::pidfd_send_signal(child.load(Relaxed), libc::SIGCONT, 0).near());
    let Started { pid, pidfd, parent } = spawner.call(begin, meanwhile)?;
    let relations = Relations {
        channel: Some(Arc::downgrade(&channel) as Weak<dyn TaskChannel>),
        parent: None,
        keep_alive: Some(spawner.clone()),
    };
    channel.set_process(&Child::new(pid, pidfd, relations, Box::new(|_| {}))?);
    let (kinship, starter) = (Kinship::now(pid)?, thread::current().id());
    Ok(Zygote { channel, spawner, pid, parent, ambient, kinship, starter })
}
