//! Sequences without a mistake: arguments of every kind, policies, expectations, length and end.

use crate::raw::{go_on, reloc, step, Answer, Raw};
use crate::stub::{close, exit_group, fcntl, getppid, kill_process, pipe2, write, Stub};
use nearfar_linux::wire::{self, Header, Policy, Step};
use nix::sys::memfd::{memfd_create, MFdFlags};
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::pipe;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

pub const BAD: i64 = -(libc::EBADF as i64);

pub fn get_flags(kind: u8, value: u64) -> Step {
    step(fcntl(), &[(kind, value), (wire::NUMBER, libc::F_GETFD as u64)])
}

pub fn write_blob(fd: (u8, u64), at: u64, length: u64) -> Step {
    step(write(), &[fd, (wire::BLOB, at), (wire::NUMBER, length)])
}

#[test]
fn arguments_of_every_kind_become_what_they_stand_for() {
    let stub = Stub::start();
    let (read, write) = pipe().unwrap();
    let steps = vec![
        step(getppid(), &[]),
        step(pipe2(), &[(wire::BLOB, 8), (wire::NUMBER, libc::O_CLOEXEC as u64)]),
        write_blob((wire::FD, 0), 16, 8), // the bytes that the relocations of step 2 have written
        write_blob((wire::LOAD, 12), 0, 1),
        get_flags(wire::LOAD, 8),
        get_flags(wire::CHANNEL, 0),
        go_on(get_flags(wire::CHANNEL, 1000)),
        step(close(), &[(wire::CHANNEL, 0u64.wrapping_sub(3))]), // 0
        go_on(get_flags(wire::NUMBER, 0)),
    ];
    let relocs = vec![
        reloc(16, 2, wire::RESULT, 0, 4),
        reloc(20, 2, wire::LOAD, 8, 4),
        reloc(24, 3, wire::FD, 0, 8),
        reloc(32, 3, wire::BLOB, 8, 8),
        reloc(44, 3, wire::CHANNEL, 2, 4),
        reloc(49, 4, wire::BLOB, 0, 4), // the low half of an address, at an offset that is not aligned
    ];
    let answer = stub.ask(&Raw::new(steps, vec![0; 56], relocs), &[write.as_raw_fd()]);
    let parent = i64::from(std::process::id());
    assert_eq!(answer.summary(), (0, 9, &[parent, 0, 8, 1, 1, 0, BAD, 0, BAD][..]));
    let int = |at: usize| u32::from_ne_bytes(answer.out[at..at + 4].try_into().unwrap());
    let word = |at: usize| u64::from_ne_bytes(answer.out[at..at + 8].try_into().unwrap());
    let mut written = [0; 8];
    File::from(read).read_exact(&mut written).unwrap();
    assert_eq!(written, answer.out[16..24]);
    assert_eq!((int(16), int(20)), (std::process::id(), int(8)));
    assert!((4..1000).contains(&word(24)), "a descriptor that came: {}", word(24));
    assert_eq!((int(44), int(49)), (5, word(32) as u32 - 8));
}

#[test]
fn only_the_output_part_comes_back() {
    let stub = Stub::start();
    let mut raw = Raw::new(vec![step(getppid(), &[])], (0..32).collect(), vec![]);
    for out in [0, 1, 8, 13, 32] {
        raw.header.out = out;
        assert_eq!(stub.ask(&raw, &[]).out, raw.blob[..out as usize]);
    }
}

#[test]
fn a_failure_ends_the_sequence_unless_the_step_goes_on() {
    let stub = Stub::start();
    let bad = get_flags(wire::NUMBER, 1000);
    let stopped = stub.ask(&Raw::new(vec![step(getppid(), &[]), bad, step(getppid(), &[])], vec![], vec![]), &[]);
    let parent = i64::from(std::process::id());
    assert_eq!(stopped.summary(), (0, 2, &[parent, BAD, 0][..]));
    let went_on = Raw::new(vec![go_on(bad), go_on(bad), step(getppid(), &[])], vec![], vec![]);
    assert_eq!(stub.ask(&went_on, &[]).summary(), (0, 3, &[BAD, BAD, parent][..]));
    let unknown = stub.ask(&Raw::new(vec![step(100_000, &[])], vec![], vec![]), &[]);
    assert_eq!(unknown.summary(), (0, 1, &[-i64::from(libc::ENOSYS)][..]));
}

fn expect(a: (u8, u64), b: (u8, u64)) -> Step {
    step(wire::EXPECT, &[a, b, (wire::NUMBER, libc::ESRCH as u64)])
}

#[test]
fn equal_numbers_succeed() {
    let stub = Stub::start();
    let parent = u64::from(std::process::id());
    let steps = vec![
        step(getppid(), &[]),
        expect((wire::RESULT, 0), (wire::NUMBER, parent)),
        expect((wire::NUMBER, u64::MAX), (wire::NUMBER, u64::MAX)),
        expect((wire::LOAD, 0), (wire::NUMBER, 7)),
        expect((wire::BLOB, 8), (wire::BLOB, 8)),
        expect((wire::RESULT, 1), (wire::NUMBER, 0)),
    ];
    let answer = stub.ask(&Raw::new(steps, 7u64.to_ne_bytes().repeat(2), vec![]), &[]);
    assert_eq!(answer.summary(), (0, 6, &[parent as i64, 0, 0, 0, 0, 0][..]));
}

