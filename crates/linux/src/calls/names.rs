//! The names of files: making, linking, renaming, reading and removing entries of directories.

use crate::call::Call;

/// `mkdirat(dirfd, path, mode)`.
pub fn mkdirat(at: i32, path: &[u8], mode: u32) -> Call<()> {
    Call::new("mkdirat", libc::SYS_mkdirat).fd(at).path(path).number(mode)
}

/// `mknodat(dirfd, path, mode, dev)`: a file of the type in `mode`. `dev` is the number of the device that it stands for.
pub fn mknodat(at: i32, path: &[u8], mode: u32, [major, minor]: [u32; 2]) -> Call<()> {
    Call::new("mknodat", libc::SYS_mknodat).fd(at).path(path).number(mode).number(libc::makedev(major, minor))
}

/// `symlinkat(target, dirfd, path)`.
pub fn symlinkat(target: &[u8], at: i32, path: &[u8]) -> Call<()> {
    Call::new("symlinkat", libc::SYS_symlinkat).path(target).fd(at).path(path)
}

/// `linkat(from_dirfd, from_path, to_dirfd, to_path, flags)`.
pub fn linkat(from: i32, from_path: &[u8], to: i32, to_path: &[u8], flags: u32) -> Call<()> {
    Call::new("linkat", libc::SYS_linkat).fd(from).path(from_path).fd(to).path(to_path).number(flags)
}

/// `renameat2(from_dirfd, from_path, to_dirfd, to_path, flags)`.
pub fn renameat2(from: i32, from_path: &[u8], to: i32, to_path: &[u8], flags: u32) -> Call<()> {
    Call::new("renameat2", libc::SYS_renameat2).fd(from).path(from_path).fd(to).path(to_path).number(flags)
}

/// `unlinkat(dirfd, path, flags)`: removes a `directory`, or a file of another type.
pub fn unlinkat(at: i32, path: &[u8], directory: bool) -> Call<()> {
    let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
    Call::new("unlinkat", libc::SYS_unlinkat).fd(at).path(path).number(flags)
}

/// `readlinkat(dirfd, path, buffer, length)`. A target that has more bytes is cut off.
pub fn readlinkat(at: i32, path: &[u8], length: u32) -> Call<Vec<u8>> {
    let call = Call::new("readlinkat", libc::SYS_readlinkat).fd(at).path(path);
    call.output_up_to(length as usize).number(length).at_most(length).value(|answer| answer.written())
}
