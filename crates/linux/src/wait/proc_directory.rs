//! The directory of a process in `/proc`, found by the pidfd of the process.

use nix::fcntl::{open as open_file, openat, OFlag};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::Read;
use std::os::fd::{OwnedFd, RawFd};

/// Opens `/proc/<pid>` of the process of `pidfd`, a descriptor of this process. `None`: the process was reaped, or
/// `/proc` does not show it.
///
/// A file that is opened below the directory later is a file of the same process, or fails to be read when the process
/// was reaped: it never is a file of another process with the same pid.
pub(crate) fn open(pidfd: RawFd) -> Option<OwnedFd> {
    let pid = pid_in_proc(pidfd)?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = open_file(format!("/proc/{pid}").as_str(), flags, Mode::empty()).ok()?;
    // A process that has the pid before and after the open had it in between.
    (pid_in_proc(pidfd) == Some(pid)).then_some(directory)
}

/// Reads a whole file of a process. `None`: the process was reaped, or this process may not read the file.
pub(crate) fn read(directory: &OwnedFd, name: &str) -> Option<Vec<u8>> {
    let file = openat(directory, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::new();
    File::from(file).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Returns one of the fields that follow the name in the text of `/proc/<pid>/stat`, by its place from 0. The name is in
/// parentheses, and may hold any bytes.
pub(crate) fn stat_field(stat: &[u8], place: usize) -> Option<&str> {
    let name_end = stat.windows(2).rposition(|bytes| bytes == b") ")?;
    std::str::from_utf8(stat.get(name_end + 2..)?).ok()?.split_whitespace().nth(place)
}

/// Returns the number by which `/proc` knows the process of `pidfd`. `/proc` may belong to another pid namespace than
/// this process: then the number is not the one that kill(2) takes. `None`: the process was reaped, or is outside of that
/// pid namespace.
pub(crate) fn pid_in_proc(pidfd: RawFd) -> Option<i32> {
    pids_in_proc(pidfd).first().copied()
}

/// Returns the pids of the process that `/proc` shows: one for each pid namespace, from that of the mounted `/proc` down
/// to the process's own.
pub(crate) fn pids_in_proc(pidfd: RawFd) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/thread-self/fdinfo/{pidfd}")).unwrap_or_default();
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
    let pids = field("NSpid:").or(field("Pid:")).unwrap_or_default();
    // The kernel writes -1 for a process that was reaped, and 0 for one outside the pid namespace of `/proc`.
    pids.split_whitespace().map_while(|pid| pid.parse().ok().filter(|pid| *pid > 0)).collect()
}
