//! A far end that replies with random mistakes, or with anything at all, to calls, sequences, jobs and clones. Each caller gets
//! an answer or a failure, and no thread panics. NEARFAR_FUZZ_SECONDS sets how long this takes.

use crate::alone::alone;
use crate::channel::PATIENCE;
use crate::hostile::{far_end_with, reply_to, Sent};
use crate::random::Random;
use crate::raw::Raw;
use crate::task::program;
use nearfar_linux::call::Call;
use nearfar_linux::calls::{affinity, caps, credentials, descriptor, eventfd, process, signals};
use nearfar_linux::error::Result;
use nearfar_linux::sequence::list::Sequence;
use nearfar_linux::task::channel::Channel;
use nearfar_linux::task::clone::{self, CloneOptions};
use nearfar_linux::task::{exec, transfer};
use nearfar_linux::wire;
use nix::sys::socket::{send, MsgFlags};
use std::cell::RefCell;
use std::fmt::Debug;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};

/// Replies to a message: with the honest reply, that with a few mistakes, something else, or nothing.
fn replies(random: &mut Random, message: &[u8]) -> Vec<Sent> {
    let mut reply = reply_to(message, 0);
    for step in &mut reply.steps {
        step.result = if random.below(4) == 0 { random.number(64) as i64 } else { random.below(8) as i64 };
    }
    let honest = reply.bytes();
    let attached = reply.steps.iter().filter(|step| step.nr == wire::ATTACH).count();
    for _ in 0..random.below(3) {
        spoil(random, &mut reply);
    }
    let mut bytes = reply.bytes();
    match random.below(12) {
        0 => return Vec::new(),
        1 => bytes.resize(random.below(2 * bytes.len() as u64) as usize + 1, random.next() as u8),
        2 => bytes = (0..random.number(200).min(4096) + 1).map(|_| random.next() as u8).collect(),
        3 => bytes = vec![0; wire::NOTICE],
        _ => {}
    }
    let count = if random.below(8) == 0 { random.below(5) as usize } else { attached };
    let fds = (0..count).map(|_| File::open("/dev/null").unwrap().into()).collect();
    let more = bytes.len() == wire::NOTICE || random.below(4) == 0;
    let first = [(bytes, fds)].into_iter();
    first.chain(more.then(|| (honest, Vec::new()))).collect()
}

fn spoil(random: &mut Random, reply: &mut Raw) {
    let steps = reply.steps.len() as u64;
    match random.below(10) {
        0 => reply.header.version ^= 1 << random.below(32),
        1 => reply.header.steps = random.number(steps) as u32,
        2 => reply.header.out = random.number(reply.blob.len() as u64) as u32,
        3 | 4 => reply.header.done = random.number(steps) as u32,
        5 => reply.header.status = random.number(200) as i32,
        6 => reply.header.serial = random.number(reply.header.serial),
        7 if steps > 0 => {
            let index = random.below(steps) as usize;
            reply.steps[index].result = (random.number(200) as i64).wrapping_neg();
            reply.header.done = index as u32 + 1;
        }
        _ => reply.blob.iter_mut().for_each(|byte| *byte = random.next() as u8),
    }
}

/// How many results were answers, and how many were failures.
static ANSWERS: AtomicU32 = AtomicU32::new(0);
static FAILURES: AtomicU32 = AtomicU32::new(0);

fn count<T: Debug>(result: Result<T>) -> Option<T> {
    let counter = if result.is_ok() { &ANSWERS } else { &FAILURES };
    counter.fetch_add(1, Relaxed);
    result.ok()
}

fn one_call(random: &mut Random, channel: &Arc<Channel>) {
    let length = if random.below(8) == 0 { 100_000 } else { random.below(40) as u32 };
    let most = length as usize;
    match random.below(12) {
        0 => assert!(count(channel.call(descriptor::read(0, length, None))).is_none_or(|read| read.len() <= most)),
        1 => {
            assert!(count(channel.call(descriptor::write(1, &vec![0; most], None))).is_none_or(|wrote| wrote <= length))
        }
        2 => assert!(count(channel.call(affinity::sched_getaffinity(0, length))).is_none_or(|mask| mask.len() <= most)),
        3 => assert!(count(channel.call(credentials::getgroups(length))).is_none_or(|groups| groups.len() <= most)),
        4 => assert!(count(channel.call(descriptor::openat(-100, b"/", 0, 0))).is_none_or(|fd| fd >= 0)),
        5 => assert!(count(channel.call(descriptor::pipe(0))).is_none_or(|fds| fds.iter().all(|fd| *fd >= 0))),
        6 => assert!(count(channel.call(descriptor::statx(-100, b"/", 0, 0))).is_none_or(|statx| statx.len() == 256)),
        7 => drop(count(channel.call(caps::capget(0)))),
        8 => drop(count(channel.call(process::waitid(libc::P_ALL, 0, libc::WEXITED)))),
        9 => drop(count(channel.call(eventfd::read(0)))),
        10 => drop(count(channel.call(signals::get_sigaction(1)))),
        _ => drop(count(channel.call(credentials::getresuid()))),
    }
}

