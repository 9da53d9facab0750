//! Descriptors: JavaScript sees numbers.

use crate::convert::{bytes, Text};
use crate::throw::OrThrow;
use linux::call::Arg;
use linux::owned;
use napi::bindgen_prelude::{BigInt, Buffer, Result, Uint8Array};
use napi_derive::napi;

/// openat2(2).
#[napi]
pub fn openat2(at: i32, path: Text, flags: i64, mode: u32, resolve: i64) -> Result<i32> {
    linux::calls::descriptor::openat2(at, bytes(&path), flags as u64, mode as u64, resolve as u64).run().or_throw()
}

/// close(2).
#[napi]
pub fn close(fd: i32) -> Result<()> {
    linux::calls::descriptor::close(fd).run().or_throw()
}

/// Leaves a descriptor of this process to other code: the end of this thread does not close it any more.
#[napi]
pub fn disown(fd: i32) {
    owned::forget(fd, fd);
}

/// Begins to leave a descriptor of this process to other code, which has it when [`end_handover`] is called. Until then the end
/// of this thread closes the descriptor.
#[napi]
pub fn begin_handover(fd: i32) {
    owned::begin_handover(fd);
}

/// Says that other code has the descriptor.
#[napi]
pub fn end_handover(fd: i32) {
    owned::end_handover(fd);
}

/// close_range(2).
#[napi]
pub fn close_range(first: u32, last: u32, flags: u32) -> Result<()> {
    linux::calls::descriptor::close_range(Arg::Number(first.into()), Arg::Number(last.into()), flags).run().or_throw()
}

/// dup3(2).
#[napi]
pub fn dup3(fd: i32, to: i32, flags: i32) -> Result<i32> {
    linux::calls::descriptor::dup3(fd, to, flags).run().or_throw()
}

/// fcntl(2) with F_DUPFD or F_DUPFD_CLOEXEC.
#[napi]
pub fn dup(fd: i32, min: i32, close_on_exec: bool) -> Result<i32> {
    linux::calls::descriptor::dup(fd, min, close_on_exec).run().or_throw()
}

/// fcntl(2) with F_GETFD.
#[napi]
pub fn get_flags(fd: i32) -> Result<i32> {
    linux::calls::descriptor::get_flags(fd).run().or_throw()
}

/// fcntl(2) with F_SETFD.
#[napi]
pub fn set_flags(fd: i32, flags: i32) -> Result<()> {
    linux::calls::descriptor::set_flags(fd, flags).run().or_throw()
}

/// fcntl(2) with F_GETFL.
#[napi]
pub fn get_status(fd: i32) -> Result<i32> {
    linux::calls::descriptor::get_status(fd).run().or_throw()
}

/// fcntl(2) with F_SETFL.
#[napi]
pub fn set_status(fd: i32, flags: i32) -> Result<()> {
    linux::calls::descriptor::set_status(fd, flags).run().or_throw()
}

/// pipe2(2).
#[napi]
pub fn pipe(flags: i32) -> Result<Vec<i32>> {
    linux::calls::descriptor::pipe(flags).run().or_throw().map(Vec::from)
}

/// socketpair(2).
#[napi]
pub fn socketpair(domain: i32, kind: i32) -> Result<Vec<i32>> {
    linux::calls::descriptor::socketpair(domain, kind).run().or_throw().map(Vec::from)
}

/// read(2) or pread64(2).
#[napi]
pub fn read(fd: i32, length: u32, position: Option<i64>) -> Result<Buffer> {
    linux::calls::descriptor::read(fd, length, position).run_written().or_throw().map(Buffer::from)
}

/// write(2) or pwrite64(2).
#[napi]
pub fn write(fd: i32, data: Uint8Array, position: Option<i64>) -> Result<u32> {
    linux::calls::descriptor::write(fd, &data, position).run().or_throw()
}

/// statx(2): the bytes of its struct.
#[napi]
pub fn statx(at: i32, path: Text, flags: u32, mask: u32) -> Result<Buffer> {
    linux::calls::descriptor::statx(at, bytes(&path), flags, mask).run().or_throw().map(Buffer::from)
}

/// In a batch: fails with ESTALE unless a descriptor is of the file with this device and inode.
#[napi]
pub fn expect_file(fd: i32, major: u32, minor: u32, inode: BigInt, path: Text) -> Result<()> {
    linux::target::expected_file::expect_file(fd, [major, minor], inode.get_u64().1, bytes(&path)).or_throw()
}

/// fstatfs(2): the number that stands for the type of the file system.
#[napi]
pub fn file_system_type(fd: i32) -> Result<i64> {
    linux::calls::descriptor::file_system_type(fd).run().or_throw().map(|number| number as i64)
}

/// chdir(2).
#[napi]
pub fn chdir(path: Text) -> Result<()> {
    linux::calls::descriptor::chdir(bytes(&path)).run().or_throw()
}

/// fchdir(2).
#[napi]
pub fn fchdir(fd: i32) -> Result<()> {
    linux::calls::descriptor::fchdir(fd).run().or_throw()
}

/// chroot(2).
#[napi]
pub fn chroot(path: Text) -> Result<()> {
    linux::calls::descriptor::chroot(bytes(&path)).run().or_throw()
}

/// umask(2), whose answer nobody wants.
#[napi]
pub fn umask(mask: u32) -> Result<()> {
    linux::calls::descriptor::umask(mask).run().or_throw()
}
