//! Descriptors: opening, reading, writing, copying, closing.

use crate::call::{words, Arg, Call};
use crate::wire;
use std::mem::offset_of;

/// `openat2(dirfd, path, &how, 24)`. Linux 5.6.
pub fn openat2(at: i32, path: &[u8], flags: u64, mode: u64, resolve: u64) -> Call<i32> {
    let how: [u8; size_of::<libc::open_how>()] = words(&[
        (offset_of!(libc::open_how, flags), flags),
        (offset_of!(libc::open_how, mode), mode),
        (offset_of!(libc::open_how, resolve), resolve),
    ]);
    Call::new("openat2", libc::SYS_openat2).fd(at).path(path).input(&how).number(how.len() as u64).descriptor()
}

/// `openat(dirfd, path, flags, mode)`.
pub fn openat(at: i32, path: &[u8], flags: i32, mode: u32) -> Call<i32> {
    Call::new("openat", libc::SYS_openat).fd(at).path(path).number(flags).number(mode).descriptor()
}

/// `fstatfs(fd, &buffer)`: the number that stands for the type of the file system.
pub fn file_system_type(fd: i32) -> Call<u64> {
    let call = Call::new("fstatfs", libc::SYS_fstatfs).fd(fd).output(size_of::<libc::statfs>());
    call.value(|answer| answer.u64(0))
}

/// `statfs(path, &buffer)`: the number that stands for the type of the file system.
pub(crate) fn file_system_type_at(path: &[u8]) -> Call<u64> {
    let call = Call::new("statfs", libc::SYS_statfs).path(path).output(size_of::<libc::statfs>());
    call.value(|answer| answer.u64(0))
}

/// `close(fd)`.
pub fn close(fd: i32) -> Call<()> {
    Call::new("close", libc::SYS_close).fd(fd).closes()
}

/// `close_range(first, last, flags)`. Linux 5.9, with CLOSE_RANGE_CLOEXEC 5.11.
pub fn close_range(first: Arg, last: Arg, flags: u32) -> Call<()> {
    let range = Call::new("close_range", libc::SYS_close_range).arg(first).arg(last);
    let closes = flags & libc::CLOSE_RANGE_CLOEXEC == 0;
    if closes { range.closes_range() } else { range }.number(flags)
}

/// `dup3(oldfd, newfd, flags)`.
pub fn dup3(fd: i32, to: i32, flags: i32) -> Call<i32> {
    Call::new("dup3", libc::SYS_dup3).fd(fd).number(to).takes_number().number(flags).descriptor()
}

/// `fcntl(fd, F_DUPFD_CLOEXEC or F_DUPFD, min)`.
pub fn dup(fd: i32, min: i32, close_on_exec: bool) -> Call<i32> {
    Call::new("fcntl", libc::SYS_fcntl).fd(fd).number(dup_command(close_on_exec)).number(min).descriptor()
}

/// A copy of a descriptor that goes with the message: `dup3` to `number`, or [`dup`] to the lowest that is free.
pub fn put_passed(index: u32, number: Option<i32>, close_on_exec: bool) -> Call<i32> {
    let passed = Arg::Passed(index);
    match number {
        Some(number) => {
            let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
            Call::new("dup3", libc::SYS_dup3).arg(passed).number(number).takes_number().number(flags).descriptor()
        }
        None => {
            let command = dup_command(close_on_exec);
            Call::new("fcntl", libc::SYS_fcntl).arg(passed).number(command).number(0).descriptor()
        }
    }
}

/// A copy of a descriptor that goes with the message, close-on-exec, with the lowest free number from `min`.
pub fn dup_passed_from(index: u32, min: i32) -> Call<i32> {
    Call::new("fcntl", libc::SYS_fcntl).arg(Arg::Passed(index)).number(libc::F_DUPFD_CLOEXEC).number(min).descriptor()
}

fn dup_command(close_on_exec: bool) -> i32 {
    if close_on_exec {
        libc::F_DUPFD_CLOEXEC
    } else {
        libc::F_DUPFD
    }
}

/// `fcntl(fd, F_GETFD)`.
pub fn get_flags(fd: i32) -> Call<i32> {
    Call::new("fcntl", libc::SYS_fcntl).fd(fd).number(libc::F_GETFD).value(|answer| answer.result as i32)
}

/// `fcntl(fd, F_SETFD, flags)`.
pub fn set_flags(fd: i32, flags: i32) -> Call<()> {
    Call::new("fcntl", libc::SYS_fcntl).fd(fd).number(libc::F_SETFD).number(flags)
}

/// `fcntl(fd, F_GETFL)`.
pub fn get_status(fd: i32) -> Call<i32> {
    Call::new("fcntl", libc::SYS_fcntl).fd(fd).number(libc::F_GETFL).value(|answer| answer.result as i32)
}

