//! What takes several calls on a mount that is known by its descriptor.

use crate::call::Call;
use crate::calls::descriptor::{close, fchdir, openat};
use crate::calls::mount::{move_mount, pivot_root, umount};
use crate::error::{refused, Failure, Result};
use crate::sequence::list::Sequence;
use crate::target::{run_all, Target, CURRENT};
use crate::task::channel::Channel;
use crate::task::transfer;
use nix::errno::Errno;
use std::sync::Arc;

const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
const DETACH: u32 = libc::MNT_DETACH as u32;

/// Makes a mount the root of the mount namespace, and unmounts the former root. The mount is attached on `/` for that, so that it
/// needs no directory.
pub fn enter_root(mount: i32) -> Result<()> {
    run_all(vec![
        move_mount(mount, b"", libc::AT_FDCWD, b"/", MOVE_MOUNT_F_EMPTY_PATH),
        fchdir(mount),
        pivot_root(b".", b"."),
        umount(b".", DETACH), // the former root lies on top of the new one
    ])
    .map(|_| ())
}

/// Unmounts a mount lazily, with everything that lies below it and on it. A mount that is attached nowhere is no failure.
pub fn unmount(mount: i32) -> Result<()> {
    let path = format!("/proc/self/fd/{mount}").into_bytes();
    CURRENT.with_borrow_mut(|target| match target {
        Target::Near => until_gone(|| umount(&path, DETACH).near()),
        Target::Far(channel) => match until_gone(|| channel.call(umount(&path, DETACH))) {
            // The task sees no procfs. Only a directory can be reached in another way.
            Err(failure) if has_errno(&failure, Errno::ENOENT) => {
                match until_gone(|| unmount_from_inside(channel, mount)) {
                    Err(inside) if has_errno(&inside, Errno::ENOTDIR) => Err(failure),
                    unmounted => unmounted,
                }
            }
            unmounted => unmounted,
        },
        Target::Batch(batch) if mount >= 0 => batch.push(umount(&path, DETACH).tolerating(Errno::EINVAL)),
        Target::Batch(batch) => {
            // The descriptor has no number yet, and so no path.
            let before = batch.push(here())?;
            batch.push(fchdir(mount))?;
            batch.push(umount(b".", DETACH).tolerating(Errno::EINVAL))?;
            batch.push(fchdir(before))?;
            batch.push(close(before))
        }
    })
}

/// Unmounts one mount after the other, until the kernel finds no mount any more.
fn until_gone(mut unmount: impl FnMut() -> Result<()>) -> Result<()> {
    loop {
        match unmount() {
            Ok(()) => {}
            Err(failure) if has_errno(&failure, Errno::EINVAL) => return Ok(()),
            Err(failure) => return Err(failure),
        }
    }
}

fn has_errno(failure: &Failure, errno: Errno) -> bool {
    matches!(failure, Failure::Refused(refusal) if refusal.errno == errno)
}

/// Unmounts what lies topmost on a directory: the task makes it its working directory, and then goes back to the former one.
fn unmount_from_inside(task: &Arc<Channel>, directory: i32) -> Result<()> {
    let mut sequence = Sequence::default();
    let before = sequence.push(here())?;
    sequence.step(fchdir(directory));
    let unmounted = sequence.step(umount(b".", DETACH).go_on());
    sequence.step(fchdir(before));
    sequence.step(close(before));
    let (reply, _) = task.run(&sequence, &[])?;
    if let Some(failure) = sequence.failure(&reply, 0) {
        transfer::close_all(task, &sequence.made(&reply), || {});
        return Err(failure.without_step());
    }
    reply.errno(unmounted).map_or(Ok(()), |errno| Err(refused("umount2", errno)))
}

/// Opens the working directory.
fn here() -> Call<i32> {
    openat(libc::AT_FDCWD, b".", libc::O_PATH | libc::O_CLOEXEC, 0)
}
