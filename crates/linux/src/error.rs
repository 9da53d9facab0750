//! What came of a call that did not succeed.

use nix::errno::Errno;

/// A refusal by the kernel, or a reason why it was never asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The kernel refused a call.
    Refused(Refusal),
    /// The task exec'd, exited or died, before or while the call was made.
    Gone,
    /// The task has executed a program instead of replying to the call.
    Executed,
    /// The call's value was needed while calls were being collected.
    Batch(&'static str),
    /// A batch that ends with a program to execute was given one more call.
    Sealed(&'static str),
    /// The call would change one thread of this process only.
    Multithreaded(&'static str),
    /// The task has sent something that no stub sends, and is killed: another process may have got hold of it.
    Broken(String),
    /// Something that only goes wrong when nearfar itself does.
    Internal(&'static str),
}

/// Which call, on what, was refused why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The call's name from the man page.
    pub syscall: &'static str,
    /// The kernel's reason.
    pub errno: Errno,
    /// Its number, where that has no name: some are meant for the kernel itself, and get out all the same.
    pub nameless: Option<i32>,
    /// The path it was about.
    pub path: Option<Vec<u8>>,
    /// The second path, where there are two.
    pub dest: Option<Vec<u8>>,
    /// Which call of a batch, from 0.
    pub step: Option<u32>,
}

impl Failure {
    /// For who made one call that happens to take several steps.
    pub(crate) fn without_step(self) -> Self {
        match self {
            Failure::Refused(refusal) => Failure::Refused(Refusal { step: None, ..refusal }),
            other => other,
        }
    }
}

/// The result of whatever can fail here.
pub type Result<T> = std::result::Result<T, Failure>;

/// Names the call that a bare errno came from.
pub trait During<T> {
    /// `Err(errno)` becomes the refusal of `syscall`.
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
    /// That of a call by the number of the error.
    pub(crate) fn new(syscall: &'static str, number: i32) -> Self {
        let errno = Errno::from_raw(number);
        let nameless = (errno == Errno::UnknownErrno).then_some(number);
        Refusal { syscall, errno, nameless, path: None, dest: None, step: None }
    }
}

/// The refusal of `syscall` with `errno`.
pub fn refused(syscall: &'static str, errno: Errno) -> Failure {
    Failure::Refused(Refusal::new(syscall, errno as i32))
}
