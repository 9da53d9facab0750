//! Functions that take several calls on a mount which the caller knows by its descriptor.
//!
//! Functions that are called in several places are not inlined: with a copy of each the addon would be 1 % larger.

use crate::call::{Arg, Call};
use crate::calls::descriptor::{close, fchdir, file_system_type_at, openat, statx};
use crate::calls::mount::{change_here, make_here_slave, mount, move_mount, pivot_root, umount};
use crate::calls::stub::expect;
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::target::{Target, CURRENT};
use crate::task::channel::Channel;
use crate::task::transfer;
use nix::errno::Errno;
use std::sync::Arc;

const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
const DETACH: u32 = libc::MNT_DETACH as u32;
/// How many mounts may lie on a mount that is unmounted in one message. A message cannot repeat a step until the kernel refuses it.
const MOST_ON_MOUNT: usize = 7;
/// The result with which the kernel refuses to unmount or to change a mount that is attached nowhere.
const GONE: u64 = -(libc::EINVAL as i64) as u64;
const PROC: &[u8] = b"/proc";
const FDS: &[u8] = b"/proc/self/fd/";
const PROC_SUPER_MAGIC: u64 = libc::PROC_SUPER_MAGIC as u64;

/// Makes a mount the root of the mount namespace, and unmounts the former root. The mount is attached on `/` for that, so that it
/// needs no directory. Near, the call is refused.
pub fn enter_root(mount: i32) -> Result<()> {
    CURRENT.with_borrow_mut(|target| match target {
        Target::Near | Target::EveryThread(_) => Err(Failure::Multithreaded("pivot_root", None)),
        Target::Far(channel) => {
            let mut sequence = Sequence::default();
            add_enter_root(&mut sequence, mount)?;
            run(channel, &sequence)
        }
        Target::Thread(thread) => {
            let mut sequence = Sequence::default();
            add_enter_root(&mut sequence, mount)?;
            thread.run(move || sequence.near().1.map_or(Ok(()), |failure| Err(failure.without_step())))
        }
        Target::Batch(batch) => batch.push_steps("pivot_root", |sequence| add_enter_root(sequence, mount)),
    })
}

/// Adds the steps of [`enter_root`]. When the kernel refuses pivot_root(2), the mount does not stay on `/`.
#[inline(never)]
fn add_enter_root(sequence: &mut Sequence, mount: i32) -> Result<()> {
    // Both fail if the task may not search the directory, before anything has changed: fchdir(2) cannot fail later.
    let before = sequence.push(open_directory(b"."))?;
    sequence.aside(|sequence| {
        let old = sequence.push(open_directory(b"/."))?;
        sequence.step(statx(mount, b".", 0, 0));
        sequence.step(move_mount(mount, b"", libc::AT_FDCWD, b"/", MOVE_MOUNT_F_EMPTY_PATH));
        sequence.step(fchdir(mount));
        let pivoted = Arg::Result(sequence.step(pivot_root(b".", b".").go_on()) as u32);
        sequence.step(fchdir(old));
        // Mounts below the former root may be peers of mounts of other namespaces, which would be unmounted along with them. After a
        // refused pivot_root(2) the result is no address, and this call does nothing: the former root is still in use.
        sequence.step(make_here_slave(pivoted).go_on());
        // Takes away what lies topmost here. After a refused pivot_root(2) that is the mount itself. Otherwise it is the former root,
        // or what was mounted on the former root.
        sequence.step(detach(b"."));
        sequence.step(fchdir(before));
        sequence.step(expect("pivot_root", pivoted, Arg::Number(0), Errno::EINVAL));
        // Takes away the rest of what was mounted on the former root, and then the former root. As long as one of these mounts stays,
        // the path "/.." leads to it.
        sequence.step(fchdir(old));
        for _ in 0..MOST_ON_MOUNT {
            sequence.step(detach(b".").go_on());
        }
        let changed = Arg::Result(sequence.step(change_here().go_on()) as u32);
        sequence.step(fchdir(mount));
        sequence.step(expect("umount2", changed, Arg::Number(GONE), Errno::EBUSY).about(b"/.."));
        sequence.step(close(old));
        sequence.step(close(before));
        Ok(())
    })
}

/// Unmounts a mount lazily, with everything that lies below it and on it. A mount that is attached nowhere is no failure. `near` says that
/// the target is this process, or a batch of this process.
#[inline(never)]
pub fn unmount(mount: i32, near: bool) -> Result<()> {
    CURRENT.with_borrow_mut(|target| match target {
        Target::Near | Target::EveryThread(_) => unmount_near(mount),
        Target::Thread(thread) => thread.run(move || unmount_near(mount)),
        Target::Far(channel) => match until_gone(|| unmount_through_proc(channel, mount)) {
            // The task sees no procfs. Only a directory can be reached in another way.
            Err(failure) if failure.has_errno(Errno::ENOENT) => {
                match until_gone(|| unmount_from_inside(channel, mount)) {
                    Err(inside) if inside.has_errno(Errno::ENOTDIR) => Err(failure),
                    unmounted => unmounted,
                }
            }
            unmounted => unmounted,
        },
        Target::Batch(batch) => batch.push_steps("umount2", |sequence| add_unmount(sequence, mount, near)),
    })
}

