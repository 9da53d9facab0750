//! Sequences as the crate writes them, and replies as it reads them.

use crate::raw::{reloc, step, Answer, Raw};
use nearfar_linux::call::{Arg, Call, SLOT};
use nearfar_linux::calls::{credentials, descriptor};
use nearfar_linux::error::{Failure, Refusal};
use nearfar_linux::sequence::list::Sequence;
use nearfar_linux::wire::{self, Policy};
use nix::errno::Errno;

fn encoded(sequence: &Sequence) -> Vec<u8> {
    let mut bytes = vec![1, 2, 3]; // the rest of an earlier message
    assert_eq!(sequence.encode(&mut bytes).unwrap().length, sequence.reply_length());
    bytes
}

/// Returns a reply with these results, as a stub would write it.
fn reply(sequence: &Sequence, done: u32, results: &[i64], out: &[u8]) -> Vec<u8> {
    let mut raw = Raw::new(results.iter().map(|_| step(0, &[])).collect(), out.to_vec(), vec![]);
    assert_eq!(raw.steps.len(), sequence.len());
    for (step, result) in raw.steps.iter_mut().zip(results) {
        step.result = *result;
    }
    raw.header.done = done;
    raw.bytes()
}

#[test]
fn a_sequence_is_written_as_the_wire_says() {
    let mut sequence = Sequence::default();
    assert!(sequence.is_empty());
    let [read, write] = sequence.push(descriptor::pipe(7)).unwrap();
    let open = sequence.push(descriptor::openat(libc::AT_FDCWD, b"/a", 1, 2)).unwrap();
    assert_eq!([read, write, open], [SLOT, SLOT - 1, SLOT - 2]);
    sequence.push(descriptor::dup3(open, 9, 0)).unwrap();
    sequence.push(descriptor::close(write)).unwrap();
    sequence.step(descriptor::close_range(Arg::Channel(1), Arg::Passed(0), 0).go_on());
    let call = Call::new("x", 1).input(&[5; 16]).holding_fd(4, 4, read).holding(8, 8, Arg::Out(0)).reserve(3);
    sequence.step(call.strings(&[b"b".to_vec()]));
    let number = |number| (wire::NUMBER, number);
    let mut steps = vec![
        step(libc::SYS_pipe2 as u64, &[(wire::BLOB, 0), number(7)]),
        step(libc::SYS_openat as u64, &[number(-100i64 as u64), (wire::BLOB, 16), number(1), number(2)]),
        step(libc::SYS_dup3 as u64, &[(wire::RESULT, 1), number(9)]),
        step(libc::SYS_close as u64, &[(wire::LOAD, 4)]),
        step(libc::SYS_close_range as u64, &[(wire::CHANNEL, 1), (wire::FD, 0)]),
        step(1, &[(wire::BLOB, 24), (wire::BLOB, 48)]),
    ];
    steps[2].takes = 2;
    steps[4].policy = Policy::GoOn as u8;
    let blob = [&[0; 16][..], b"/a\0\0\0\0\0\0", &[5; 16], b"b\0\0\0\0\0\0\0", &[0; 16]].concat();
    let relocs = vec![reloc(28, 5, wire::LOAD, 0, 4), reloc(32, 5, wire::BLOB, 8, 8), reloc(48, 5, wire::BLOB, 40, 8)];
    let mut expected = Raw::new(steps, blob, relocs);
    expected.header.out = 16;
    assert_eq!(encoded(&sequence), expected.bytes());
    assert_eq!(Answer::parse(&encoded(&sequence)[..sequence.reply_length()], vec![]).out.len(), 16);
}

#[test]
fn the_reply_says_what_was_made() {
    let mut sequence = Sequence::default();
    sequence.push(descriptor::pipe(0)).unwrap();
    sequence.push(descriptor::openat(libc::AT_FDCWD, b"/a", 0, 0)).unwrap();
    let pair = [30i32, 40].map(i32::to_ne_bytes).concat();
    let whole = sequence.decode(&reply(&sequence, 2, &[0, 50], &pair)).unwrap();
    assert_eq!(sequence.made(&whole), [30, 40, 50]);
    assert_eq!(sequence.failure(&whole, 0), None);
    assert_eq!(whole.answer(0).unwrap().out[..8], pair);
    let part = sequence.decode(&reply(&sequence, 2, &[0, -2], &pair)).unwrap();
    assert_eq!(sequence.made(&part), [30, 40, -1]);
    let (errno, path) = (Errno::ENOENT, Some(b"/a".to_vec()));
    let refusal = Refusal {
        syscall: "openat",
        errno,
        nameless: None,
        path,
        dest: None,
        step: Some(1),
        words: None,
        detail: None,
    };
    assert_eq!(sequence.failure(&part, 0), Some(Failure::Refused(refusal)));
    assert_eq!(sequence.failure(&part, 2), None);
    let none = sequence.decode(&reply(&sequence, 1, &[-24, 99], &pair)).unwrap();
    assert_eq!((sequence.made(&none), none.result(1), none.errno(0)), (vec![-1, -1, -1], None, Some(Errno::EMFILE)));
    assert!(none.answer(0).is_none());
}