fn sequence(random: &mut Random) -> Sequence {
    let mut sequence = Sequence::default();
    for _ in 0..random.below(6) {
        match random.below(6) {
            0 => drop(sequence.push(descriptor::pipe(0))),
            1 => drop(sequence.push(descriptor::openat(-100, b"/", 0, 0))),
            2 => drop(sequence.push(descriptor::close(random.below(9) as i32))),
            3 => drop(sequence.step(descriptor::read(0, random.below(100) as u32, None).go_on())),
            4 => drop(sequence.step(descriptor::read(0, 70_000, None))),
            _ => drop(sequence.step(Call::new("getppid", libc::SYS_getppid))),
        }
    }
    sequence
}

fn one_round(random: &mut Random, channel: &Arc<Channel>) {
    let options = |random: &mut Random| CloneOptions {
        flags: [0, libc::CLONE_NEWUSER as u64, (libc::CLONE_VM | libc::CLONE_FILES) as u64][random.below(3) as usize],
        ..CloneOptions::default()
    };
    match random.below(9) {
        0 => {
            let sequence = sequence(random);
            if let Some((reply, _)) = count(channel.run(&sequence, &[])) {
                assert!((0..sequence.len()).all(|step| reply.answer(step).is_none_or(|answer| answer.result >= 0)));
                assert!(sequence.made(&reply).iter().all(|fd| *fd >= -1));
                drop(sequence.failure(&reply, 0));
            }
        }
        1 | 2 => {
            let (sender, receiver) = mpsc::channel();
            let jobs = 1 + random.below(3);
            for _ in 0..jobs {
                let sender = sender.clone();
                channel.submit(sequence(random), Vec::new(), Box::new(move |ran| sender.send(ran.map(drop)).unwrap()));
            }
            for _ in 0..jobs {
                count(receiver.recv_timeout(PATIENCE).expect("each job is reported"));
            }
        }
        3 | 4 => {
            let (sender, receiver) = mpsc::channel();
            let done = Box::new(move |cloned: Result<_>| sender.send(cloned.map(drop)).unwrap());
            clone::clone_from(channel, &options(random), Box::new(|_| {}), done).unwrap();
            count(receiver.recv_timeout(PATIENCE).expect("each clone is reported"));
        }
        5 => drop(count(transfer::get(channel, 5))),
        6 => assert!(count(transfer::put(channel, File::open("/dev/null").unwrap().as_raw_fd(), None, true)) >= None),
        7 => drop(count(exec::exec(channel, &program(&["/bin/true"])))),
        _ => {
            // The reply to the start of a task comes without a message before it.
            let (channel, end) = Channel::pair().unwrap();
            let (sequence, mut message) = (sequence(random), Vec::new());
            sequence.encode(&mut message).unwrap();
            for (bytes, _) in replies(random, &message) {
                // EMSGSIZE: no task can send a message that is so long.
                let _ = send(end.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL);
            }
            drop(end);
            channel.expect_start_reply(sequence, 0);
            count(channel.far_fd());
        }
    }
}

fn run_until(end: Instant, random: &mut Random) -> u32 {
    let mut rounds = 0;
    while Instant::now() < end {
        let far = RefCell::new(Random(random.next()));
        let channel = far_end_with(move |message| replies(&mut far.borrow_mut(), message));
        for _ in 0..1 + random.below(3) {
            if random.below(2) == 0 {
                one_call(random, &channel);
            } else {
                one_round(random, &channel);
            }
        }
        rounds += 1;
    }
    rounds
}

/// Returns how many descriptors and threads this process has.
fn held() -> [usize; 2] {
    ["/proc/self/fd", "/proc/self/task"].map(|folder| std::fs::read_dir(folder).unwrap().count())
}

/// Waits until this process has no more descriptors and threads than before. Those of the last far ends and those that are
/// closed on a thread of their own go a moment later.
fn assert_nothing_is_left(before: [usize; 2]) {
    let end = Instant::now() + PATIENCE;
    while held().iter().zip(before).any(|(now, before)| *now > before) {
        assert!(Instant::now() < end, "descriptors and threads: {before:?} before, {:?} afterwards", held());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_far_end_that_sends_anything_harms_no_caller_and_leaves_nothing_behind() {
    alone("hostile_fuzz::a_far_end_that_sends_anything_harms_no_caller_and_leaves_nothing_behind", || {
        let seconds = std::env::var("NEARFAR_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3);
        let mut random = Random(0x6661_7200);
        let fresh = held();
        run_until(Instant::now() + Duration::from_millis(200), &mut random);
        // The reactor stays: a thread, and the descriptor of its epoll.
        let before = fresh.map(|count| count + 1);
        assert_nothing_is_left(before);
        let rounds = run_until(Instant::now() + Duration::from_secs(seconds), &mut random);
        let (answers, failures) = (ANSWERS.load(Relaxed), FAILURES.load(Relaxed));
        let counts = format!("{rounds} rounds, {answers} answers, {failures} failures");
        assert!(answers > rounds / 10 && failures > rounds / 10, "{counts}");
        assert_nothing_is_left(before);
    });
}
