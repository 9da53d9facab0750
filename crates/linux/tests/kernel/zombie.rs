//! The wait status of a process that has ended and was not reaped.

use nearfar_linux::calls::pidfd;
use nearfar_linux::calls::process;
use nearfar_linux::wait::zombie;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command};

/// Starts a shell, and opens a pidfd of it.
fn shell(script: &str) -> (Child, OwnedFd) {
    let child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
    let number = pidfd::pidfd_open(child.id() as i32, 0).near().unwrap();
    // SAFETY: the kernel has just made this descriptor, and nothing else knows its number.
    (child, unsafe { OwnedFd::from_raw_fd(number) })
}

/// Waits for the end of a shell without reaping the process, and returns what `/proc` shows then.
fn status_after(script: &str) -> Option<i32> {
    let (mut child, pidfd) = shell(script);
    process::waitid(libc::P_PIDFD, pidfd.as_raw_fd(), libc::WEXITED | libc::WNOWAIT).near().unwrap();
    let status = zombie::wait_status(pidfd.as_raw_fd());
    child.wait().unwrap();
    assert_eq!(zombie::wait_status(pidfd.as_raw_fd()), None, "nothing is shown of a process that was reaped");
    status
}

#[test]
fn an_exit_code_and_a_signal_are_shown() {
    assert_eq!(status_after("exit 7"), Some(7 << 8));
    assert_eq!(status_after("kill -TERM $$"), Some(libc::SIGTERM));
}

#[test]
fn the_name_of_the_process_may_be_any_bytes() {
    assert_eq!(status_after("printf 'a) R 1 \\377' > /proc/$$/comm; exit 5"), Some(5 << 8));
}

#[test]
fn a_running_process_has_no_status() {
    let (mut child, pidfd) = shell("exec sleep 1000");
    assert_eq!(zombie::wait_status(pidfd.as_raw_fd()), None);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_number_that_is_no_pidfd_has_no_status() {
    let file = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(zombie::wait_status(file.as_raw_fd()), None);
    assert_eq!(zombie::wait_status(-1), None);
}