#[test]
fn a_failure_of_a_step_that_goes_on_is_none() {
    let mut sequence = Sequence::default();
    sequence.step(descriptor::close(1000).go_on());
    let replied = sequence.decode(&reply(&sequence, 1, &[-9], &[])).unwrap();
    assert_eq!((sequence.failure(&replied, 0), replied.errno(0)), (None, Some(Errno::EBADF)));
}

#[test]
fn a_call_whose_result_is_a_value_cannot_be_collected() {
    let mut sequence = Sequence::default();
    assert_eq!(sequence.push(credentials::getuid()).unwrap_err(), Failure::Batch("getuid", None));
    assert!(sequence.is_empty());
}

#[test]
fn a_reply_that_does_not_fit_is_noticed() {
    let mut sequence = Sequence::default();
    sequence.push(descriptor::pipe(0)).unwrap();
    let good = reply(&sequence, 1, &[0], &[0; 8]);
    for length in 0..good.len() {
        assert!(matches!(sequence.decode(&good[..length]), Err(Failure::Broken(_))), "{length} bytes");
    }
    assert!(matches!(sequence.decode(&reply(&sequence, 2, &[0], &[0; 8])), Err(Failure::Broken(_))));
    let mut refused = Raw::new(vec![], vec![], vec![]);
    refused.header.status = -libc::EPROTO;
    let Err(Failure::Refused(refusal)) = sequence.decode(&refused.bytes()) else { panic!("not refused") };
    assert_eq!((refusal.syscall, refusal.errno), ("recvmsg", Errno::EPROTO));
}

#[test]
fn near_a_sequence_does_what_a_task_would() {
    let mut sequence = Sequence::default();
    let [read, write] = sequence.push(descriptor::pipe(libc::O_CLOEXEC)).unwrap();
    sequence.step(descriptor::write(write, b"abc", None));
    sequence.push(descriptor::close(write)).unwrap();
    sequence.push(descriptor::dup(read, 500, true)).unwrap();
    let (made, failure) = sequence.near();
    assert_eq!(failure, None);
    let [read, closed, copy] = made[..] else { panic!("{made:?}") };
    assert!(closed == -1 && copy >= 500);
    assert_eq!(descriptor::read(copy, 10, None).near().unwrap(), b"abc");
    for fd in [read, copy] {
        descriptor::close(fd).near().unwrap();
    }
    let mut sequence = Sequence::default();
    let first = sequence.push(descriptor::pipe(libc::O_CLOEXEC)).unwrap()[0];
    sequence.push(descriptor::dup(first, 700, true)).unwrap();
    sequence.push(descriptor::openat(libc::AT_FDCWD, b"/nothing/here", 0, 0)).unwrap();
    let (made, failure) = sequence.near();
    assert_eq!(made, [-1; 4]);
    assert!(matches!(failure, Some(Failure::Refused(refusal)) if refusal.step == Some(2)));
    assert!(descriptor::get_flags(700).near().is_err(), "what was made is closed");
}

/// Pushes two writes between two calls of other kinds, and returns the write end of the pipe.
fn two_writes(second: &[u8]) -> (Sequence, i32) {
    let mut sequence = Sequence::default();
    let write = sequence.push(descriptor::pipe(libc::O_CLOEXEC | libc::O_NONBLOCK)).unwrap()[1];
    assert_eq!(sequence.push(descriptor::write(write, b"abc", None)), Ok(3));
    assert_eq!(sequence.push(descriptor::write(write, second, None)), Ok(second.len() as u32));
    sequence.push(descriptor::dup(write, 900, true)).unwrap();
    (sequence, write)
}

