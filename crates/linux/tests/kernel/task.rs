//! Tasks: cloning them with options, and copying descriptors into and out of them.

use crate::channel::PATIENCE;
use nearfar_linux::call::Call;
use nearfar_linux::calls::{credentials, descriptor, namespaces};
use nearfar_linux::error::{Failure, Refusal, Result};
use nearfar_linux::sequence::list::Sequence;
use nearfar_linux::task::channel::{Channel, Ran};
use nearfar_linux::task::clone::{self, CloneOptions, Cloned, OwnMap, Started};
use nearfar_linux::task::exec::Exec;
use nearfar_linux::task::transfer;
use nearfar_linux::wait::child::{Change, Death, Listener};
use nearfar_linux::wire;
use nix::errno::Errno;
use nix::sys::socket::{recv, MsgFlags};
use nix::unistd::{pipe, write};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::mpsc::{self, Receiver};

/// A task, and the state changes that its listener was called with.
pub struct Task {
    pub cloned: Cloned,
    pub changes: Receiver<Change>,
}

impl Task {
    pub fn clone(options: &CloneOptions) -> Result<Self> {
        Self::when_cloned(|listener, done| clone::clone(options, listener, done).map(drop))
    }

    pub fn child(&self, options: &CloneOptions) -> Result<Self> {
        Self::when_cloned(|listener, done| clone::clone_from(&self.cloned.channel, options, listener, done).map(drop))
    }

    fn when_cloned(start: impl FnOnce(Listener, clone::ClonedDone) -> Result<()>) -> Result<Self> {
        let (change, changes) = mpsc::channel();
        let (sender, receiver) = mpsc::channel();
        // The receiver may have been dropped when the task ends.
        let listener = Box::new(move |seen| drop(change.send(seen)));
        start(listener, Box::new(move |cloned| sender.send(cloned).unwrap()))?;
        Ok(Task { cloned: receiver.recv_timeout(PATIENCE).expect("the clone is reported")?, changes })
    }

    pub fn call<T>(&self, call: Call<T>) -> Result<T> {
        self.cloned.channel.call(call)
    }

    pub fn pid(&self) -> i32 {
        self.cloned.child.pid()
    }

    /// Waits for the end, and fails on any other change.
    pub fn death(&self) -> Death {
        match self.changes.recv_timeout(PATIENCE).expect("the end is reported") {
            Change::Death(death) => death,
            other => panic!("{other:?}"),
        }
    }
}

fn open_descriptors(pid: i32) -> Vec<RawFd> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let mut fds: Vec<RawFd> =
        folder.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    fds.sort();
    fds
}

pub fn program(words: &[&str]) -> Exec {
    Exec {
        paths: vec![words[0].into()],
        name: None,
        default_path: false,
        fd: -1,
        argv: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
        envp: b"GREETING=hello\0".to_vec(),
        death_signal: 0,
        parent: 0,
        keep: vec![],
        reset_signals: true,
        task_death_signal: libc::SIGKILL,
        filters: Vec::new(),
    }
}

pub fn refusal(syscall: &'static str, errno: Errno, path: Option<&str>) -> Failure {
    Failure::Refused(Refusal {
        syscall,
        errno,
        nameless: None,
        path: path.map(|path| path.into()),
        dest: None,
        step: None,
        words: None,
        detail: None,
    })
}

pub fn end(death: &Death) -> (i32, i32) {
    (death.state.code, death.state.status)
}

#[test]
fn a_task_is_a_child_of_this_process_and_has_only_stdio_and_its_channel() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
    assert_eq!(task.call(credentials::getpid()), Ok(task.pid() as u32));
    assert_eq!(open_descriptors(task.pid()), [0, 1, 2, task.cloned.channel.far_fd().unwrap()]);
    let other = Task::clone(&CloneOptions::default()).unwrap();
    assert_ne!(other.pid(), task.pid());
    let pid = task.pid();
    task.cloned.child.signal(libc::SIGTERM).unwrap();
    assert_eq!(end(&task.death()), (libc::CLD_KILLED, libc::SIGTERM));
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "the task was reaped");
    assert_eq!(other.call(credentials::getppid()), Ok(std::process::id()));
}

#[test]
fn a_task_cloned_by_a_task_is_the_child_of_that_task() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    transfer::put(&task.cloned.channel, 0, None, true).unwrap();
    let child = task.child(&CloneOptions::default()).unwrap();
    assert_eq!(child.call(credentials::getppid()), Ok(task.pid() as u32));
    assert_eq!(child.call(credentials::getpid()), Ok(child.pid() as u32));
    assert_eq!(open_descriptors(child.pid()), [0, 1, 2, child.cloned.channel.far_fd().unwrap()]);
    child.cloned.child.signal(libc::SIGKILL).unwrap();
    assert_eq!(end(&child.death()), (libc::CLD_KILLED, libc::SIGKILL));
    assert_eq!(task.call(credentials::getpid()), Ok(task.pid() as u32));
}

#[test]
fn a_user_namespace_begins_with_the_map_asked_for() {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    for (map, expected) in [(Some(OwnMap::Root), [0, 0]), (Some(OwnMap::Identity), [uid, gid]), (None, [65534; 2])] {
        let flags = libc::CLONE_NEWUSER as u64 | libc::CLONE_NEWUTS as u64;
        let task = Task::clone(&CloneOptions { flags, map, ..CloneOptions::default() }).unwrap();
        let ids = [task.call(credentials::getuid()).unwrap(), task.call(credentials::getgid()).unwrap()];
        assert_eq!(ids, expected, "{map:?}");
        let child = task.child(&CloneOptions { flags, map, ..CloneOptions::default() });
        if map.is_some() {
            assert_eq!(child.unwrap().call(credentials::getuid()), Ok(expected[0]));
        }
        task.call(namespaces::unshare(libc::CLONE_NEWNET as u64)).unwrap();
    }
}

