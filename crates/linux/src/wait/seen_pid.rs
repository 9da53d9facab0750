//! The pid of a process whose pidfd is known.

use crate::calls::descriptor::file_system_type;
use crate::calls::pidfd;
use crate::own_descriptor;
use crate::wait::proc_directory::{pid_in_proc, pids_in_proc};
use nix::sys::stat::fstat;
use std::os::fd::{AsRawFd, OwnedFd};

/// The type of the file system of pidfds (Linux 6.9): each process has an inode of its own there.
const PID_FS_MAGIC: u64 = 0x5049_4446;

/// Returns the pid of the process behind a pidfd in this process's pid namespace. Returns 0 where the process has none,
/// or where no source confirms it.
///
/// The kernel reports the pid for the caller (Linux 6.13). `/proc` may be that of an outer pid namespace, and then shows
/// one number for each namespace on the way down. In both cases pidfd_open(2) has to lead to the same process.
pub(crate) fn pid_seen_here(pidfd: &OwnedFd) -> i32 {
    let candidates = match reported_pid(pidfd) {
        Some(pid) => vec![pid],
        None => pids_in_proc(pidfd.as_raw_fd()),
    };
    candidates.into_iter().find(|pid| *pid > 0 && is_process(*pid, pidfd)).unwrap_or(0)
}

/// Returns the pid that the ioctl of a pidfd reports. `None`: the kernel does not know the ioctl, or the process has no
/// pid here.
fn reported_pid(pidfd: &OwnedFd) -> Option<i32> {
    const PIDFD_INFO_PID: u64 = 1;
    let info = pidfd::pidfd_info(pidfd.as_raw_fd(), PIDFD_INFO_PID, 64).near().ok()?;
    Some(i32::from_ne_bytes(info.get(16..20)?.try_into().ok()?))
}

/// True when `pid` means the process of `pidfd` in this process's pid namespace.
fn is_process(pid: i32, pidfd: &OwnedFd) -> bool {
    let Ok(opened) = own_descriptor::make(pidfd::pidfd_open(pid, 0)) else { return false };
    let in_pidfs = file_system_type(pidfd.as_raw_fd()).near().is_ok_and(|kind| kind == PID_FS_MAGIC);
    if in_pidfs {
        return fstat(pidfd).is_ok_and(|one| fstat(&opened).is_ok_and(|other| one.st_ino == other.st_ino));
    }
    have_one_number(pidfd, &opened)
}

/// True when `/proc` shows the processes of two pidfds by one number. Before Linux 6.9 all pidfds have one inode.
fn have_one_number(one: &OwnedFd, other: &OwnedFd) -> bool {
    let [one, other] = [one, other].map(|fd| pid_in_proc(fd.as_raw_fd()));
    one.is_some() && one == other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owned;

    fn pidfd_of(pid: i32) -> OwnedFd {
        own_descriptor::make(pidfd::pidfd_open(pid, 0)).unwrap()
    }

    #[test]
    fn the_end_of_a_worker_closes_no_number_that_a_look_at_a_pid_has_used() {
        owned::track();
        let pidfd = pidfd_of(std::process::id() as i32);
        pid_seen_here(&pidfd);
        // The lowest free numbers are those that the look has used.
        let files: Vec<_> = (0..4).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        owned::close_all();
        assert!(files.iter().all(|file| file.metadata().is_ok()));
        assert_eq!(pid_seen_here(&pidfd), std::process::id() as i32);
    }

    #[test]
    fn a_pid_counts_only_where_it_leads_to_the_same_process() {
        let own = std::process::id() as i32;
        let parent = std::os::unix::process::parent_id() as i32;
        let pidfd = pidfd_of(own);
        assert_eq!(pid_seen_here(&pidfd), own);
        assert_eq!(pids_in_proc(pidfd.as_raw_fd()).last(), Some(&own));
        assert_eq!([own, parent, i32::MAX].map(|pid| is_process(pid, &pidfd)), [true, false, false]);
        assert_eq!([own, parent].map(|pid| have_one_number(&pidfd, &pidfd_of(pid))), [true, false]);
    }
}
