//! How the calling thread and the zygote are related.

use crate::error::Result;
use crate::task::ambient::namespaces::{mount_namespace, Link};
use nix::errno::Errno;

/// The answer of kcmp(2) about the calling thread and the zygote. A change of the answer means that the zygote no longer
/// matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kinship {
    /// 0 as long as the thread shares working directory, root and umask with the zygote. Two processes that share these
    /// are in one mount namespace: unshare(2) ends the sharing, and setns(2) refuses a thread that shares.
    Shared(i64),
    /// The kernel refuses the comparison. The thread may have entered a Landlock domain, which no other call reports: the
    /// zygote is outside of the domain, and the thread may not look at it any more.
    Refused(Errno, Link),
}

impl Kinship {
    /// Compares the calling thread with the zygote.
    pub(super) fn now(zygote: i32) -> Result<Self> {
        const KCMP_FS: i64 = 3;
        let thread = nix::unistd::gettid().as_raw();
        // SAFETY: kcmp(2) with KCMP_FS takes numbers, and touches no memory of this process.
        let same = unsafe { libc::syscall(libc::SYS_kcmp, thread, zygote, KCMP_FS, 0, 0) };
        match Errno::result(same) {
            Ok(same) => Ok(Kinship::Shared(same)),
            Err(errno) => Ok(Kinship::Refused(errno, mount_namespace()?)),
        }
    }
}