#[test]
fn unequal_numbers_fail_with_the_error_of_the_step() {
    let stub = Stub::start();
    let parent = i64::from(std::process::id());
    for (a, b) in [(0, 1), (1, 0), (1, 1 | 1 << 32), (0, u64::MAX)] {
        let unequal = expect((wire::NUMBER, a), (wire::NUMBER, b));
        let stopped = stub.ask(&Raw::new(vec![unequal, step(getppid(), &[])], vec![], vec![]), &[]);
        assert_eq!(stopped.summary(), (0, 1, &[-i64::from(libc::ESRCH), 0][..]), "{a} and {b}");
        let went_on = stub.ask(&Raw::new(vec![go_on(unequal), step(getppid(), &[])], vec![], vec![]), &[]);
        assert_eq!(went_on.summary(), (0, 2, &[-i64::from(libc::ESRCH), parent][..]), "{a} and {b}");
    }
    for errno in [1, 4095] {
        let args = [(wire::NUMBER, 0), (wire::NUMBER, 1), (wire::NUMBER, errno)];
        let answer = stub.ask(&Raw::new(vec![step(wire::EXPECT, &args)], vec![], vec![]), &[]);
        assert_eq!(answer.summary(), (0, 1, &[-(errno as i64)][..]));
    }
}

#[test]
fn a_search_goes_on_after_the_errors_that_execvp_passes_over() {
    let stub = Stub::start();
    let parent = i64::from(std::process::id());
    for errno in 1..200i64 {
        let args = [(wire::NUMBER, 0), (wire::NUMBER, 1), (wire::NUMBER, errno as u64)];
        let fails = Step { policy: Policy::Search as u8, ..step(wire::EXPECT, &args) };
        let answer = stub.ask(&Raw::new(vec![fails, step(getppid(), &[])], vec![], vec![]), &[]);
        let went_on = wire::ELSEWHERE.contains(&errno);
        let expected = if went_on { (0, 2, [-errno, parent]) } else { (0, 1, [-errno, 0]) };
        assert_eq!(answer.summary(), (expected.0, expected.1, &expected.2[..]));
    }
}

#[test]
fn a_sequence_of_a_mebibyte_runs_in_its_memfd() {
    const LONG: usize = 1 << 20;
    let stub = Stub::start();
    let blob: Vec<u8> = (0..LONG).map(|at| (at % 251) as u8).collect();
    let target = File::from(memfd_create("target", MFdFlags::MFD_CLOEXEC).unwrap());
    let steps = vec![write_blob((wire::FD, 0), 0, LONG as u64), step(getppid(), &[])];
    let mut raw = Raw::new(steps, blob.clone(), vec![reloc(LONG as u32 - 4, 0, wire::NUMBER, 1234, 4)]);
    raw.header.flags = wire::LARGE;
    for _ in 0..3 {
        let bytes = raw.bytes();
        let memfd = File::from(memfd_create("sequence", MFdFlags::MFD_CLOEXEC).unwrap());
        memfd.write_all_at(&bytes, 0).unwrap();
        stub.send(&bytes[..size_of::<Header>()], &[target.as_raw_fd(), memfd.as_raw_fd()]);
        let (mut message, fds) = stub.receive_bytes();
        assert_eq!((message.len(), fds.len()), (size_of::<Header>(), 0));
        let mut rest = vec![0; bytes.len() - message.len()];
        memfd.read_exact_at(&mut rest, message.len() as u64).unwrap();
        message.extend_from_slice(&rest);
        let answer = Answer::parse(&message, fds);
        assert_eq!(answer.summary(), (0, 2, &[LONG as i64, i64::from(std::process::id())][..]));
        assert_eq!(answer.out[LONG - 4..LONG], 1234u32.to_ne_bytes());
    }
    let mut written = vec![0; 3 * LONG];
    target.read_exact_at(&mut written, 0).unwrap();
    assert!(written[..LONG - 4] == blob[..LONG - 4] && written[2 * LONG..3 * LONG - 4] == blob[..LONG - 4]);
    stub.assert_memfds_are_unmapped();
}

#[test]
fn the_end_of_the_channel_is_the_end_of_the_stub() {
    let stub = Stub::start();
    stub.works();
    let pid = stub.pid;
    assert_eq!(stub.end(), WaitStatus::Exited(pid, 0));
}

#[test]
fn a_stub_that_ends_in_the_middle_closes_its_channel() {
    for (nr, args) in [
        (exit_group(), vec![(wire::NUMBER, 7)]),
        (kill_process(), vec![(wire::NUMBER, 0), (wire::NUMBER, Signal::SIGKILL as u64)]),
    ] {
        let stub = Stub::start();
        let mut args = args;
        if nr == kill_process() {
            args[0].1 = stub.pid.as_raw() as u64;
        }
        stub.send(&Raw::new(vec![step(nr, &args)], vec![], vec![]).bytes(), &[]);
        assert_eq!(stub.receive_bytes().0, b"");
    }
}
