//! Tasks: cloning one, and handing descriptors to and fro.

use crate::call::{Arg, Call};
use crate::channel::{Channel, Ran};
use crate::child::{Child, Listener, Parent};
use crate::credentials;
use crate::descriptor;
use crate::error::{During, Failure, Result};
use crate::flags::CloneFlags;
use crate::process;
use crate::program::Program;
use crate::wire;
use crate::zygote::{Spawner, Zygote};
use nix::errno::Errno;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

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
    /// CLONE_NEW… flags.
    pub flags: u64,
    /// With CLONE_NEWUSER; `None`: the map stays empty.
    pub map: Option<OwnMap>,
    /// An open directory of cgroup v2 to begin in.
    pub cgroup: Option<RawFd>,
    /// Pids to get, innermost namespace first.
    pub set_tid: Vec<i32>,
}

/// A new task.
#[derive(Debug)]
pub struct Cloned {
    /// Runs its calls.
    pub channel: Arc<Channel>,
    /// Waits for it.
    pub child: Arc<Child>,
}

/// Hears of a new task.
pub type ClonedDone = Box<dyn FnOnce(Result<Cloned>) + Send>;

/// The step of a clone program whose result is the child's pid, and in the child the number of its channel.
pub(crate) const CLONED: usize = 1;

/// A clone program's parts: descriptors by index (0: the task's channel, 1 to 3: its stdio, 4: its cgroup).
const STDIO: u32 = 1;
const CGROUP: u32 = 4;

