//! Whether the process of a pidfd is the task that a cloner says it has cloned. A hostile cloner may send the pidfd of any
//! process, also of this one, and nearfar would end that process in the place of the task.

use crate::calls::{pidfd, process};
use crate::error::{Failure, Refusal, Result};
use crate::wait::child::Child;
use crate::wait::proc_directory::{self, stat_field};
use crate::wait::zombie::has_ended;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// The place of the parent among the fields that follow the name in `/proc/<pid>/stat`.
const PARENT: usize = 1;

/// Checks that the process is a child of this one, and returns its pid. `said` is the pid in the reply of the zygote: on
/// kernels before 6.13, the pid of any child of this process is taken.
pub(super) fn check_own_child(task: &OwnedFd, said: i32) -> Result<i32> {
    let wait =
        |kind, id| process::waitid(kind, id, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL).near();
    match wait(libc::P_PIDFD, task.as_raw_fd()) {
        Ok(_) => {}
        // While SIGCHLD is ignored, the kernel reaps a child as soon as it ends.
        Err(failure) if has_errno(&failure, Errno::ECHILD) && is_reaped(task) => return Ok(0),
        Err(_) => return Err(not_the_clone()),
    }
    match relatives(task) {
        Ok([pid, _]) => Ok(pid),
        Err(_) => Ok(if wait(libc::P_PID, said).is_ok() { said } else { 0 }),
    }
}

/// Checks that the process is a child of the task that has cloned it. A process that was reaped already passes too: it is
/// no process any more that a signal could reach.
pub(super) fn check_child_of(cloner: Option<Arc<Child>>, task: &OwnedFd) -> Result<()> {
    let Some(cloner) = cloner.and_then(|cloner| cloner.shared_pidfd()) else { return Err(Failure::Gone) };
    if signal_error(task) == Some(Errno::EBADF) {
        return Err(not_the_clone()); // no pidfd
    }
    let related = relatives(task).and_then(|[pid, parent]| Ok((pid, parent, relatives(&cloner)?[0])));
    let related = match related {
        Err(failure) if has_errno(&failure, Errno::ENOTTY) || has_errno(&failure, Errno::EINVAL) => {
            relatives_in_proc(task).and_then(|[pid, parent]| Ok((pid, parent, relatives_in_proc(&cloner)?[0])))
        }
        related => related,
    };
    match related {
        // This process is no child of a task, and so never passes.
        Ok((_, parent, cloner)) if parent == cloner && parent > 0 => Ok(()),
        // The children of a process that has ended get another parent.
        _ if has_ended(&cloner) => Err(Failure::Gone),
        _ if is_reaped(task) => Ok(()),
        Ok(_) => Err(not_the_clone()),
        Err(failure) if has_errno(&failure, Errno::ENOENT) => Err(failure),
        Err(_) => Err(not_the_clone()),
    }
}

/// Returns the pids of a process and of its parent in the pid namespace of this process. Linux 6.13.
fn relatives(process: &OwnedFd) -> Result<[i32; 2]> {
    let info = pidfd::pidfd_info(process.as_raw_fd(), 0, 64);
    info.reading(|answer| [20, 24].map(|at| answer.u32(at) as i32)).near()
}

/// Returns the same pids in the pid namespace of `/proc`, on older kernels. ENOENT: there is no `/proc` that shows the
/// process, or the process was reaped.
fn relatives_in_proc(process: &OwnedFd) -> Result<[i32; 2]> {
    let shown = || {
        let pid = proc_directory::pid_in_proc(process.as_raw_fd())?;
        let stat = proc_directory::read(&proc_directory::open(process.as_raw_fd())?, "stat")?;
        let parent = stat_field(&stat, PARENT)?.parse().ok()?;
        Some([pid, parent])
    };
    let missing = Refusal { path: Some(b"/proc".to_vec()), ..Refusal::new("open", libc::ENOENT) };
    shown().ok_or(Failure::Refused(missing))
}

/// True when the pidfd is that of a process which was reaped.
fn is_reaped(process: &OwnedFd) -> bool {
    signal_error(process) == Some(Errno::ESRCH)
}

/// Returns the error of a signal that is checked and not sent.
fn signal_error(process: &OwnedFd) -> Option<Errno> {
    match pidfd::pidfd_send_signal(process.as_raw_fd(), 0, 0).near() {
        Err(Failure::Refused(refusal)) => Some(refusal.errno),
        _ => None,
    }
}

fn has_errno(failure: &Failure, errno: Errno) -> bool {
    matches!(failure, Failure::Refused(refusal) if refusal.errno == errno)
}

fn not_the_clone() -> Failure {
    Failure::Broken("the process that came with the reply to a clone is not the new task".into())
}
