//! Mounts: mount(2) and umount2(2), pivot_root(2), and the calls on mounts by descriptor.

use crate::call::{words, Arg, Call};
use std::mem::offset_of;

const OPEN_TREE_ATTR: i64 = 467; // on every architecture; libc does not name it

/// `mount(source, target, fstype, flags, data)`.
pub fn mount(source: Option<&[u8]>, target: &[u8], kind: Option<&[u8]>, flags: u64, data: Option<&[u8]>) -> Call<()> {
    let call = Call::new("mount", libc::SYS_mount);
    match source {
        Some(source) => call.path(source),
        None => call.number(0),
    }
    .path(target)
    .string_or_null(kind)
    .number(flags)
    .string_or_null(data)
    .mounts()
}

/// `mount(NULL, ".", NULL, MS_REC | MS_SLAVE, data)`: from now on nothing that happens below the working directory reaches other
/// mount namespaces. The kernel does not use `data`, but fails with EFAULT if `data` is neither 0 nor an address.
pub(crate) fn make_here_slave(data: Arg) -> Call<()> {
    let call = Call::new("mount", libc::SYS_mount).number(0).path(b".").number(0);
    call.number(libc::MS_REC | libc::MS_SLAVE).arg(data)
}

/// `mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND, NULL)`: takes the attributes of the mount away whose root is the working directory.
/// EINVAL: the mount is not in the mount namespace any more.
pub(crate) fn change_here() -> Call<()> {
    let call = Call::new("mount", libc::SYS_mount).number(0).path(b".").number(0);
    call.number(libc::MS_REMOUNT | libc::MS_BIND).number(0)
}

/// `umount2(target, flags)`.
pub fn umount(target: &[u8], flags: u32) -> Call<()> {
    Call::new("umount2", libc::SYS_umount2).path(target).number(flags)
}

/// `pivot_root(new_root, put_old)`.
pub fn pivot_root(new_root: &[u8], put_old: &[u8]) -> Call<()> {
    Call::new("pivot_root", libc::SYS_pivot_root).path(new_root).path(put_old)
}

/// `open_tree(dirfd, path, flags)`. Linux 5.2.
pub fn open_tree(at: i32, path: &[u8], flags: u32) -> Call<i32> {
    Call::new("open_tree", libc::SYS_open_tree).fd(at).path(path).named_number(flags).descriptor()
}

/// `move_mount(from_dirfd, from_path, to_dirfd, to_path, flags)`. Linux 5.2.
pub fn move_mount(from: i32, from_path: &[u8], to: i32, to_path: &[u8], flags: u32) -> Call<()> {
    Call::new("move_mount", libc::SYS_move_mount).fd(from).path(from_path).fd(to).path(to_path).number(flags)
}

/// `mount_setattr(dirfd, path, flags, &attr, 32)`; `userns` is the descriptor that MOUNT_ATTR_IDMAP needs. Linux 5.12.
pub fn mount_setattr(
    at: i32,
    path: &[u8],
    flags: u32,
    set: u64,
    clear: u64,
    propagation: u64,
    userns: Option<i32>,
) -> Call<()> {
    let call = Call::new("mount_setattr", libc::SYS_mount_setattr).fd(at).path(path).number(flags);
    with_attributes(call, set, clear, propagation, userns)
}

/// `open_tree_attr(dirfd, path, flags, &attr, 32)`: as [`open_tree`], with attributes as of [`mount_setattr`]. Linux 6.15.
pub fn open_tree_attr(
    at: i32,
    path: &[u8],
    flags: u32,
    set: u64,
    clear: u64,
    propagation: u64,
    userns: Option<i32>,
) -> Call<i32> {
    let call = Call::new("open_tree_attr", OPEN_TREE_ATTR).fd(at).path(path).named_number(flags);
    with_attributes(call, set, clear, propagation, userns).descriptor()
}

/// Adds `struct mount_attr` and its size.
fn with_attributes(call: Call<()>, set: u64, clear: u64, propagation: u64, userns: Option<i32>) -> Call<()> {
    let attr: [u8; size_of::<libc::mount_attr>()] = words(&[
        (offset_of!(libc::mount_attr, attr_set), set),
        (offset_of!(libc::mount_attr, attr_clr), clear),
        (offset_of!(libc::mount_attr, propagation), propagation),
    ]);
    let call = call.input(&attr);
    match userns {
        Some(fd) => call.holding_fd(offset_of!(libc::mount_attr, userns_fd) as u32, 8, fd),
        None => call,
    }
    .number(attr.len() as u64)
}