/// Clones a task from the zygote: a child of this process. `done` is called once, on the reactor's thread or this one.
pub fn clone(options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<()> {
    let zygote = Zygote::matching()?;
    let origin = Origin { channel: zygote.channel.clone(), zygote: Some(zygote) };
    origin.clone(options, listener, done)
}

/// Clones a task from a task: its child.
pub fn clone_from(task: &Arc<Channel>, options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<()> {
    Origin { channel: task.clone(), zygote: None }.clone(options, listener, done)
}

struct Origin {
    channel: Arc<Channel>,
    zygote: Option<Arc<Zygote>>,
}

impl Origin {
    fn clone(self, options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<()> {
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
        let (program, child_program) = self.program(options)?;
        // What every task of the zygote does at first cannot fail where Node runs: nobody has to wait for that.
        let may_fail = self.zygote.is_none() || options.flags & libc::CLONE_NEWUSER as u64 != 0;
        let origin = self.channel.clone();
        let task = channel.clone();
        origin.submit(
            program,
            fds,
            Box::new(move |ran| match ran.and_then(|ran| self.cloned(ran, listener)) {
                Ok(child) if may_fail => {
                    task.clone().await_reply(child_program, Box::new(move |ran| done(ready(ran, task, child))));
                }
                Ok(child) => {
                    task.owe(child_program);
                    done(Ok(Cloned { channel: task, child }));
                }
                Err(failure) => done(Err(failure)),
            }),
        );
        Ok(())
    }

    fn program(&self, options: &CloneOptions) -> Result<(Program, Program)> {
        const PARENT_STEPS: u64 = 3;
        let near = self.zygote.is_some();
        let parent = if near { libc::CLONE_PARENT as u64 } else { 0 };
        let cgroup = if options.cgroup.is_some() { CloneFlags::INTO_CGROUP.bits() } else { 0 };
        let flags = options.flags | parent | cgroup | libc::CLONE_PIDFD as u64;
        let exit_signal = if near { 0 } else { libc::SIGCHLD as u64 };
        let set_tid: Vec<u8> = options.set_tid.iter().flat_map(|pid| pid.to_ne_bytes()).collect();
        // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        // set_tid_size, cgroup.
        let args = [flags, 0, 0, 0, exit_signal, 0, 0, 0, 0, options.set_tid.len() as u64, 0].map(u64::to_ne_bytes);
        let mut call = Call::new("clone3", wire::CLONE as i64).input(&args.concat()).holding(8, 8, Arg::Out(0));
        if !set_tid.is_empty() {
            call = call.holding_bytes(64, &set_tid);
        }
        if options.cgroup.is_some() {
            call = call.holding(80, 8, Arg::Passed(CGROUP));
        }
        let mut program = Program::default();
        // The probe: a size of 0 is EINVAL to whoever knows the call, and ENOSYS behind the filter of a container.
        let probe = Call::new("clone3", libc::SYS_clone3).number(0).number(0).go_on();
        let probed = Arg::Result(program.step(probe) as u32);
        let pair = call
            .number(args.concat().len() as u64)
            .arg(Arg::Passed(0))
            .number(PARENT_STEPS)
            .arg(probed)
            .reserve(8)
            .pair();
        // The pidfd is the first `int` of the output: a descriptor that the next step sends here.
        let made = program.push(pair).expect("a pair can be collected");
        program.step(Call::new("attach", wire::ATTACH as i64).fd(made[0]).number(1));
        debug_assert_eq!(program.len() as u64, PARENT_STEPS);
        for number in 0..3 {
            program.step(descriptor::put_passed(STDIO + number as u32, Some(number), false));
        }
        if near {
            // A task of the zygote is a child of the spawner thread, and ends with it even in the middle of a call.
            program.step(process::set_death_signal(libc::SIGKILL));
        } else {
            // Nothing of the parent task's: its descriptors are its own.
            program.step(descriptor::close_range(Arg::Number(3), Arg::Channel(-1), 0).go_on());
            program.step(descriptor::close_range(Arg::Channel(1), Arg::Number(u32::MAX as u64), 0));
        }
        program.step(process::unblock_signals());
        if !near && options.flags & libc::CLONE_NEWUSER as u64 != 0 {
            // A parent task that has changed its user is not dumpable, and then the maps in /proc are root's.
            program.step(process::set_dumpable());
        }
        if let Some(map) = options.map.filter(|_| options.flags & libc::CLONE_NEWUSER as u64 != 0) {
            let (uid, gid) = self.ids()?;
            write_own_map(&mut program, map, uid, gid);
        }
        Ok((program.clone(), program))
    }

    /// The user and the group that a child begins with.
    fn ids(&self) -> Result<(u32, u32)> {
        let (uid, gid) = (credentials::geteuid(), credentials::getegid());
        if self.zygote.is_some() {
            Ok((uid.near()?, gid.near()?))
        } else {
            Ok((self.channel.call(uid)?, self.channel.call(gid)?))
        }
    }

    /// The parent's reply: who the child is.
    fn cloned(&self, ran: Ran, listener: Listener) -> Result<Arc<Child>> {
        if let Some(failure) = ran.program.failure(&ran.reply, 0) {
            return Err(failure.without_step());
        }
        let pid = ran.reply.result(CLONED).unwrap_or(0) as i32;
        let Some(pidfd) = ran.fds.into_iter().next().and_then(|fd| descriptor::above_stdio(fd).ok()) else {
            return Err(lost(self.zygote.is_some(), pid));
        };
        let (pid, parent) = match self.zygote {
            Some(_) => (pid, None),
            None => (pid_seen_here(&pidfd), Some(Parent { channel: self.channel.clone(), pid })),
        };
        let spawner: Option<Arc<Spawner>> = self.zygote.as_ref().map(|zygote| zygote.spawner.clone());
        Child::new(pid, pidfd, parent, spawner, listener)
    }
}

/// The child's reply: whether it has become what was asked for.
fn ready(ran: Result<Ran>, channel: Arc<Channel>, child: Arc<Child>) -> Result<Cloned> {
    let refused = ran.and_then(|ran| match ran.program.failure(&ran.reply, 0) {
        Some(failure) => Err(failure.without_step()),
        None => Ok(ran.reply.result(CLONED).unwrap_or(-1) as i32),
    });
    match refused {
        Ok(channel_fd) => {
            channel.set_far_fd(channel_fd);
            Ok(Cloned { channel, child })
        }
        Err(failure) => {
            child.signal(libc::SIGKILL)?;
            Err(failure)
        }
    }
}

/// The new process's pidfd did not reach us, for want of a descriptor. Nothing of it may stay: the end of its channel,
/// which the caller drops, ends it too.
fn lost(ours: bool, pid: i32) -> Failure {
    if ours && pid > 0 {
        // It is our child, and not reaped by anybody else: the pid is its own.
        // SAFETY: takes numbers.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        // SAFETY: reaps it; no status is wanted.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
    }
    crate::error::refused("recvmsg", Errno::EMFILE)
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
fn write_own_map(program: &mut Program, map: OwnMap, uid: u32, gid: u32) {
    let line = |id| match map {
        OwnMap::Identity => format!("{id} {id} 1"),
        OwnMap::Root => format!("0 {id} 1"),
    };
    for (path, text) in [("setgroups", "deny".into()), ("gid_map", line(gid)), ("uid_map", line(uid))] {
        let path = format!("/proc/self/{path}");
        let open = descriptor::openat(libc::AT_FDCWD, path.as_bytes(), libc::O_WRONLY | libc::O_CLOEXEC, 0);
        let fd = program.push(open).expect("a descriptor can be collected");
        program.step(descriptor::write(fd, text.as_bytes(), None));
        program.step(descriptor::close(fd));
    }
}

/// The pid behind a pidfd as this process sees it; 0 where it cannot.
fn pid_seen_here(pidfd: &OwnedFd) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.and_then(|pid| pid.trim().parse().ok()).unwrap_or(0)
}

/// Copies a descriptor of this process into a task, to `number` or the lowest that is free; which one comes back.
pub fn put(task: &Arc<Channel>, fd: RawFd, number: Option<i32>, close_on_exec: bool) -> Result<i32> {
    let mut program = Program::default();
    let step = program.step(descriptor::put_passed(0, number, close_on_exec));
    let (reply, _) = task.run(&program, &[fd])?;
    match program.failure(&reply, 0) {
        Some(failure) => Err(failure.without_step()),
        None => Ok(reply.result(step).unwrap_or(-1) as i32),
    }
}

/// Copies a descriptor of a task into this process.
pub fn get(task: &Arc<Channel>, fd: RawFd) -> Result<OwnedFd> {
    let mut program = Program::default();
    program.step(Call::new("attach", wire::ATTACH as i64).fd(fd).number(0));
    let (reply, fds) = task.run(&program, &[])?;
    match (program.failure(&reply, 0), fds.into_iter().next()) {
        (Some(failure), _) => Err(failure.without_step()),
        (None, Some(fd)) => Ok(fd),
        (None, None) => Err(crate::error::refused("recvmsg", Errno::EMFILE)),
    }
}

/// Closes what a batch made before it failed.
pub fn close_all(task: &Arc<Channel>, fds: &[i32], done: impl FnOnce() + Send + 'static) {
    let mut program = Program::default();
    for fd in fds.iter().filter(|fd| **fd >= 0) {
        program.step(descriptor::close(*fd).go_on());
    }
    // Whether or not the task still lives, nothing of the batch is left in it.
    task.submit(program, Vec::new(), Box::new(|_| done()));
}
