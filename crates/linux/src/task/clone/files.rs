//! The descriptors of this process that a new task begins with.

use super::CloneOptions;
use crate::error::{During, Result};
use crate::own_descriptor;
use nix::errno::Errno;
use std::fs::File;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// The descriptors for a new task.
pub(super) struct NewTaskFiles {
    /// The task's end of its channel.
    pub channel_end: Arc<OwnedFd>,
    /// Copies of Node's stdin, stdout and stderr. `None`: the task shares the cloner's table, and so its stdio.
    pub stdio: Option<[Arc<OwnedFd>; 3]>,
    /// The directory of the cgroup in which the task begins.
    pub cgroup: Option<Arc<OwnedFd>>,
}

impl NewTaskFiles {
    pub fn open(channel_end: OwnedFd, options: &CloneOptions) -> Result<Self> {
        let stdio = match options.has(libc::CLONE_FILES) {
            true => None,
            false => Some([copy_stdio(0)?, copy_stdio(1)?, copy_stdio(2)?].map(Arc::new)),
        };
        let cgroup = options.cgroup.map(|cgroup| {
            // SAFETY: the caller of `clone` keeps the descriptor open until that returns, and this borrow ends before.
            let cgroup = unsafe { BorrowedFd::borrow_raw(cgroup) };
            cgroup.try_clone_to_owned().during("fcntl").map(Arc::new)
        });
        Ok(NewTaskFiles { channel_end: Arc::new(channel_end), stdio, cgroup: cgroup.transpose()? })
    }
}

/// Copies this process's stdin, stdout or stderr as it is now. Opens `/dev/null` where it is closed.
fn copy_stdio(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: fcntl takes numbers here and touches no memory. A closed descriptor is EBADF.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    match Errno::result(copy) {
        // SAFETY: the kernel has just made this descriptor, and nothing else knows its number.
        Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        Err(Errno::EBADF) => {
            let null = File::options().read(true).write(true).open("/dev/null").during("open")?;
            own_descriptor::above_stdio(null.into())
        }
        Err(errno) => Err(errno).during("fcntl"),
    }
}
