//! The clone step: one sequence runs in two processes, and each of them replies.

use crate::raw::{reloc, step, Raw};
use crate::stub::{channel, fcntl, getppid, prlimit64, Stub};
use nearfar_linux::wire::{self, Policy};
use nix::sys::wait::WaitStatus;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// Returns a sequence that clones. The pidfd, an `int` at offset 88, comes back with the parent's reply. Parent and child run
/// two steps each.
fn cloning(flags: u64) -> Raw {
    let mut blob = vec![0; 96];
    blob[..8].copy_from_slice(&(flags | libc::CLONE_PIDFD as u64).to_ne_bytes());
    let clone = [(wire::BLOB, 0), (wire::NUMBER, 88), (wire::FD, 0), (wire::NUMBER, 3), (wire::NUMBER, 0)];
    let steps = vec![
        step(wire::CLONE, &clone),
        step(wire::ATTACH, &[(wire::LOAD, 88), (wire::NUMBER, 1)]),
        step(getppid(), &[]),
        step(getppid(), &[]),
        step(fcntl(), &[(wire::CHANNEL, 0), (wire::NUMBER, libc::F_GETFD as u64)]),
    ];
    Raw::new(steps, blob, vec![reloc(8, 0, wire::BLOB, 88, 8)])
}

fn clone(stub: &Stub, raw: &Raw) -> (Stub, Vec<OwnedFd>) {
    let (near, far) = channel();
    let parent = stub.ask(raw, &[far.as_raw_fd()]);
    drop(far);
    assert_eq!((parent.header.status, parent.header.done), (0, 3));
    assert!(parent.results[0] > 0 && parent.fds.len() == 1);
    let child = Stub::cloned(parent.results[0], near);
    let answer = child.receive();
    assert_eq!((answer.header.status, answer.header.done), (0, 5));
    assert_eq!(answer.results[0], wire::CHANNEL_FD as i64);
    assert_eq!(answer.results[4], i64::from(libc::FD_CLOEXEC));
    assert!(answer.fds.is_empty());
    // With CLONE_PARENT, stub and child are both children of the test.
    let parent_of_both = i64::from(std::process::id());
    assert_eq!((parent.results[2], answer.results[3]), (parent_of_both, parent_of_both));
    (child, parent.fds)
}

fn open_descriptors(stub: &Stub) -> Vec<String> {
    let folder = std::fs::read_dir(format!("/proc/{}/fd", stub.pid)).unwrap();
    let mut names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn parent_and_child_reply_and_serve_on() {
    // With clone(2), and with clone3(2), which alone knows this flag.
    for more in [0, CLONE_CLEAR_SIGHAND] {
        let stub = Stub::start();
        let (child, pidfd) = clone(&stub, &cloning(libc::CLONE_PARENT as u64 | more));
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd[0].as_raw_fd())).unwrap();
        assert!(info.contains(&format!("Pid:\t{}\n", child.pid)), "{info}");
        child.works();
        stub.works();
        assert_eq!(open_descriptors(&stub), ["0", "1", "2", "3"]);
        assert_eq!(open_descriptors(&child), ["0", "1", "2", "63"]);
        // The child clones too, and its own channel ends before that of its clone.
        let (grandchild, _pidfd) = clone(&child, &cloning(libc::CLONE_PARENT as u64 | more));
        let pid = child.pid;
        assert_eq!(child.end(), WaitStatus::Exited(pid, 0));
        grandchild.works();
        stub.works();
    }
}

fn limit_descriptors(stub: &Stub, limit: u64) {
    let limit = [limit; 2].map(u64::to_ne_bytes).concat();
    let args = [(wire::NUMBER, 0), (wire::NUMBER, libc::RLIMIT_NOFILE as u64), (wire::BLOB, 0), (wire::NUMBER, 0)];
    stub.ask(&Raw::new(vec![step(prlimit64(), &args)], limit, vec![]), &[]);
}

#[test]
fn the_channel_gets_the_first_number_after_stdio_where_the_limit_is_low() {
    let stub = Stub::start();
    limit_descriptors(&stub, 8);
    let (near, far) = channel();
    let answer = stub.ask(&cloning(libc::CLONE_PARENT as u64), &[far.as_raw_fd()]);
    drop(far);
    let child = Stub::cloned(answer.results[0], near);
    assert_eq!(child.receive().results[0], 3);
    child.works();
    assert_eq!(open_descriptors(&child), ["0", "1", "2", "3"]);
    stub.works();
}

#[test]
fn a_clone_that_fails_leaves_one_process() {
    let stub = Stub::start();
    let null = File::open("/dev/null").unwrap();
    // The kernel refuses CLONE_THREAD without CLONE_SIGHAND.
    let mut raw = cloning(libc::CLONE_THREAD as u64);
    let failed = [-i64::from(libc::EINVAL), 0, 0, 0, 0];
    assert_eq!(stub.ask(&raw, &[null.as_raw_fd()]).summary(), (0, 1, &failed[..]));
    // Also when the sequence goes on after the failure, the parent runs the parent's steps alone.
    raw.steps[0].policy = Policy::GoOn as u8;
    raw.steps[1] = step(getppid(), &[]);
    let parent = i64::from(std::process::id());
    let answer = stub.ask(&raw, &[null.as_raw_fd()]);
    assert_eq!(answer.summary(), (0, 3, &[failed[0], parent, parent, 0, 0][..]));
    stub.works();
}