/// Adds the steps of [`unmount`] in a batch. The last step fails with EBUSY if the mount is still attached then.
#[inline(never)]
fn add_unmount(sequence: &mut Sequence, mount: i32, near: bool) -> Result<()> {
    if mount >= 0 || near {
        let path = if mount >= 0 { path_of(mount) } else { FDS.to_vec() };
        let found = sequence.step(file_system_type_at(PROC).go_on());
        sequence.aside(|sequence| {
            sequence.step(expect_proc(found, &path));
            let last = add_detaches(sequence, || if mount >= 0 { detach(&path) } else { detach(b"").path_of(mount) });
            sequence.step(expect("umount2", last, Arg::Number(GONE), Errno::EBUSY).about(&path))
        });
        return Ok(());
    }
    // The descriptor has no number yet, and so no path. Near, other threads of this process would see the other working directory.
    let before = sequence.push(open_directory(b"."))?;
    sequence.aside(|sequence| {
        sequence.step(fchdir(mount));
        let last = add_detaches(sequence, || detach(b"."));
        sequence.step(fchdir(before));
        sequence.step(close(before));
        sequence.step(expect("umount2", last, Arg::Number(GONE), Errno::EBUSY))
    });
    Ok(())
}

/// Adds steps that unmount a mount and what lies on it, and one step more. Returns the result of this last step: [`GONE`] if no mount
/// is left.
fn add_detaches(sequence: &mut Sequence, detach: impl Fn() -> Call<()>) -> Arg {
    for _ in 0..=MOST_ON_MOUNT {
        sequence.step(detach().go_on());
    }
    Arg::Result(sequence.step(detach().go_on()) as u32)
}

/// The root of a container can have anything at `/proc`, such as a link in the place of `self/fd/3`. So the task looks whether `/proc`
/// is a procfs before each call that goes through it. Without this look the task could unmount another mount, or none. In a procfs, `self` is the
/// task that looks it up. Mounts inside of the procfs are not looked for: to make one takes the privilege to unmount as well.
#[inline(never)]
fn expect_proc(found: usize, path: &[u8]) -> Call<()> {
    let found = Arg::Written(found as u32);
    expect("umount2", found, Arg::Number(PROC_SUPER_MAGIC), Errno::ENOENT).about(path)
}

/// Refuses a mount(2) whose text names descriptors below `/proc/self/fd`, where `/proc` of the current target is no procfs. Without
/// this look the call could take other directories, which the root of a container has there.
pub fn require_proc(target: &[u8]) -> Result<()> {
    match file_system_type_at(PROC).run()? {
        PROC_SUPER_MAGIC => Ok(()),
        _ => Err(mount(None, target, None, 0, None).request.refusal(libc::ENOENT, None)),
    }
}

fn unmount_near(mount: i32) -> Result<()> {
    let path = path_of(mount);
    if file_system_type_at(PROC).near().ok() != Some(PROC_SUPER_MAGIC) {
        return Err(detach(&path).request.refusal(libc::ENOENT, None));
    }
    until_gone(|| detach(&path).near())
}

fn path_of(mount: i32) -> Vec<u8> {
    format!("/proc/self/fd/{mount}").into_bytes()
}

/// Unmounts one mount after the other, until the kernel finds no mount any more.
fn until_gone(mut unmount: impl FnMut() -> Result<()>) -> Result<()> {
    loop {
        match unmount() {
            Ok(()) => {}
            Err(failure) if failure.has_errno(Errno::EINVAL) => return Ok(()),
            Err(failure) => return Err(failure),
        }
    }
}

/// Unmounts what lies topmost on a mount, and then what lies topmost by then.
fn unmount_through_proc(task: &Arc<Channel>, mount: i32) -> Result<()> {
    let path = path_of(mount);
    let mut sequence = Sequence::default();
    let found = sequence.step(file_system_type_at(PROC).go_on());
    sequence.step(expect_proc(found, &path));
    sequence.step(detach(&path));
    sequence.step(detach(&path));
    run(task, &sequence)
}

/// Unmounts what lies topmost on a directory: the task makes it its working directory, and then goes back to the former one.
fn unmount_from_inside(task: &Arc<Channel>, directory: i32) -> Result<()> {
    let mut sequence = Sequence::default();
    let before = sequence.push(open_directory(b"."))?;
    sequence.step(fchdir(directory));
    let unmounted = Arg::Result(sequence.step(detach(b".").go_on()) as u32);
    sequence.step(fchdir(before));
    sequence.step(close(before));
    sequence.step(expect("umount2", unmounted, Arg::Number(0), Errno::EINVAL));
    run(task, &sequence)
}

/// Runs steps in a task that are one call to the caller of nearfar.
#[inline(never)]
fn run(task: &Arc<Channel>, sequence: &Sequence) -> Result<()> {
    let (reply, _) = task.run(sequence, &[])?;
    match sequence.failure(&reply, 0) {
        Some(failure) => {
            transfer::close_all(task, &sequence.made(&reply), || {});
            Err(failure.without_step())
        }
        None => Ok(()),
    }
}

#[inline(never)]
fn open_directory(path: &[u8]) -> Call<i32> {
    openat(libc::AT_FDCWD, path, libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC, 0)
}

#[inline(never)]
fn detach(path: &[u8]) -> Call<()> {
    umount(path, DETACH)
}
