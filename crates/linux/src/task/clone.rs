//! Tasks: cloning one.

use crate::call::{Arg, Call};
use crate::calls::credentials;
use crate::calls::descriptor;
use crate::calls::pidfd;
use crate::calls::process;
use crate::calls::signals;
use crate::error::{During, Failure, Result};
use crate::flags::CloneFlags;
use crate::sequence::list::Sequence;
use crate::task::batch::CLONED_WITHIN;
use crate::task::channel::{Channel, Ran};
use crate::task::exec::refuse_orphan;
use crate::task::share::{Prepared, Preparing, Shared};
use crate::task::transfer;
use crate::task::zygote::Zygote;
use crate::wait::child::{Child, Listener, Parent, Relations};
use crate::wait::own_descriptor;
use crate::wire;
use nix::errno::Errno;
use std::any::Any;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};

/// Which ids a task in a new user namespace gives itself; any other map is written from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnMap {
    /// Its own user and group id keep their numbers.
    Identity,
    /// Its own user and group id become 0.
    Root,
}

/// How to clone.
#[derive(Clone, Debug, Default)]
pub struct CloneOptions {
    /// CLONE_NEW… flags; CLONE_VM, CLONE_FILES and CLONE_FS for a task cloned by a task.
    pub flags: u64,
    /// With CLONE_NEWUSER; `None`: the map stays empty.
    pub map: Option<OwnMap>,
    /// An open directory of cgroup v2 to begin in.
    pub cgroup: Option<RawFd>,
    /// Pids to get, innermost namespace first.
    pub set_tid: Vec<i32>,
    /// Whether the task that clones may ignore or handle signals.
    pub reset_signals: bool,
}

/// A new task.
#[derive(Debug)]
pub struct Cloned {
    /// Runs its calls.
    pub channel: Arc<Channel>,
    /// Waits for it.
    pub child: Arc<Child>,
    /// What the task that cloned it has made for it, where they share anything.
    pub shared: Option<Shared>,
}

/// Hears of a new task.
pub type ClonedDone = Box<dyn FnOnce(Result<Cloned>) + Send>;

/// The step of a clone sequence whose result is the child's pid, and in the child the number of its channel.
const CLONED: usize = 1;

const CLONE_VM: u64 = libc::CLONE_VM as u64;
const CLONE_FILES: u64 = libc::CLONE_FILES as u64;

