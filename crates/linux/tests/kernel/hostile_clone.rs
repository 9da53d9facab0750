//! Replies to a clone that name a process which the cloner has not cloned.

use crate::alone::{alone, alone_after, new_pid_namespace};
use crate::channel::PATIENCE;
use crate::forbid::forbid;
use crate::hostile::reply_to;
use crate::task::{end, Task};
use nearfar_linux::calls::{credentials, pidfd};
use nearfar_linux::error::{Failure, Result};
use nearfar_linux::task::clone::{self, CloneOptions, Cloned};
use nearfar_linux::task::transfer;
use nearfar_linux::wire;
use nix::sys::socket::{recv, sendmsg, ControlMessage, MsgFlags};
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc;

/// Has a task clone, and replies in its place with the pid 4711 and this descriptor. No task is cloned, and the channel
/// that the task would have got is closed. Returns the failure of the clone.
fn cloned_as(cloner: &Task, fd: &impl AsRawFd) -> Failure {
    let channel = &cloner.cloned.channel;
    let end = transfer::get(channel, channel.far_fd().unwrap()).unwrap();
    cloner.cloned.child.signal(libc::SIGSTOP).unwrap();
    // A task that has not stopped yet would receive the message itself.
    while cloner.cloned.child.poll(libc::WSTOPPED | libc::WNOWAIT).unwrap().is_none() {
        std::thread::yield_now();
    }
    let (sender, receiver) = mpsc::channel();
    let done = move |cloned: Result<Cloned>| sender.send(cloned.map(drop)).unwrap();
    clone::clone_from(channel, &CloneOptions::default(), Box::new(|_| {}), Box::new(done)).unwrap();
    let mut message = vec![0; wire::INLINE];
    let length = recv(end.as_raw_fd(), &mut message, MsgFlags::empty()).unwrap();
    let (bytes, fds) = (reply_to(&message[..length], 4711).bytes(), [fd.as_raw_fd()]);
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg::<()>(end.as_raw_fd(), &[IoSlice::new(&bytes)], &rights, MsgFlags::MSG_NOSIGNAL, None).unwrap();
    receiver.recv_timeout(PATIENCE).unwrap().unwrap_err()
}

#[test]
fn a_new_task_is_a_child_of_the_task_that_has_cloned_it() {
    only_children_are_accepted();
}

#[test]
fn before_linux_6_13_proc_shows_whether_a_new_task_is_a_child_of_its_cloner() {
    alone("hostile_clone::before_linux_6_13_proc_shows_whether_a_new_task_is_a_child_of_its_cloner", || {
        forbid(libc::SYS_ioctl, libc::ENOTTY, &[]);
        only_children_are_accepted();
    });
}

#[test]
#[ignore = "needs root: an ordinary user makes no pid namespace in a process with several threads"]
fn before_linux_6_13_the_proc_of_an_outer_pid_namespace_shows_it_too() {
    alone_after(
        "hostile_clone::before_linux_6_13_the_proc_of_an_outer_pid_namespace_shows_it_too",
        new_pid_namespace,
        || {
            assert_eq!(std::process::id(), 1);
            forbid(libc::SYS_ioctl, libc::ENOTTY, &[]);
            only_children_are_accepted();
        },
    );
}

fn only_children_are_accepted() {
    let this = pidfd::pidfd_open(std::process::id() as i32, 0).near().unwrap();
    // SAFETY: the kernel has just made this descriptor, and nothing else knows its number.
    let this = unsafe { OwnedFd::from_raw_fd(this) };
    let stranger = Task::clone(&CloneOptions::default()).unwrap();
    let pidfd_of = |task: &Task| task.cloned.child.pidfd().unwrap().unwrap();
    for forged in [this, pidfd_of(&stranger), File::open("/dev/null").unwrap().into()] {
        let cloner = Task::clone(&CloneOptions::default()).unwrap();
        let failure = cloned_as(&cloner, &forged);
        assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
        assert_eq!(end(&cloner.death()), (libc::CLD_KILLED, libc::SIGKILL));
    }
    assert_eq!(stranger.call(credentials::getppid()), Ok(std::process::id()));
    let cloner = Task::clone(&CloneOptions::default()).unwrap();
    let failure = cloned_as(&cloner, &pidfd_of(&cloner));
    assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
    // A child of the cloner is accepted. Its new channel has ended already.
    let cloner = Task::clone(&CloneOptions::default()).unwrap();
    let child = cloner.child(&CloneOptions::default()).unwrap();
    assert_eq!(cloned_as(&cloner, &pidfd_of(&child)), Failure::Gone);
}