#[test]
fn a_write_of_less_than_all_bytes_ends_a_sequence() {
    let (sequence, _) = two_writes(b"defg");
    let length = sequence.len();
    assert_eq!((length, sequence.decode(&reply(&sequence, 6, &[0, 3, 0, 4, 0, 900], &[0; 8])).is_ok()), (6, true));
    let short = sequence.decode(&reply(&sequence, 5, &[0, 3, 0, 2, -5, 0], &[0; 8])).unwrap();
    let Some(Failure::Refused(refusal)) = sequence.failure(&short, 0) else { panic!("not refused") };
    assert_eq!((refusal.syscall, refusal.errno, refusal.step), ("write", Errno::EIO, Some(2)));
    assert_eq!(refusal.words.as_deref(), Some("short write"));
    let refused = sequence.decode(&reply(&sequence, 4, &[0, 3, 0, -32, 0, 0], &[0; 8])).unwrap();
    let Some(Failure::Refused(refusal)) = sequence.failure(&refused, 0) else { panic!("not refused") };
    assert_eq!((refusal.errno, refusal.step, refusal.words), (Errno::EPIPE, Some(2), None));
}

#[test]
fn near_a_write_of_less_than_all_bytes_ends_a_sequence() {
    let (made, failure) = two_writes(b"defg").0.near();
    assert_eq!(failure, None);
    assert_eq!(descriptor::read(made[0], 10, None).near().unwrap(), b"abcdefg");
    for fd in made {
        descriptor::close(fd).near().unwrap();
    }
    let (made, failure) = two_writes(&[1; 1 << 20]).0.near();
    assert_eq!(made, [-1; 3]);
    let Some(Failure::Refused(refusal)) = failure else { panic!("not refused") };
    assert_eq!((refusal.syscall, refusal.errno, refusal.step), ("write", Errno::EIO, Some(2)));
    assert!(descriptor::get_flags(900).near().is_err(), "no step has run after the short write");
}

#[test]
fn a_step_that_closes_or_takes_a_number_ends_the_earlier_descriptor() {
    let open = || descriptor::openat(libc::AT_FDCWD, b"/", libc::O_RDONLY | libc::O_CLOEXEC, 0);
    let range = |first, last, flags| descriptor::close_range(Arg::Number(first), Arg::Number(last), flags);
    let mut sequence = Sequence::default();
    sequence.push(open()).unwrap();
    let second = sequence.push(open()).unwrap();
    sequence.push(range(5, u32::MAX as u64, libc::CLOSE_RANGE_CLOEXEC)).unwrap();
    sequence.push(range(6, u32::MAX as u64, 0)).unwrap();
    sequence.push(open()).unwrap();
    sequence.push(descriptor::close(second)).unwrap();
    sequence.push(open()).unwrap();
    let made = |results: &[i64]| {
        // The step after these has failed, if there is one and none of these has.
        let failed = if results.len() < 7 && results.iter().all(|result| *result >= 0) { &[-9][..] } else { &[] };
        let ran = [results, failed].concat();
        let padded = [&ran[..], &vec![0; 7 - ran.len()]].concat();
        let replied = sequence.decode(&reply(&sequence, ran.len() as u32, &padded, &[])).unwrap();
        sequence.made(&replied)
    };
    assert_eq!(made(&[5, 6]), [5, 6, -1, -1]);
    assert_eq!(made(&[5, 6, 0]), [5, 6, -1, -1]);
    assert_eq!(made(&[5, 6, 0, 0]), [5, -1, -1, -1]);
    assert_eq!(made(&[5, 6, 0, -9]), [5, 6, -1, -1]);
    assert_eq!(made(&[5, 6, 0, 0, 6]), [5, -1, 6, -1]);
    assert_eq!(made(&[5, 6, 0, 0, 6, 0, 7]), [5, -1, 6, 7]);
    let mut sequence = Sequence::default();
    sequence.push(open()).unwrap();
    let second = sequence.push(open()).unwrap();
    sequence.push(descriptor::dup3(second, 5, 0)).unwrap();
    let replied = sequence.decode(&reply(&sequence, 3, &[5, 6, 5], &[])).unwrap();
    assert_eq!(sequence.made(&replied), [-1, 6, 5]);
}

#[test]
fn near_a_closed_range_is_not_closed_again() {
    let mut sequence = Sequence::default();
    let first = sequence.push(descriptor::openat(libc::AT_FDCWD, b"/", libc::O_CLOEXEC, 0)).unwrap();
    sequence.push(descriptor::dup3(first, 800, libc::O_CLOEXEC)).unwrap();
    sequence.push(descriptor::dup3(first, 801, libc::O_CLOEXEC)).unwrap();
    sequence.push(descriptor::close_range(Arg::Number(801), Arg::Number(801), 0)).unwrap();
    sequence.push(descriptor::dup3(first, 800, libc::O_CLOEXEC)).unwrap();
    let (made, failure) = sequence.near();
    assert_eq!(failure, None);
    assert_eq!(made[1..], [-1, -1, 800]);
    for fd in [made[0], 800] {
        descriptor::close(fd).near().unwrap();
    }
}
