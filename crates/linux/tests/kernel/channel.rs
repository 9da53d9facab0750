//! The channel: the order of calls and jobs, its end, and sequences that do not fit in one message.

use crate::alone::alone;
use crate::stub::start_on;
use nearfar_linux::call::Call;
use nearfar_linux::calls::{credentials, descriptor, process};
use nearfar_linux::error::{Failure, Result};
use nearfar_linux::sequence::list::Sequence;
use nearfar_linux::task::channel::{Channel, Ran};
use nearfar_linux::task::transfer;
use nix::sys::signal::{kill, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{pipe, Pid};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::{mpsc, Arc};
use std::time::Duration;

/// How long a test waits at most: longer than any step takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A stub on a `Channel`.
struct Far {
    channel: Arc<Channel>,
    pid: Pid,
}

impl Far {
    fn start() -> Self {
        let (channel, end) = Channel::pair().unwrap();
        Far { channel, pid: start_on(&end) }
    }

    fn submit(&self, sequence: Sequence, sender: &mpsc::Sender<Result<Ran>>) {
        let sender = sender.clone();
        self.channel.submit(sequence, Vec::new(), Box::new(move |ran| sender.send(ran).unwrap()));
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}

fn one<T>(call: Call<T>) -> Sequence {
    let mut sequence = Sequence::default();
    sequence.step(call);
    sequence
}

#[test]
fn a_call_waits_for_the_jobs_before_it() {
    const JOBS: u8 = 100;
    let far = Far::start();
    let (read, write) = pipe().unwrap();
    let there = transfer::put(&far.channel, write.as_raw_fd(), None, true).unwrap();
    let (sender, receiver) = mpsc::channel();
    for job in 0..JOBS {
        far.submit(one(descriptor::write(there, &[job], None)), &sender);
    }
    assert_eq!(far.channel.call(descriptor::write(there, &[JOBS], None)), Ok(1));
    drop(write);
    far.channel.call(descriptor::close(there)).unwrap();
    let mut written = Vec::new();
    File::from(read).read_to_end(&mut written).unwrap();
    assert_eq!(written, (0..=JOBS).collect::<Vec<u8>>());
    for _ in 0..JOBS {
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().unwrap().reply.result(0), Some(1));
    }
}

#[test]
fn calls_of_many_threads_get_their_own_answers() {
    let far = Far::start();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (far, (sender, receiver)) = (&far, mpsc::channel());
            scope.spawn(move || {
                for round in 0..200 {
                    let path = format!("/nothing/{thread}/{round}");
                    let call = || descriptor::openat(libc::AT_FDCWD, path.as_bytes(), 0, 0);
                    far.submit(one(descriptor::dup(0, thread * 100, true)), &sender);
                    let Err(Failure::Refused(refusal)) = far.channel.call(call()) else {
                        panic!("the path does not exist")
                    };
                    assert_eq!(refusal.path.as_deref(), Some(path.as_bytes()));
                    let made = receiver.recv_timeout(PATIENCE).unwrap().unwrap().reply.result(0).unwrap() as i32;
                    assert!(made >= thread * 100);
                    far.channel.call(descriptor::close(made)).unwrap();
                }
            });
        }
    });
}

#[test]
fn all_calls_and_jobs_fail_when_the_task_is_gone() {
    let far = Far::start();
    let (sender, receiver) = mpsc::channel();
    assert!(!far.channel.is_hung_up());
    far.submit(one(process::exit_group(3)), &sender);
    for _ in 0..5 {
        far.submit(one(credentials::getpid()), &sender);
    }
    assert_eq!(far.channel.call(credentials::getpid()), Err(Failure::Gone));
    assert!(far.channel.is_hung_up());
    for _ in 0..6 {
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().unwrap_err(), Failure::Gone);
    }
    far.submit(one(credentials::getpid()), &sender);
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().unwrap_err(), Failure::Gone);
    assert_eq!(far.channel.far_fd(), Err(Failure::Gone));
    assert_eq!(transfer::put(&far.channel, 0, None, true), Err(Failure::Gone));
}

