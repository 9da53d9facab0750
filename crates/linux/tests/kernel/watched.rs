//! Descriptors that are watched until they are ready.

use crate::channel::PATIENCE;
use nearfar_linux::calls::eventfd::{eventfd, read, read_now, write};
use nearfar_linux::error::{Failure, Refusal};
use nearfar_linux::wait::reactor::next_id;
use nearfar_linux::wait::watched::{Ready, Watched};
use nix::errno::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc;

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made it, for us alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn counter(initial: u32) -> OwnedFd {
    owned(eventfd(initial, libc::EFD_CLOEXEC as u32).near().unwrap())
}

#[test]
fn told_once_for_each_time_it_is_asked() {
    let fd = counter(0);
    let (told, hear) = mpsc::channel();
    let again = Box::new(move || told.send(()).unwrap());
    let watched = Watched::watch(next_id(), fd.try_clone().unwrap(), Ready::Read, again).unwrap();
    assert!(hear.try_recv().is_err());
    for value in 1..4 {
        write(fd.as_raw_fd(), value).near().unwrap();
        hear.recv_timeout(PATIENCE).unwrap();
        assert!(hear.try_recv().is_err(), "once, though nobody has read yet");
        assert_eq!(read(fd.as_raw_fd()).near(), Ok(value));
        watched.again().unwrap();
    }
    drop(watched);
    write(fd.as_raw_fd(), 1).near().unwrap();
    assert!(hear.recv().is_err(), "nobody can tell any more");
}

#[test]
fn room_to_write_is_told_when_the_other_end_has_read() {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors to the array, and both are used by this test alone.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) }, 0);
    let [read_end, write_end] = ends.map(owned);
    let full = vec![0; 1 << 20];
    // SAFETY: both calls get buffers of the length that they are told.
    let written = unsafe { libc::write(write_end.as_raw_fd(), full.as_ptr().cast(), full.len()) };
    assert!(written > 0 && (written as usize) < full.len(), "the pipe is full");
    let (told, hear) = mpsc::channel();
    let tell = Box::new(move || told.send(()).unwrap());
    let watched = Watched::watch(next_id(), write_end.try_clone().unwrap(), Ready::Write, tell).unwrap();
    assert!(hear.try_recv().is_err(), "a full pipe has no room");
    let mut buffer = vec![0_u8; written as usize];
    // SAFETY: the buffer has the length that the call is told.
    assert_eq!(unsafe { libc::read(read_end.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) }, written);
    hear.recv_timeout(PATIENCE).unwrap();
    drop(watched);
}

#[test]
fn another_may_have_the_number_and_the_open_file_of_one_that_was_dropped() {
    let fd = counter(1);
    for _ in 0..3 {
        let (told, hear) = mpsc::channel();
        let tell = Box::new(move || told.send(()).unwrap());
        let watched = Watched::watch(next_id(), fd.try_clone().unwrap(), Ready::Read, tell).unwrap();
        hear.recv_timeout(PATIENCE).unwrap();
        drop(watched);
        // The reactor may have been the last to hold it: then the end is a moment away.
        assert!(hear.recv_timeout(PATIENCE).is_err());
    }
}

#[test]
fn what_epoll_does_not_take_is_an_error_and_is_closed() {
    let file = std::fs::File::open("/proc/self/exe").unwrap().into();
    match Watched::watch(next_id(), file, Ready::Read, Box::new(|| ())) {
        Err(Failure::Refused(Refusal { syscall: "epoll_ctl", errno: Errno::EPERM, .. })) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_read_that_does_not_wait_takes_what_is_there() {
    let fd = counter(5);
    assert_eq!(read_now(fd.as_raw_fd()).near(), Ok(5));
    match read_now(fd.as_raw_fd()).near() {
        Err(Failure::Refused(Refusal { syscall: "preadv2", errno: Errno::EAGAIN, .. })) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_in_a_listener_ends_no_other_wait() {
    let (told, hear) = mpsc::channel();
    let told_first = told.clone();
    let panics = Box::new(move || {
        told_first.send(()).unwrap();
        panic!("on purpose");
    });
    let first = Watched::watch(next_id(), counter(1), Ready::Read, panics).unwrap();
    hear.recv_timeout(PATIENCE).unwrap();
    let second = Watched::watch(next_id(), counter(1), Ready::Read, Box::new(move || told.send(()).unwrap())).unwrap();
    hear.recv_timeout(PATIENCE).unwrap();
    drop((first, second));
}

#[test]
fn what_can_be_read_has_not_changed() {
    let (told, hear) = mpsc::channel();
    let tell = Box::new(move || told.send(()).unwrap());
    let watched = Watched::watch(next_id(), counter(1), Ready::Change, tell).unwrap();
    watched.again().unwrap();
    let (told, read) = mpsc::channel();
    let tell = Box::new(move || told.send(()).unwrap());
    let after = Watched::watch(next_id(), counter(1), Ready::Read, tell).unwrap();
    read.recv_timeout(PATIENCE).unwrap();
    assert!(hear.try_recv().is_err());
    drop((watched, after));
}