/// `fcntl(fd, F_SETFL, flags)`.
pub fn set_status(fd: i32, flags: i32) -> Call<()> {
    Call::new("fcntl", libc::SYS_fcntl).fd(fd).number(libc::F_SETFL).number(flags)
}

/// `ioctl(fd, FIONBIO, &0)`: clears `O_NONBLOCK` and leaves the other flags as they are.
pub(crate) fn let_block(fd: i32) -> Call<()> {
    Call::new("ioctl", libc::SYS_ioctl).fd(fd).number(libc::FIONBIO).input(&[0; 4])
}

/// `pipe2(fds, flags)`.
pub fn pipe(flags: i32) -> Call<[i32; 2]> {
    Call::new("pipe2", libc::SYS_pipe2).output(8).number(flags).pair()
}

/// `socketpair(domain, type, 0, fds)`.
pub fn socketpair(domain: i32, kind: i32) -> Call<[i32; 2]> {
    Call::new("socketpair", libc::SYS_socketpair).number(domain).number(kind).number(0).output(8).pair()
}

/// `read(fd, buffer, length)`, or `pread64` at a position.
pub fn read(fd: i32, length: u32, position: Option<i64>) -> Call<Vec<u8>> {
    let call = match position {
        None => Call::new("read", libc::SYS_read).fd(fd).output_up_to(length as usize).number(length),
        Some(at) => {
            Call::new("pread64", libc::SYS_pread64).fd(fd).output_up_to(length as usize).number(length).number(at)
        }
    };
    call.at_most(length).value(|answer| answer.written())
}

/// The kernel's MAX_RW_COUNT: 2 GiB less a page.
const MOST_WRITTEN: usize = 0x7fff_f000;

/// `write(fd, bytes, length)`, or `pwrite64` at a position. The kernel writes no more than [`MOST_WRITTEN`] bytes, so no others are
/// copied.
pub fn write(fd: i32, bytes: &[u8], position: Option<i64>) -> Call<u32> {
    let bytes = bytes.get(..MOST_WRITTEN).unwrap_or(bytes);
    let length = bytes.len() as u64;
    let call = match position {
        None => Call::new("write", libc::SYS_write).fd(fd).input(bytes).number(length),
        Some(at) => Call::new("pwrite64", libc::SYS_pwrite64).fd(fd).input(bytes).number(length).number(at),
    };
    call.whole(u32::try_from(length).unwrap_or(u32::MAX))
}

/// `sendmsg(channel, &message, MSG_NOSIGNAL)`: sends the notice before execve(2) on the channel of the task itself. A task
/// needs sendmsg(2) for its replies, and so has it even behind a seccomp filter.
pub(crate) fn send_notice() -> Call<()> {
    let bytes = [0; wire::NOTICE];
    // A struct msghdr, the struct iovec that it points at, and the bytes.
    const IOV: u32 = 16;
    const IOVLEN: usize = 24;
    const IOVEC: usize = 56;
    const PAYLOAD: usize = 72;
    let mut input = words::<PAYLOAD>(&[(IOVLEN, 1), (IOVEC + 8, bytes.len() as u64)]).to_vec();
    input.extend_from_slice(&bytes);
    let mut call = Call::new("sendmsg", libc::SYS_sendmsg)
        .arg(Arg::Channel(0))
        .input(&input)
        .holding(IOV, 8, Arg::Input(IOVEC as u32))
        .holding(IOVEC as u32, 8, Arg::Input(PAYLOAD as u32))
        .number(libc::MSG_NOSIGNAL);
    call.request.notice = true;
    call
}

/// `statx(dirfd, path, flags, mask, &statx)`: the bytes of a `struct statx`. Linux 4.11.
pub fn statx(at: i32, path: &[u8], flags: u32, mask: u32) -> Call<Vec<u8>> {
    Call::new("statx", libc::SYS_statx)
        .fd(at)
        .path(path)
        .number(flags)
        .number(mask)
        .output(size_of::<libc::statx>())
        .value(|answer| answer.out.to_vec())
}

/// `chdir(path)`.
pub fn chdir(path: &[u8]) -> Call<()> {
    Call::new("chdir", libc::SYS_chdir).path(path)
}

/// `fchdir(fd)`.
pub fn fchdir(fd: i32) -> Call<()> {
    Call::new("fchdir", libc::SYS_fchdir).fd(fd)
}

/// `chroot(path)`.
pub fn chroot(path: &[u8]) -> Call<()> {
    Call::new("chroot", libc::SYS_chroot).path(path)
}

/// `umask(mask)`. The former mask, which the kernel returns, is left out, so that a batch can collect the call.
pub fn umask(mask: u32) -> Call<()> {
    Call::new("umask", libc::SYS_umask).number(mask)
}
