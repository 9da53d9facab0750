//! The files of a task itself in `/proc`.
//!
//! A task may have moved into a container, whose root can mount anything at `/proc` or below, and so have the task write into
//! another file or read the pids of strangers. The task goes through a procfs only, and through no mount inside of it. In a
//! procfs `self` and `thread-self` are the task that looks them up, whichever pid namespace the procfs shows.

use crate::call::{Arg, Call};
use crate::calls::descriptor;
use crate::calls::stub::expect;
use crate::error::Result;
use crate::sequence::list::Sequence;
use nix::errno::Errno;

const PROC: &[u8] = b"/proc";

/// Adds steps that open `/proc`, and end the sequence if it is no procfs. Returns the slot of the folder.
pub(super) fn open_folder(sequence: &mut Sequence) -> Result<i32> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let folder = sequence.push(descriptor::openat(libc::AT_FDCWD, PROC, flags, 0))?;
    let found = Arg::Written(sequence.step(descriptor::file_system_type(folder)) as u32);
    sequence.step(expect("openat", found, Arg::Number(libc::PROC_SUPER_MAGIC as u64), Errno::ENOENT).about(PROC));
    Ok(folder)
}

/// Returns the call that opens a file below `/proc`, such as `self/uid_map`.
pub(super) fn open_file(folder: i32, path: &[u8], flags: i32) -> Call<i32> {
    let flags = (flags | libc::O_CLOEXEC) as u64;
    descriptor::openat2(folder, path, flags, 0, libc::RESOLVE_NO_XDEV).about(&[PROC, b"/", path].concat())
}
