//! Failures of calls, and the kernel's reasons.

use nix::errno::Errno;
use std::borrow::Cow;

/// The reason why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The kernel refused a call.
    Refused(Refusal),
    /// The task has executed a program, exited or died, before the call or during it.
    Gone,
    /// The task has executed a program instead of replying to the call.
    Executed,
    /// The call has a value, which a batch cannot return yet. The number says what the call is about, if one does.
    Batch(&'static str, Option<i64>),
    /// The batch ends with execve(2), so that no further call can be added.
    Sealed(&'static str),
    /// The call would change only one of the threads of this process. The number says what the call is about, if one does.
    Multithreaded(&'static str, Option<i64>),
    /// Something is in the way of a change of all threads of this process, and no thread was changed.
    Unchanged(Box<Unchanged>),
    /// This process has more threads than can be changed at once, and no thread was changed.
    TooManyThreads {
        /// How many threads there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// The task has sent something that no stub sends, and is killed: another process may have got hold of it.
    Broken(String),
    /// nearfar itself has a fault.
    Internal(&'static str),
}

/// An error of the kernel, with the call that it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The call's name from the man page.
    pub syscall: &'static str,
    /// The error.
    pub errno: Errno,
    /// The number of an error without a name. A few calls return errors that are internal to the kernel.
    pub nameless: Option<i32>,
    /// The path that the call was given.
    pub path: Option<Vec<u8>>,
    /// The second path of a call with two.
    pub dest: Option<Vec<u8>>,
    /// The index of the call in its batch, from 0.
    pub step: Option<u32>,
    /// The description of the error, in place of the kernel's.
    pub words: Option<Cow<'static, str>>,
    /// Further facts for the message. The box keeps a [`Result`] small.
    pub detail: Option<Box<Detail>>,
}

/// What is in the way of a change of all threads of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchanged {
    /// `IO_URING`, `THREAD_SILENT` or `THREADS_DIFFER`.
    pub code: &'static str,
    /// The obstacle in words.
    pub words: String,
    /// The thread that is in the way, if there is one.
    pub thread: Option<ThreadInTheWay>,
}

/// A thread of this process that is in the way of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadInTheWay {
    /// The id of the thread.
    pub tid: i32,
    /// The name of the thread.
    pub name: String,
    /// The state of the thread, as `/proc/<pid>/stat` has it; empty: unknown.
    pub state: String,
}

/// Facts about a refused call, for the message of its error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The number of the descriptor that the call was about.
    pub fd: Option<i32>,
    /// The number among the arguments that says what the call was about, such as the option of prctl(2).
    pub number: Option<i64>,
    /// The file system that the call was about.
    pub fstype: Option<Vec<u8>>,
    /// The options of that file system, which may hold a password.
    pub data: Option<Vec<u8>>,
    /// The parameter of a file system context.
    pub key: Option<Vec<u8>>,
    /// The messages that a file system context had when a call on it was refused, the oldest first.
    pub log: Vec<Vec<u8>>,
}

impl Failure {
    /// True when the kernel has refused the call with this error.
    pub(crate) fn has_errno(&self, errno: Errno) -> bool {
        matches!(self, Failure::Refused(refusal) if refusal.errno == errno)
    }

    /// Adds the messages of a file system context.
    pub(crate) fn with_log(self, log: Vec<Vec<u8>>) -> Self {
        match self {
            Failure::Refused(refusal) => {
                let detail = Detail { log, ..refusal.detail.map(|detail| *detail).unwrap_or_default() };
                Failure::Refused(Refusal { detail: Some(Box::new(detail)), ..refusal })
            }
            other => other,
        }
    }

    /// Removes the index of the step, for a caller that has made one call which takes several steps.
    pub(crate) fn without_step(self) -> Self {
        match self {
            Failure::Refused(refusal) => Failure::Refused(Refusal { step: None, ..refusal }),
            other => other,
        }
    }
}

/// The result of a function that can fail.
pub type Result<T> = std::result::Result<T, Failure>;

/// Adds the name of the call to a bare error number.
pub trait During<T> {
    /// Converts an error into the refusal of `syscall`.
    fn during(self, syscall: &'static str) -> Result<T>;
}

impl<T> During<T> for nix::Result<T> {
    fn during(self, syscall: &'static str) -> Result<T> {
        self.map_err(|errno| refused(syscall, errno))
    }
}

impl<T> During<T> for std::io::Result<T> {
    fn during(self, syscall: &'static str) -> Result<T> {
        self.map_err(|error| refused(syscall, Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))))
    }
}

impl Refusal {
    /// Makes the refusal of a call by the number of the error.
    pub(crate) fn new(syscall: &'static str, number: i32) -> Self {
        let errno = Errno::from_raw(number);
        let nameless = (errno == Errno::UnknownErrno).then_some(number);
        Refusal { syscall, errno, nameless, path: None, dest: None, step: None, words: None, detail: None }
    }
}

/// Returns the refusal of `syscall` with `errno`.
pub fn refused(syscall: &'static str, errno: Errno) -> Failure {
    Failure::Refused(Refusal::new(syscall, errno as i32))
}
