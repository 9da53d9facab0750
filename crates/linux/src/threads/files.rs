//! Files, folders and links, for the time in which the other threads stand still. Nothing here allocates: one of them may hold the
//! lock of the allocator.

use super::raw;
use crate::error::{refused, Failure};
use nix::errno::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An error number of the kernel, and the call that returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub call: &'static str,
    pub errno: i32,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        refused(error.call, Errno::from_raw(error.errno))
    }
}

/// The result of a function that may run while the other threads stand still.
pub(super) type Raw<T> = std::result::Result<T, Error>;

/// Memory for one file.
#[derive(Debug)]
pub(super) struct Text {
    bytes: Box<[u8]>,
}

impl Text {
    /// Makes memory for so many bytes, before the other threads stand still.
    pub(super) fn new(length: usize) -> Self {
        Text { bytes: vec![0; length].into_boxed_slice() }
    }

    /// Reads a whole file.
    pub(super) fn read(&mut self, file: &OwnedFd) -> Raw<&[u8]> {
        let mut length = 0;
        loop {
            let room = self.bytes.get_mut(length..).unwrap_or_default();
            if room.is_empty() {
                return Err(Error { call: "read", errno: libc::EFBIG });
            }
            match read(file, room)? {
                0 => return Ok(self.bytes.get(..length).unwrap_or_default()),
                more => length += more,
            }
        }
    }

    /// Calls `each` with pieces of a file that may be longer than a text. The last `overlap` bytes of each piece come again at the
    /// beginning of the next piece.
    pub(super) fn each_piece(&mut self, file: &OwnedFd, overlap: usize, mut each: impl FnMut(&[u8])) -> Raw<()> {
        let mut kept = 0;
        loop {
            let more = read(file, self.bytes.get_mut(kept..).unwrap_or_default())?;
            if more == 0 {
                return Ok(());
            }
            let length = kept + more;
            each(self.bytes.get(..length).unwrap_or_default());
            kept = overlap.min(length);
            self.bytes.copy_within(length - kept..length, 0);
        }
    }
}

/// Calls `each` with the name of each entry of an open folder.
pub(super) fn each_name<E: From<Error>>(
    folder: &OwnedFd,
    text: &mut Text,
    mut each: impl FnMut(&[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    const NAME: usize = 19; // struct linux_dirent64: inode, offset, length of the entry at 16, type, name
    loop {
        let args = [folder.as_raw_fd() as u64, text.bytes.as_mut_ptr() as u64, text.bytes.len() as u64, 0, 0, 0];
        // SAFETY: the kernel writes at most as many bytes as `text` has, which is borrowed.
        let length = checked("getdents64", unsafe { raw::syscall(libc::SYS_getdents64, args) })? as usize;
        if length == 0 {
            return Ok(());
        }
        let mut rest = text.bytes.get(..length).unwrap_or_default();
        while let Some(size) = rest.get(16..18) {
            let size = usize::from(size.iter().rev().fold(0, |size: u16, byte| size << 8 | u16::from(*byte)));
            let entry = rest.get(NAME..size).unwrap_or_default();
            each(entry.split(|byte| *byte == 0).next().unwrap_or_default())?;
            rest = rest.get(size.max(1)..).unwrap_or_default();
        }
    }
}

/// Reads a symbolic link below an open folder, and returns how many bytes of `target` it has.
pub(super) fn read_link(folder: RawFd, path: &CStr, target: &mut [u8]) -> Raw<usize> {
    let args = [folder as u64, path.as_ptr() as u64, target.as_mut_ptr() as u64, target.len() as u64, 0, 0];
    // SAFETY: the kernel reads `path`, which ends with a NUL, and writes at most as many bytes as `target` has. Both are borrowed.
    checked("readlinkat", unsafe { raw::syscall(libc::SYS_readlinkat, args) }).map(|length| length as usize)
}

pub(super) fn open(folder: RawFd, path: &CStr, flags: i32, resolve: u64) -> Raw<OwnedFd> {
    let how = [(flags | libc::O_CLOEXEC) as u64, 0, resolve];
    let args = [folder as u64, path.as_ptr() as u64, (&raw const how) as u64, size_of_val(&how) as u64, 0, 0];
    // SAFETY: the kernel reads `path`, which ends with a NUL, and the `open_how` in `how`. Both live until the call returns.
    let fd = checked("openat2", unsafe { raw::syscall(libc::SYS_openat2, args) })?;
    // SAFETY: the kernel has just made this descriptor in this process's table, and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn read(file: &OwnedFd, bytes: &mut [u8]) -> Raw<usize> {
    let args = [file.as_raw_fd() as u64, bytes.as_mut_ptr() as u64, bytes.len() as u64, 0, 0, 0];
    // SAFETY: the kernel writes at most as many bytes as `bytes` has, which are borrowed.
    checked("read", unsafe { raw::syscall(libc::SYS_read, args) }).map(|length| length as usize)
}

pub(super) fn file_system(root: &OwnedFd) -> Raw<u64> {
    let mut statfs = [0u64; 15]; // struct statfs has 120 bytes, and its type comes first
    let args = [root.as_raw_fd() as u64, statfs.as_mut_ptr() as u64, 0, 0, 0, 0];
    // SAFETY: the kernel writes a `struct statfs` to `statfs`, which is as long and lives in this frame.
    checked("fstatfs", unsafe { raw::syscall(libc::SYS_fstatfs, args) })?;
    Ok(statfs[0])
}

pub(super) fn checked(call: &'static str, result: i64) -> Raw<i64> {
    if result < 0 {
        return Err(Error { call, errno: -result as i32 });
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_file_overlap() {
        let file: OwnedFd = std::fs::File::open("/proc/self/maps").unwrap().into();
        let mut text = Text { bytes: vec![0; 64].into_boxed_slice() };
        let mut longest = 0;
        text.each_piece(&file, 16, |piece| longest = longest.max(piece.len())).unwrap();
        assert!(longest > 16 && longest <= 64);
    }
}