/// Clones a task from the zygote: a child of this process. `done` is called once, on the reactor's thread or this one.
/// Where the clone is under way, and nothing that the task does at first can fail, what is returned is its channel: a
/// sequence sent there now is the first that it gets. If the clone fails, the channel hangs up.
pub fn clone(options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<Option<Arc<Channel>>> {
    let zygote = Zygote::matching()?;
    let origin = Origin { channel: zygote.channel.clone(), zygote: Some(zygote) };
    origin.clone(options, listener, done)
}

/// Clones a task from a task: its child.
pub fn clone_from(task: &Arc<Channel>, options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<()> {
    Origin { channel: task.clone(), zygote: None }.clone(options, listener, done).map(drop)
}

/// What belongs to a task that is not there yet.
struct Parts {
    channel: Arc<Channel>,
    fds: Vec<OwnedFd>,
    listener: Listener,
    done: ClonedDone,
}

struct Origin {
    channel: Arc<Channel>,
    zygote: Option<Arc<Zygote>>,
}

impl Origin {
    fn clone(self, options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<Option<Arc<Channel>>> {
        let (channel, end) = Channel::pair()?;
        let mut fds = vec![end];
        for number in 0..3 {
            fds.push(stdio(number)?);
        }
        if let Some(cgroup) = options.cgroup {
            // SAFETY: the caller keeps the descriptor open during this call.
            let cgroup = unsafe { BorrowedFd::borrow_raw(cgroup) };
            fds.push(cgroup.try_clone_to_owned().during("fcntl")?);
        }
        let options = options.clone();
        let [memory, files] = [CLONE_VM, CLONE_FILES].map(|flag| options.flags & flag != 0);
        let ids = options.map.is_some() && options.flags & libc::CLONE_NEWUSER as u64 != 0;
        let parts = Parts { channel, fds, listener, done };
        if self.zygote.is_some() || !(memory || files || ids) {
            let ids = if ids { Some((credentials::geteuid().near()?, credentials::getegid().near()?)) } else { None };
            // In a queue it would take descriptors in flight, of which an ordinary user has as many as he may have open.
            let early = !self.start_may_fail(&options) && {
                self.channel.receive_job_reply_within(CLONED_WITHIN);
                self.channel.is_idle()
            };
            let early = early.then(|| parts.channel.clone());
            self.start(options, Prepared { shared: None, ids }, parts);
            return Ok(early);
        }
        let preparing = Preparing { memory, files, ids, number: wire::CHANNEL_FD };
        let end = if preparing.shares() { vec![parts.fds[0].try_clone().during("fcntl")?] } else { Vec::new() };
        self.prepare(options, preparing, end.into_iter().map(Arc::new).collect(), parts);
        Ok(None)
    }

    /// What every task of the zygote does at first cannot fail where Node runs: nobody has to wait for that.
    fn start_may_fail(&self, options: &CloneOptions) -> bool {
        self.zygote.is_none() || options.flags & libc::CLONE_NEWUSER as u64 != 0
    }

    /// Lets the task that clones make what the new one needs of it, and say who it is.
    fn prepare(self, options: CloneOptions, preparing: Preparing, end: Vec<Arc<OwnedFd>>, parts: Parts) {
        let origin = self.channel.clone();
        let again = end.clone();
        let prepared = move |ran: Result<Ran>| match ran.and_then(|ran| preparing.prepared(&self.channel, &ran)) {
            Ok(prepared) => self.start(options, prepared, parts),
            // The limit of descriptors is lower than the number we like, or nothing is free from there.
            Err(Failure::Refused(refusal)) if refusal.syscall == "fcntl" && preparing.number > 3 => {
                self.prepare(options, Preparing { number: 3, ..preparing }, again, parts);
            }
            Err(failure) => (parts.done)(Err(failure)),
        };
        origin.submit(preparing.sequence(), end, Box::new(prepared));
    }

    /// Perhaps on the reactor's thread: nobody may wait for a task here, whose other jobs need that thread.
    fn start(self, options: CloneOptions, Prepared { shared, ids }: Prepared, parts: Parts) {
        let Parts { channel: task, mut fds, listener, done } = parts;
        let may_fail = self.start_may_fail(&options);
        // One that shares memory begins with nothing on its stack: its first sequence is a message of its own.
        let sharing = shared.filter(|shared| shared.base != 0);
        let first = sharing.filter(|_| options.flags & CLONE_FILES == 0);
        let copies = fds[1..4].iter().filter(|_| first.is_some()).map(|fd| fd.try_clone().during("fcntl"));
        let copies: Result<Vec<OwnedFd>> = copies.collect();
        let stdio = match copies {
            Ok(stdio) => stdio,
            Err(failure) => {
                self.give_back(shared);
                return done(Err(failure));
            }
        };
        let (sequence, child_sequence) = self.sequence(&options, shared, ids);
        if shared.is_some() {
            fds.remove(0); // the task has been given it already
        }
        let files = options.flags & CLONE_FILES != 0;
        let done = if files { after_answer(self.channel.clone(), done) } else { done };
        let origin = self.channel.clone();
        let own = Arc::downgrade(&task);
        if !may_fail {
            task.expect_start_reply(child_sequence.clone(), CLONED);
            task.set_cloner(&self.channel);
        }
        let cloned = move |ran: Result<Ran>| match self.cloned(ran, shared, own, listener) {
            Ok(child) if sharing.is_some() => {
                let channel = task.clone();
                channel.submit(
                    child_sequence,
                    stdio.into_iter().map(Arc::new).collect(),
                    Box::new(move |ran| done(ready(ran, self.channel, task, child, shared, files))),
                );
            }
            Ok(child) if may_fail => {
                task.clone().await_reply(
                    child_sequence,
                    Box::new(move |ran| done(ready(ran, self.channel, task, child, shared, files))),
                );
            }
            Ok(child) => done(Ok(Cloned { channel: task, child, shared })),
            Err(failure) => {
                task.hang_up();
                done(Err(failure));
            }
        };
        origin.submit(sequence, fds.into_iter().map(Arc::new).collect(), Box::new(cloned));
    }

    fn sequence(
        &self,
        options: &CloneOptions,
        shared: Option<Shared>,
        ids: Option<(u32, u32)>,
    ) -> (Sequence, Sequence) {
        let near = self.zygote.is_some();
        let files = options.flags & CLONE_FILES != 0;
        let parent = if near { libc::CLONE_PARENT as u64 } else { 0 };
        let cgroup = if options.cgroup.is_some() { CloneFlags::INTO_CGROUP.bits() } else { 0 };
        let flags = options.flags | parent | cgroup | libc::CLONE_PIDFD as u64;
        let exit_signal = if near { 0 } else { libc::SIGCHLD as u64 };
        let set_tid: Vec<u8> = options.set_tid.iter().flat_map(|pid| pid.to_ne_bytes()).collect();
        let block = shared.map_or(0, |shared| shared.base);
        let stack = if block == 0 { 0 } else { wire::GUARD + wire::STACK };
        // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        // set_tid_size, cgroup.
        let args = [flags, 0, 0, 0, exit_signal, block, stack, 0, 0, options.set_tid.len() as u64, 0];
        let args = args.map(u64::to_ne_bytes).concat();
        // What comes with the message: the task's channel where it is not shared, its stdio, its cgroup.
        let stdio = if shared.is_some() { 0 } else { 1 };
        let mut call = Call::new("clone3", wire::CLONE as i64).input(&args).holding(8, 8, Arg::Out(0));
        if !set_tid.is_empty() {
            call = call.holding_bytes(64, &set_tid);
        }
        if options.cgroup.is_some() {
            call = call.holding(80, 8, Arg::Passed(stdio + 3));
        }
        let mut sequence = Sequence::default();
        // The probe: a size of 0 is EINVAL to whoever knows the call, and ENOSYS behind the filter of a container.
        let probe = Call::new("clone3", libc::SYS_clone3).number(0).number(0).go_on();
        let probed = Arg::Result(sequence.step(probe) as u32);
        let parent_steps = if shared.is_some() && !files { 4 } else { 3 };
        let pair = call
            .number(args.len() as u64)
            .arg(shared.map_or(Arg::Passed(0), |shared| Arg::Number(shared.channel as u64)))
            .number(parent_steps)
            .arg(probed)
            .number(block)
            .reserve(8)
            .pair();
        // The pidfd is the first `int` of the output: a descriptor that the next step sends here.
        let made = sequence.push(pair).expect("a pair can be collected");
        sequence.step(Call::new("attach", wire::ATTACH as i64).fd(made[0]).number(1));
        if let Some(shared) = shared.filter(|_| !files) {
            sequence.step(descriptor::close(shared.channel));
        }
        debug_assert_eq!(sequence.len() as i32, parent_steps);
        if block != 0 {
            let mut first = Sequence::default();
            self.begin(&mut first, options, ids, (!files).then_some(0));
            return (sequence, first);
        }
        self.begin(&mut sequence, options, ids, (!files).then_some(stdio));
        (sequence.clone(), sequence)
    }

    /// What a task does at first. `stdio`: which of the message's descriptors become its own; none where the table is
    /// also another's.
    fn begin(&self, sequence: &mut Sequence, options: &CloneOptions, ids: Option<(u32, u32)>, stdio: Option<u32>) {
        let near = self.zygote.is_some();
        if let Some(stdio) = stdio {
            for number in 0..3 {
                sequence.step(descriptor::put_passed(stdio + number as u32, Some(number), false));
            }
        }
        if near {
            // A task of the zygote is a child of the spawner thread, and ends with it even in the middle of a call.
            sequence.step(process::set_death_signal(libc::SIGKILL));
            // Its first job may be there already, and take long.
            refuse_orphan(sequence, 0);
        } else if stdio.is_some() {
            // Nothing of the parent task's: its descriptors are its own.
            sequence.step(descriptor::close_range(Arg::Number(3), Arg::Channel(-1), 0).go_on());
            sequence.step(descriptor::close_range(Arg::Channel(1), Arg::Number(u32::MAX as u64), 0));
        }
        if options.reset_signals {
            for call in signals::default_actions() {
                sequence.step(call);
            }
        }
        sequence.step(signals::set_mask(0));
        let user = options.flags & libc::CLONE_NEWUSER as u64 != 0;
        if !near && user {
            // A parent task that has changed its user is not dumpable, and then the maps in /proc are root's.
            sequence.step(process::set_dumpable(true));
        }
        if let (Some(map), Some((uid, gid))) = (options.map, ids) {
            write_own_map(sequence, map, uid, gid);
        }
    }

    /// The parent's reply: who the child is.
    fn cloned(
        &self,
        ran: Result<Ran>,
        shared: Option<Shared>,
        own: Weak<Channel>,
        listener: Listener,
    ) -> Result<Arc<Child>> {
        let ran = ran.and_then(|ran| match ran.sequence.failure(&ran.reply, 0) {
            Some(failure) => Err(failure.without_step()),
            None => Ok(ran),
        });
        let ran = ran.inspect_err(|_| self.give_back(shared))?;
        // A pid that is none would be everybody's to kill(2).
        let Some(pid) = ran.reply.result(CLONED).map(|pid| pid as i32).filter(|pid| *pid > 0) else {
            self.give_back(shared);
            return Err(Failure::Broken("a task was cloned, and the reply does not say which".into()));
        };
        self.watched(pid, ran.fds, own, listener).inspect_err(|_| {
            self.end(pid);
            self.give_back(shared);
        })
    }

    fn watched(&self, pid: i32, fds: Vec<OwnedFd>, own: Weak<Channel>, listener: Listener) -> Result<Arc<Child>> {
        let pidfd = own_descriptor::above_stdio(transfer::received(fds)?)?;
        let (pid, parent) = match self.zygote {
            Some(_) => (pid, None),
            None => (pid_seen_here(&pidfd), Some(Parent { channel: self.channel.clone(), pid })),
        };
        let keep_alive = self.zygote.as_ref().map(|zygote| zygote.spawner.clone() as Arc<dyn Any + Send + Sync>);
        Child::new(pid, pidfd, Relations { channel: Some(own), parent, keep_alive }, listener)
    }

    /// Ends a new process that cannot be watched, and reaps it. It is not reaped by anybody else: the pid is its own.
    fn end(&self, pid: i32) {
        let kill = process::kill(pid, libc::SIGKILL);
        let wait = pidfd::waitid(libc::P_PID, pid, libc::WEXITED | libc::__WALL);
        if self.zygote.is_some() {
            // Its parent is this process. Neither can be refused.
            let _ = (kill.near(), wait.near());
            return;
        }
        let mut sequence = Sequence::default();
        sequence.step(kill.go_on());
        sequence.step(wait.go_on());
        // A task that is gone has left its children to others.
        self.channel.submit(sequence, Vec::new(), Box::new(|_| {}));
    }

    fn give_back(&self, shared: Option<Shared>) {
        if let Some(shared) = shared {
            shared.give_back(&self.channel);
        }
    }
}

/// Tells of a task when the one that cloned it has answered once more: what came with that message, and went with its
/// reply, is closed then, and no more in the table of both.
fn after_answer(origin: Arc<Channel>, done: ClonedDone) -> ClonedDone {
    Box::new(move |cloned| origin.submit(Sequence::default(), Vec::new(), Box::new(|_| done(cloned))))
}

/// The child's reply: whether it has become what was asked for. `files`: its channel's number is another's too.
fn ready(
    ran: Result<Ran>,
    origin: Arc<Channel>,
    channel: Arc<Channel>,
    child: Arc<Child>,
    shared: Option<Shared>,
    files: bool,
) -> Result<Cloned> {
    let refused = ran.and_then(|ran| match ran.sequence.failure(&ran.reply, 0) {
        Some(failure) => Err(failure.without_step()),
        None => Ok(ran.reply.result(CLONED).unwrap_or(-1) as i32),
    });
    match refused {
        Ok(channel_fd) => {
            channel.set_far_fd(shared.map_or(channel_fd, |shared| shared.channel));
            Ok(Cloned { channel, child, shared })
        }
        Err(failure) => {
            if let Some(shared) = shared {
                let shared = Shared { channel: if files { shared.channel } else { -1 }, ..shared };
                child.set_cleanup(move || shared.give_back(&origin));
            }
            child.signal(libc::SIGKILL)?;
            Err(failure)
        }
    }
}

/// This process's stdin, stdout or stderr as it is now; `/dev/null` where it is closed.
fn stdio(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: only asks for a copy of whatever has this number at this moment.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    match Errno::result(copy) {
        // SAFETY: the kernel has just made it, for us alone.
        Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        Err(Errno::EBADF) => File::options().read(true).write(true).open("/dev/null").during("open").map(OwnedFd::from),
        Err(errno) => Err(errno).during("fcntl"),
    }
}

/// In a new user namespace, before anything else: one id each, which needs no privilege outside.
fn write_own_map(sequence: &mut Sequence, map: OwnMap, uid: u32, gid: u32) {
    let line = |id| match map {
        OwnMap::Identity => format!("{id} {id} 1"),
        OwnMap::Root => format!("0 {id} 1"),
    };
    for (path, text) in [("setgroups", "deny".into()), ("gid_map", line(gid)), ("uid_map", line(uid))] {
        let path = format!("/proc/self/{path}");
        let open = descriptor::openat(libc::AT_FDCWD, path.as_bytes(), libc::O_WRONLY | libc::O_CLOEXEC, 0);
        let fd = sequence.push(open).expect("a descriptor can be collected");
        sequence.step(descriptor::write(fd, text.as_bytes(), None));
        sequence.step(descriptor::close(fd));
    }
}

/// The pid behind a pidfd as this process sees it; 0 where it cannot.
fn pid_seen_here(pidfd: &OwnedFd) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.and_then(|pid| pid.trim().parse().ok()).unwrap_or(0)
}
