//! Processes that have ended and were not reaped: `/proc` still shows their wait status.

use crate::wait::proc_directory;
use nix::fcntl::{openat, readlinkat, OFlag};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::Read;
use std::os::fd::RawFd;

/// The place of the state among the fields that follow the name in `/proc/<pid>/stat`.
const STATE: usize = 0;
/// The place of the wait status among the same fields. proc(5) counts from 1 and calls this field 52, the state 3.
const EXIT_CODE: usize = 52 - 3;

/// Returns the wait status of a process that was not reaped. `None`: `/proc` does not show it.
///
/// `pidfd` is a descriptor of this process. It must have reported the end of the process: the kernel also shows a process
/// as a zombie whose first thread has ended before the others.
pub fn wait_status(pidfd: RawFd) -> Option<i32> {
    let directory = proc_directory::open(pidfd)?;
    // The kernel shows the status as 0 to a reader that may not trace the process. Reading this link needs the same
    // permission, so a failure here means that the 0 would not be true.
    readlinkat(&directory, "ns/user").ok()?;
    let stat = openat(&directory, "stat", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::new();
    File::from(stat).read_to_end(&mut text).ok()?;
    parse(&text)
}

/// Reads the status from the text of `/proc/<pid>/stat`. The name in it is in parentheses, and may hold any bytes.
fn parse(stat: &[u8]) -> Option<i32> {
    let name_end = stat.windows(2).rposition(|bytes| bytes == b") ")?;
    let fields: Vec<&str> = std::str::from_utf8(&stat[name_end + 2..]).ok()?.split_whitespace().collect();
    (fields.get(STATE) == Some(&"Z")).then(|| fields.get(EXIT_CODE)?.parse().ok())?
}
