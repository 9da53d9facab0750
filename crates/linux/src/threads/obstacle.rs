//! What keeps a change of all threads from being made.

use super::files::Error;
use super::procfs::Stat;
use super::rings::Ring;
use super::signal::{MOST, SIGNAL};
use crate::error::{Failure, ThreadInTheWay, Unchanged};
use std::time::Duration;

/// How long this process waits for its threads to stop.
pub(super) const PATIENCE: Duration = Duration::from_millis(5000);

/// The reason why no thread was changed. The value has no memory of its own, because it is made while the other threads stand
/// still.
#[derive(Clone, Copy, Debug)]
pub(super) enum Obstacle {
    /// `/proc` could not be read, or the signal could not be sent.
    Kernel(Error),
    /// A ring would keep its credentials.
    Ring(Ring),
    /// A thread of the kernel polls a ring.
    Poller(Thread),
    /// A thread did not stop.
    Silent(Thread),
    /// The kernel has killed the thread that rehearses.
    Killed,
    /// The thread that rehearses did not get ready, or did not make the calls.
    NoRehearsal,
    /// Threads begin and end all the time.
    Restless,
    /// A thread may do other things than the calling thread: this line of `status` differs.
    Different(Thread, &'static str),
    /// A thread has a filter of seccomp(2) that the calling thread does not have.
    Filtered(Thread),
    /// There are more threads than slots.
    TooMany(usize),
}

/// A thread that is in the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread {
    /// The id of the thread in the pid namespace of this process.
    pub tid: i32,
    /// The name and the state of the thread, if it could be looked at.
    pub stat: Option<Stat>,
    /// True when the thread blocks the signal.
    pub blocks_signal: bool,
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Obstacle::Kernel(error)
    }
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        let unchanged = |code, words, thread: Option<Thread>| {
            let thread =
                thread.map(|thread| ThreadInTheWay { tid: thread.tid, name: thread.name(), state: thread.state() });
            Failure::Unchanged(Box::new(Unchanged { code, words, thread }))
        };
        match obstacle {
            Obstacle::Kernel(error) => error.into(),
            Obstacle::Ring(Ring::Descriptor(fd)) => unchanged(
                "IO_URING",
                format!("ring at descriptor {fd} would keep its credentials; start Node without UV_USE_IO_URING"),
                None,
            ),
            Obstacle::Ring(Ring::Mapping) => unchanged(
                "IO_URING",
                "a ring whose descriptor is closed, and whose memory is mapped, would keep its credentials; start Node without UV_USE_IO_URING".into(),
                None,
            ),
            Obstacle::Poller(thread) => {
                unchanged("IO_URING", format!("{thread} polls a ring, and would keep its credentials"), Some(thread))
            }
            Obstacle::Silent(thread) => {
                let blocks = if thread.blocks_signal { format!(", it blocks signal {SIGNAL}") } else { String::new() };
                let words = format!("{thread} did not answer for {} ms{blocks}", PATIENCE.as_millis());
                unchanged("THREAD_SILENT", words, Some(thread))
            }
            Obstacle::Killed => {
                let words = "the kernel has killed the thread that tried the calls, as a filter of seccomp(2) demands";
                unchanged("THREAD_SILENT", words.into(), None)
            }
            Obstacle::NoRehearsal => {
                let words = format!("the thread that tries the calls did not answer for {} ms", PATIENCE.as_millis());
                unchanged("THREAD_SILENT", words, None)
            }
            Obstacle::Restless => {
                let words = format!("threads began and ended all the time for {} ms", PATIENCE.as_millis());
                unchanged("THREAD_SILENT", words, None)
            }
            Obstacle::Different(thread, line) => {
                let name = thread.name();
                let words = format!("thread {} ({name}) has other credentials than this one ({line})", thread.tid);
                unchanged("THREADS_DIFFER", words, Some(thread))
            }
            Obstacle::Filtered(thread) => {
                let name = thread.name();
                let words =
                    format!("thread {} ({name}) has a filter of seccomp(2) that this one does not have", thread.tid);
                unchanged("THREADS_DIFFER", words, Some(thread))
            }
            Obstacle::TooMany(count) => Failure::TooManyThreads { count, most: MOST },
        }
    }
}

impl Thread {
    fn name(&self) -> String {
        let name = self.stat.map(|stat| stat.name).unwrap_or_default();
        String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default()).into()
    }

    fn state(&self) -> String {
        self.stat.map(|stat| char::from(stat.state).into()).unwrap_or_default()
    }
}

impl std::fmt::Display for Thread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "thread {} ({}, state {})", self.tid, self.name(), self.state())
    }
}
