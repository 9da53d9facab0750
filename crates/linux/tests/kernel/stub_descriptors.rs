//! Descriptors that come with a message and go back with the reply.

use crate::raw::{go_on, step, taking, Raw};
use crate::stub::{close, dup3, getppid, pipe2, Stub};
use crate::stub_runs::{get_flags, write_blob, BAD};
use nearfar_linux::wire::{self, Step};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

fn attach(fd: (u8, u64), close: u64) -> Step {
    step(wire::ATTACH, &[fd, (wire::NUMBER, close)])
}

#[test]
fn attached_descriptors_come_back_and_are_closed_if_asked() {
    let stub = Stub::start();
    let steps = vec![
        step(pipe2(), &[(wire::BLOB, 0), (wire::NUMBER, 0)]),
        attach((wire::LOAD, 0), 1),
        attach((wire::LOAD, 4), 0),
        attach((wire::FD, 0), 0),
    ];
    let null = File::open("/dev/null").unwrap();
    let answer = stub.ask(&Raw::new(steps, vec![0; 8], vec![]), &[null.as_raw_fd()]);
    assert_eq!(answer.summary(), (0, 4, &[0, 0, 0, 0][..]));
    let mut files = answer.fds.into_iter().map(File::from);
    let [mut read, write, back] = std::array::from_fn(|_| files.next().unwrap());
    assert_eq!(back.metadata().unwrap().rdev(), null.metadata().unwrap().rdev());
    let far: [u64; 2] = [0, 4].map(|at| u32::from_ne_bytes(answer.out[at..at + 4].try_into().unwrap()).into());
    // In the stub, the first end was closed after the reply, the second is open, and the received descriptor is closed.
    let steps = [far[0], far[1], far[1] + 1, far[1] + 2].map(|fd| go_on(get_flags(wire::NUMBER, fd)));
    assert_eq!(stub.ask(&Raw::new(steps.to_vec(), vec![], vec![]), &[]).results, [BAD, 0, BAD, BAD]);
    let steps = vec![write_blob((wire::NUMBER, far[1]), 0, 3), step(close(), &[(wire::NUMBER, far[1])])];
    assert_eq!(stub.ask(&Raw::new(steps, b"hello...".to_vec(), vec![]), &[]).results, [3, 0]);
    drop(write);
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hel");
}

#[test]
fn a_received_descriptor_makes_way_for_a_step_that_takes_its_number() {
    let files = ["/dev/null", "/dev/zero"].map(|path| File::open(path).unwrap());
    let fds = files.each_ref().map(|file| file.as_raw_fd());
    for takes in [2, 0] {
        let stub = Stub::start();
        // The two descriptors are received as 4 and 5. The second one takes the place of the first.
        let flags = (wire::NUMBER, libc::O_CLOEXEC as u64);
        let steps = vec![
            taking(step(dup3(), &[(wire::FD, 1), (wire::NUMBER, 4), flags]), takes),
            attach((wire::FD, 0), 0),
            attach((wire::NUMBER, 4), 0),
        ];
        let answer = stub.ask(&Raw::new(steps, vec![], vec![]), &fds);
        assert_eq!(answer.summary(), (0, 3, &[4, 0, 0][..]));
        let [first, placed] = [0, 1].map(|index| {
            let file = File::from(answer.fds[index].try_clone().unwrap());
            file.metadata().unwrap().rdev()
        });
        let [null, zero] = files.each_ref().map(|file| file.metadata().unwrap().rdev());
        // A step that does not say what it takes loses the first descriptor, and after the reply its own.
        assert_eq!([first, placed], [if takes == 0 { zero } else { null }, zero]);
        let steps = [4, 5, 6, 7].map(|fd| go_on(get_flags(wire::NUMBER, fd)));
        let kept = if takes == 0 { BAD } else { i64::from(libc::FD_CLOEXEC) };
        assert_eq!(stub.ask(&Raw::new(steps.to_vec(), vec![], vec![]), &[]).results, [kept, BAD, BAD, BAD]);
    }
}

#[test]
fn a_taken_number_that_nothing_was_received_under_changes_nothing() {
    let stub = Stub::start();
    let null = File::open("/dev/null").unwrap();
    for number in [0, 3, 9, u64::MAX] {
        let taken = taking(step(getppid(), &[(wire::NUMBER, number)]), 1);
        let steps = vec![taken, get_flags(wire::FD, 0), get_flags(wire::NUMBER, 0), get_flags(wire::CHANNEL, 0)];
        let answer = stub.ask(&Raw::new(steps, vec![], vec![]), &[null.as_raw_fd()]);
        assert_eq!(answer.summary(), (0, 4, &[i64::from(std::process::id()), 1, 0, 0][..]), "{number}");
    }
    stub.works();
}

#[test]
fn a_descriptor_that_is_closed_cannot_come_back() {
    let stub = Stub::start();
    for fd in [1000, u64::MAX, 0x7fff_ffff, 0xffff_ffff] {
        let answer = stub.ask(&Raw::new(vec![attach((wire::NUMBER, fd), 1)], vec![], vec![]), &[]);
        assert_eq!((answer.summary(), answer.fds.len()), ((0, 1, &[BAD][..]), 0));
    }
    stub.works();
}

#[test]
fn as_many_descriptors_come_back_as_fit_a_message() {
    let stub = Stub::start();
    let steps = vec![go_on(attach((wire::FD, 0), 0)); wire::DESCRIPTORS + 1];
    let answer = stub.ask(&Raw::new(steps, vec![], vec![]), &[File::open("/dev/null").unwrap().as_raw_fd()]);
    assert_eq!(answer.fds.len(), wire::DESCRIPTORS);
    assert_eq!(answer.results[wire::DESCRIPTORS], -i64::from(libc::EMFILE));
    stub.works();
}
