//! The inherited state that only `/proc` shows.

use crate::wait::own_descriptor::above_stdio;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

/// How many files are read: cgroup, OOM score, filter of core dumps, label of the security module.
pub(super) const FILES: usize = 4;

/// How many namespaces a thread can change for its children. The pid and the time namespace of the thread itself never
/// change, and neither does the user namespace of a process with several threads.
pub(super) const NAMESPACES: usize = 7;

const NAMESPACE_LINKS: [&std::ffi::CStr; NAMESPACES] =
    [c"cgroup", c"ipc", c"mnt", c"net", c"pid_for_children", c"time_for_children", c"uts"];

/// Files of `/proc` that stay open: opening them would cost more than reading them.
struct Proc {
    namespaces: Option<File>,
    files: [Option<File>; FILES],
}

thread_local! {
    static PROC: Proc = Proc {
        // Opened with O_PATH: a process that has changed its user may not read the folder, but may go through it.
        namespaces: open("/proc/thread-self/ns", libc::O_PATH),
        files: [
            open("/proc/thread-self/cgroup", 0),
            open("/proc/self/oom_score_adj", 0),
            open("/proc/self/coredump_filter", 0),
            open("/proc/thread-self/attr/current", 0),
        ],
    };
    /// Opened by a thread with a seccomp filter only.
    static STATUS: Option<File> = open("/proc/thread-self/status", 0);
}

fn open(path: &str, flags: i32) -> Option<File> {
    let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
    above_stdio(file.into()).ok().map(File::from)
}

pub(super) fn files() -> [Vec<u8>; FILES] {
    PROC.with(|proc| proc.files.each_ref().map(|file| file.as_ref().map(whole).unwrap_or_default()))
}

/// Reads the links that name the namespaces. A link that cannot be read is all zero.
pub(super) fn namespaces() -> [[u8; 32]; NAMESPACES] {
    PROC.with(|proc| proc.namespaces.as_ref().map(links).unwrap_or_default())
}

/// Reads the line with the number of seccomp filters. A thread can add a filter and never removes one, so an equal
/// number means equal filters.
pub(super) fn seccomp_filters() -> Vec<u8> {
    let status = STATUS.with(|status| status.as_ref().map(whole).unwrap_or_default());
    let mut lines = status.split(|byte| *byte == b'\n');
    lines.find(|line| line.starts_with(b"Seccomp_filters:")).unwrap_or_default().to_vec()
}

/// Reads a file from its start. The kernel makes the text anew each time.
fn whole(file: &File) -> Vec<u8> {
    let mut text = vec![0; 1024];
    let mut length = 0;
    // A failure ends the text like the end of the file. The next clone reads the same text, and so still matches.
    while let Ok(more @ 1..) = file.read_at(&mut text[length..], length as u64) {
        length += more;
        if length < text.len() {
            break;
        }
        text.resize(2 * length, 0);
    }
    text.truncate(length);
    text
}

fn links(folder: &File) -> [[u8; 32]; NAMESPACES] {
    NAMESPACE_LINKS.map(|name| {
        let mut link = [0u8; 32];
        // SAFETY: the kernel reads `name`, which is static and ends with a NUL. The kernel writes at most `link.len()`
        // bytes of `link`, a local variable that outlives the call. `folder` is open as long as it is borrowed.
        unsafe { libc::readlinkat(folder.as_raw_fd(), name.as_ptr(), link.as_mut_ptr().cast(), link.len()) };
        link
    })
}
