//! The inherited state that only `/proc` shows.
//!
//! `/proc/thread-self` is the calling thread, also in a `/proc` that belongs to an outer pid namespace. In a `/proc` where
//! the thread has no number, the link is missing. A file that is opened below the link stays about the thread that has
//! opened it, so each thread has its own.

use crate::error::{refused, Result};
use crate::own_descriptor::above_stdio;
use nix::errno::Errno;
use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::thread::LocalKey;

const FILES: &[&str] = &[
    "/proc/thread-self/cgroup",
    "/proc/self/oom_score_adj",
    "/proc/self/coredump_filter",
    "/proc/thread-self/loginuid",
];

/// The label that a security module has given the thread, and the label for the next program. The second file may be
/// refused until there is such a label.
const LABELS: &[&str] = &["/proc/thread-self/attr/current", "/proc/thread-self/attr/exec"];

/// Reads the files. They stay open, because opening them would cost more than reading them.
pub(super) fn files() -> Result<Vec<Vec<u8>>> {
    thread_local! {
        static OPEN: OnceCell<Vec<Option<File>>> = const { OnceCell::new() };
    }
    OPEN.with(|kept| {
        let files = made_once(kept, || {
            let mut files = open_each(FILES, 0)?;
            let labels = open_each(LABELS, 0)?;
            if labels.first().is_some_and(|label| label.as_ref().is_some_and(can_be_read)) {
                files.extend(labels);
            }
            Ok(files)
        })?;
        Ok(files.iter().map(|file| file.as_ref().map(whole).unwrap_or_default()).collect())
    })
}

/// Reads the line with the number of seccomp filters. A thread can add a filter and never removes one, so an equal
/// number means equal filters.
pub(super) fn seccomp_filters() -> Result<Vec<u8>> {
    thread_local! {
        static STATUS: OnceCell<Option<File>> = const { OnceCell::new() };
    }
    let status = text_of(&STATUS, "/proc/thread-self/status")?;
    let mut lines = status.split(|byte| *byte == b'\n');
    Ok(lines.find(|line| line.starts_with(b"Seccomp_filters:")).unwrap_or_default().to_vec())
}

/// Returns the number of the controlling terminal as the kernel writes it, "0" for none. Empty: `/proc` does not show it.
pub(super) fn terminal() -> Result<Vec<u8>> {
    thread_local! {
        static STAT: OnceCell<Option<File>> = const { OnceCell::new() };
    }
    let stat = text_of(&STAT, "/proc/thread-self/stat")?;
    // The name of the thread may hold any byte. After its last parenthesis come the state, the parent, the process group, the
    // session and the terminal.
    let after_name = stat.rsplit(|byte| *byte == b')').next().unwrap_or_default();
    Ok(after_name.split(|byte| *byte == b' ').nth(5).unwrap_or_default().to_vec())
}

/// Returns the text of a file that the calling thread opens once. Empty: there is no such file.
fn text_of(kept: &'static LocalKey<OnceCell<Option<File>>>, path: &str) -> Result<Vec<u8>> {
    kept.with(|kept| Ok(made_once(kept, || open(path, 0))?.as_ref().map(whole).unwrap_or_default()))
}

/// Returns the value in the cell, and makes the value if there is none yet. After a failure, the next call tries again.
pub(super) fn made_once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match cell.get() {
        Some(made) => Ok(made),
        None => make().map(|made| cell.get_or_init(|| made)),
    }
}

/// Opens files as [`open`] does.
pub(super) fn open_each(paths: &[&str], flags: i32) -> Result<Vec<Option<File>>> {
    paths.iter().map(|path| open(path, flags)).collect()
}

/// Opens a file. `None`: the kernel has no such file, or `/proc` is not mounted.
///
/// A lack of descriptors or of memory is an error instead: a change of a file that was not opened would never be noticed.
pub(super) fn open(path: &str, flags: i32) -> Result<Option<File>> {
    match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => above_stdio(file.into()).map(|file| Some(file.into())),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(errno @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)) => Err(refused("open", errno)),
            _ => Ok(None),
        },
    }
}

/// False for the label of a thread where the kernel has no security module with labels. No module is added later.
fn can_be_read(file: &File) -> bool {
    file.read_at(&mut [0; 1024], 0).is_ok()
}

/// Reads a file from its start. The kernel makes the text anew each time.
fn whole(file: &File) -> Vec<u8> {
    let mut text = vec![0; 1024];
    let mut length = 0;
    // A failure ends the text like the end of the file. The next clone reads the same text, and so still matches.
    while let Ok(more @ 1..) = file.read_at(text.get_mut(length..).unwrap_or_default(), length as u64) {
        length += more;
        if length < text.len() {
            break;
        }
        text.resize(2 * length, 0);
    }
    text.truncate(length);
    text
}