#[test]
fn a_refused_clone_names_clone3_and_does_no_harm_to_the_next() {
    let folder = File::open("/").unwrap();
    let no_cgroup = CloneOptions { cgroup: Some(folder.as_raw_fd()), ..CloneOptions::default() };
    let Err(failure) = Task::clone(&no_cgroup) else { panic!("/ is no cgroup") };
    assert_eq!(failure, refusal("clone3", Errno::EBADF, None));
    let no_pid = CloneOptions { set_tid: vec![1], ..CloneOptions::default() };
    let Err(Failure::Refused(refusal)) = Task::clone(&no_pid) else { panic!("1 is in use") };
    assert!(refusal.syscall == "clone3" && [Errno::EEXIST, Errno::EPERM].contains(&refusal.errno), "{refusal:?}");
    Task::clone(&CloneOptions::default()).unwrap();
}

/// Clones a task and submits a job to it before it is cloned. Repeats that while a clone of another test is under way.
fn clone_and_submit_early(options: &CloneOptions) -> (Receiver<Result<Cloned>>, Receiver<Result<i64>>) {
    loop {
        let ((sender, cloned), (ended, job)) = (mpsc::channel(), mpsc::channel());
        let done = Box::new(move |cloned| sender.send(cloned).unwrap());
        let Started { channel, early } = clone::clone(options, Box::new(|_| {}), done).unwrap();
        if !early {
            drop(cloned.recv_timeout(PATIENCE).unwrap());
            continue;
        }
        let mut sequence = Sequence::default();
        let step = sequence.step(credentials::getpid());
        let done = move |ran: Result<Ran>| drop(ended.send(ran.map(|ran| ran.reply.result(step).unwrap())));
        channel.submit(sequence, Vec::new(), Box::new(done));
        return (cloned, job);
    }
}

#[test]
fn a_job_can_be_submitted_before_the_task_is_cloned() {
    for _ in 0..50 {
        let (cloned, job) = clone_and_submit_early(&CloneOptions::default());
        let pid = job.recv_timeout(PATIENCE).expect("the job ends").unwrap();
        assert_eq!(pid, i64::from(cloned.recv_timeout(PATIENCE).unwrap().unwrap().child.pid()));
    }
}

#[test]
fn a_job_for_a_task_whose_clone_is_refused_is_gone() {
    let (cloned, job) = clone_and_submit_early(&CloneOptions { set_tid: vec![1], ..CloneOptions::default() });
    assert!(matches!(cloned.recv_timeout(PATIENCE).unwrap(), Err(Failure::Refused(_))));
    assert_eq!(job.recv_timeout(PATIENCE).expect("the job ends"), Err(Failure::Gone));
}

#[test]
fn a_task_in_a_user_namespace_takes_no_job_before_it_is_cloned() {
    let options = CloneOptions { flags: libc::CLONE_NEWUSER as u64, ..CloneOptions::default() };
    let (sender, cloned) = mpsc::channel();
    let done = Box::new(move |cloned| sender.send(cloned).unwrap());
    assert!(!clone::clone(&options, Box::new(|_| {}), done).unwrap().early);
    cloned.recv_timeout(PATIENCE).unwrap().unwrap();
}

#[test]
fn descriptors_are_copied_into_a_task_and_out_of_it() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let channel = &task.cloned.channel;
    let (read, write) = pipe().unwrap();
    let there = transfer::put(channel, write.as_raw_fd(), None, true).unwrap();
    drop(write);
    assert_eq!(task.call(descriptor::get_flags(there)), Ok(libc::FD_CLOEXEC));
    let open = transfer::put(channel, read.as_raw_fd(), None, false).unwrap();
    assert_eq!(task.call(descriptor::get_flags(open)), Ok(0));
    let back: OwnedFd = transfer::get(channel, there).unwrap();
    assert_eq!(descriptor::get_flags(back.as_raw_fd()).near(), Ok(libc::FD_CLOEXEC));
    task.call(descriptor::write(there, b"there", None)).unwrap();
    descriptor::write(back.as_raw_fd(), b" and back", None).near().unwrap();
    drop(back);
    let (sender, receiver) = mpsc::channel();
    transfer::close_all(channel, &[there, -1, open, 4321], move || sender.send(()).unwrap());
    receiver.recv_timeout(PATIENCE).unwrap();
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text, "there and back");
    assert_eq!(transfer::get(channel, there).unwrap_err(), refusal("attach", Errno::EBADF, None));
    assert_eq!(open_descriptors(task.pid()), [0, 1, 2, channel.far_fd().unwrap()]);
}

#[test]
fn a_reply_without_a_pid_kills_no_process() {
    let (channel, task) = Channel::pair().unwrap();
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |cloned: Result<Cloned>| sender.send(cloned.map(drop)).unwrap());
    clone::clone_from(&channel, &CloneOptions::default(), Box::new(|_| {}), done).unwrap();
    let mut message = vec![0; wire::INLINE];
    let length = recv(task.as_raw_fd(), &mut message, MsgFlags::empty()).unwrap();
    // The message sent back unchanged is a reply that says that no step has run, and that none was refused.
    write(&task, &message[..length]).unwrap();
    assert!(matches!(receiver.recv_timeout(PATIENCE).unwrap(), Err(Failure::Broken(_))));
    // kill(2) with -1 would signal every process. No sequence that calls it was sent: the channel has ended.
    assert_eq!(recv(task.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT), Ok(0));
}