#[test]
fn a_task_that_dies_during_a_call_ends_the_call() {
    let far = Far::start();
    let (read, _write) = pipe().unwrap();
    let there = transfer::put(&far.channel, read.as_raw_fd(), None, true).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| far.channel.call(descriptor::read(there, 1, None)));
        kill(far.pid, Signal::SIGKILL).unwrap();
        assert_eq!(waiting.join().unwrap(), Err(Failure::Gone));
    });
}

#[test]
fn sequences_and_replies_over_64_kib_arrive_whole() {
    const LONG: usize = (1 << 20) + 12_345;
    let far = Far::start();
    let bytes: Vec<u8> = (0..LONG).map(|at| (at % 253) as u8).collect();
    let memfd = Call::new("memfd_create", libc::SYS_memfd_create).string(b"far").number(0).descriptor();
    let file = far.channel.call(memfd).unwrap();
    assert_eq!(far.channel.call(descriptor::write(file, &bytes, Some(0))), Ok(LONG as u32));
    assert!(far.channel.call(descriptor::read(file, LONG as u32, Some(0))).unwrap() == bytes);
    // Lengths around the limit between a message and a memfd.
    for length in (1 << 16) - 120..=1 << 16 {
        assert_eq!(far.channel.call(descriptor::read(file, length, Some(0))).unwrap(), bytes[..length as usize]);
    }
    let (sender, receiver) = mpsc::channel();
    for _ in 0..3 {
        far.submit(one(descriptor::read(file, LONG as u32, Some(0))), &sender);
        far.submit(one(descriptor::write(file, &bytes, None)), &sender);
    }
    for _ in 0..3 {
        let ran = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
        assert!(ran.reply.answer(0).unwrap().out[..LONG] == bytes);
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().unwrap().reply.result(0), Some(LONG as i64));
    }
    assert_eq!(far.channel.call(credentials::getppid()), Ok(std::process::id()));
}

#[test]
fn a_job_that_exits_the_task_fails_as_gone() {
    let far = Far::start();
    let (sender, receiver) = mpsc::channel();
    far.submit(one(process::exit_group(5)), &sender);
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().unwrap_err(), Failure::Gone);
    assert_eq!(far.channel.call(credentials::getpid()), Err(Failure::Gone));
    assert_eq!(waitpid(far.pid, None), Ok(nix::sys::wait::WaitStatus::Exited(far.pid, 5)));
}

#[test]
fn a_panic_in_the_callback_of_a_job_ends_no_other_job() {
    let far = Far::start();
    let (sender, receiver) = mpsc::channel();
    far.channel.submit(one(credentials::getpid()), Vec::new(), Box::new(|_| panic!("on purpose")));
    far.submit(one(credentials::getppid()), &sender);
    let ran = receiver.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(ran.reply.result(0), Some(i64::from(std::process::id())));
    // The failures of jobs that cannot be sent are reported one after the other.
    far.submit(one(process::exit_group(0)), &sender);
    far.channel.submit(one(credentials::getpid()), Vec::new(), Box::new(|_| panic!("on purpose")));
    far.submit(one(credentials::getpid()), &sender);
    for _ in 0..2 {
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap().unwrap_err(), Failure::Gone);
    }
}

#[test]
fn the_file_of_a_long_message_gets_no_number_of_stdio() {
    alone("channel::the_file_of_a_long_message_gets_no_number_of_stdio", || {
        let (channel, _task) = Channel::pair().unwrap();
        nix::unistd::close(0).unwrap();
        let mut sequence = Sequence::default();
        sequence.step(descriptor::write(1, &[0; 100_000], None));
        channel.submit(sequence, Vec::new(), Box::new(|_| {}));
        // A task that another thread clones now inherits descriptor 0.
        assert!(!std::path::Path::new("/proc/self/fd/0").exists());
    });
}
