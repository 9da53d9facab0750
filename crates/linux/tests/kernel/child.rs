//! Children: their end is told once, and no sooner than nobody holds them.

use crate::channel::PATIENCE;
use crate::task::{program, Task};
use nearfar_linux::calls::pidfd;
use nearfar_linux::calls::process::{self, ChildState};
use nearfar_linux::task::clone::CloneOptions;
use nearfar_linux::task::exec;
use nearfar_linux::wait::child::{Change, Child, Death, Relations};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::sync::Arc;

/// A program of Rust's standard library, whose wait nobody calls.
fn child(script: &str) -> (Arc<Child>, Receiver<Change>) {
    let pid = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap().id() as i32;
    // SAFETY: the kernel has just made it, for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd::pidfd_open(pid, 0).near().unwrap()) };
    let (told, hear) = mpsc::channel();
    let listener = Box::new(move |change| drop(told.send(change)));
    (Child::new(pid, pidfd, Relations::default(), listener).unwrap(), hear)
}

fn end(hear: &Receiver<Change>) -> (i32, i32) {
    match hear.recv_timeout(PATIENCE).expect("the end is reported") {
        Change::Death(Death { state, .. }) => (state.code, state.status),
        other => panic!("{other:?}"),
    }
}

/// The letter that `/proc` has for a process; `None`: there is no such process.
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn the_end_is_told_once_and_remembered() {
    let (child, hear) = child("exit 7");
    assert_eq!(end(&hear), (libc::CLD_EXITED, 7));
    assert_eq!(state(child.pid()), None);
    let death = child.death().unwrap();
    assert_eq!((death.state.pid, death.usage.len()), (child.pid(), 16));
    assert_eq!(child.poll(libc::WEXITED), Ok(Some(death.state)));
    assert_eq!(child.poll(libc::WSTOPPED), Ok(None));
    assert_eq!(child.signal(libc::SIGKILL), Ok(false));
    assert!(child.pidfd().is_none() && child.has_ended() && child.await_end(0) && !child.hold());
    drop(child);
    assert!(hear.recv().is_err(), "nothing follows, and nobody keeps the child");
}

#[test]
fn signals_kill_with_their_number() {
    for signal in [libc::SIGTERM, libc::SIGKILL, 35] {
        let (child, hear) = child("exec sleep 1000");
        assert_eq!((child.poll(libc::WEXITED), child.has_ended()), (Ok(None), false));
        assert_eq!(child.signal(signal), Ok(true));
        assert_eq!(end(&hear), (libc::CLD_KILLED, signal));
    }
}

#[test]
fn many_that_end_at_once_are_all_told() {
    let children: Vec<_> = (0..40).map(|code| child(&format!("exit {code}"))).collect();
    for (code, (_, hear)) in children.iter().enumerate() {
        assert_eq!(end(hear), (libc::CLD_EXITED, code as i32));
    }
}

/// Waits until it has died, though it is held.
fn until_dead(child: &Arc<Child>) {
    while child.poll(libc::WEXITED | libc::WNOWAIT).unwrap().is_none() {
        std::thread::yield_now();
    }
    assert!(child.has_ended() && !child.await_end(0));
}

#[test]
fn a_held_child_stays_a_zombie() {
    let (child, hear) = child("exec sleep 1000");
    assert!(child.hold() && child.hold());
    child.signal(libc::SIGKILL).unwrap();
    until_dead(&child);
    child.release();
    assert_eq!(child.poll(libc::WEXITED).unwrap().map(|state| state.code), Some(libc::CLD_KILLED));
    assert_eq!((state(child.pid()), child.death()), (Some('Z'), None));
    assert!(hear.try_recv().is_err());
    child.release();
    assert_eq!(end(&hear), (libc::CLD_KILLED, libc::SIGKILL));
    assert_eq!(state(child.pid()), None);
}

#[test]
fn a_child_that_was_held_while_it_lived_is_reaped_as_ever() {
    let (child, hear) = child("exec sleep 1000");
    assert!(child.hold());
    child.release();
    child.signal(libc::SIGKILL).unwrap();
    assert_eq!(end(&hear), (libc::CLD_KILLED, libc::SIGKILL));
}

#[test]
fn stops_are_told_to_who_asks() {
    let (child, hear) = child("exec sleep 1000");
    child.signal(libc::SIGSTOP).unwrap();
    child.watch_stops().unwrap();
    child.watch_stops().unwrap();
    let next = || match hear.recv_timeout(PATIENCE).unwrap() {
        Change::State(ChildState { code, status, pid, .. }) => (code, status, pid),
        other => panic!("{other:?}"),
    };
    assert_eq!(next(), (libc::CLD_STOPPED, libc::SIGSTOP, child.pid()));
    child.signal(libc::SIGCONT).unwrap();
    assert_eq!(next(), (libc::CLD_CONTINUED, libc::SIGCONT, child.pid()));
    child.signal(libc::SIGKILL).unwrap();
    assert_eq!(end(&hear), (libc::CLD_KILLED, libc::SIGKILL));
}

#[test]
fn a_child_that_somebody_else_reaps_keeps_its_status() {
    let (child, hear) = child("exec sleep 1000");
    assert!(child.hold());
    child.signal(libc::SIGTERM).unwrap();
    until_dead(&child);
    let pidfd = child.pidfd().unwrap().unwrap();
    let reaped = process::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), libc::WEXITED).near().unwrap();
    assert_eq!(reaped.map(|(state, _)| state.status), Some(libc::SIGTERM));
    child.release();
    assert_eq!(end(&hear), (libc::CLD_KILLED, libc::SIGTERM));
}

#[test]
fn a_child_of_a_task_is_reaped_by_the_task() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let child = task.child(&CloneOptions::default()).unwrap();
    exec::exec(&child.cloned.channel, &program(&["/bin/sh", "-c", "kill -STOP $$; exit 11"])).unwrap();
    let seen = || child.cloned.child.poll(libc::WSTOPPED | libc::WNOWAIT).unwrap();
    while seen().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(seen().map(|state| (state.code, state.status)), Some((libc::CLD_STOPPED, libc::SIGSTOP)));
    assert!(child.cloned.child.watch_stops().is_err());
    child.cloned.child.signal(libc::SIGCONT).unwrap();
    assert_eq!(end(&child.changes), (libc::CLD_EXITED, 11));
    assert_eq!(state(child.pid()), None);
}

#[test]
fn a_child_whose_task_is_gone_is_still_told_of() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let child = task.child(&CloneOptions::default()).unwrap();
    exec::exec(&child.cloned.channel, &program(&["/bin/sh", "-c", "exec sleep 1000"])).unwrap();
    task.cloned.child.signal(libc::SIGKILL).unwrap();
    assert_eq!(task.death().state.status, libc::SIGKILL);
    child.cloned.child.signal(libc::SIGTERM).unwrap();
    // Whoever adopted it may not reap: then the zombie tells.
    assert_eq!(end(&child.changes), (libc::CLD_KILLED, libc::SIGTERM));
}
