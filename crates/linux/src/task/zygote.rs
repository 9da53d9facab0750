//! The zygote: the stub that clones all other tasks, so that none of them ever copies this process's memory.

use crate::error::{refused, During, Result};
use crate::task::ambient::Ambient;
use crate::task::channel::Channel;
use crate::task::spawner::Spawner;
use crate::task::stub;
use crate::wait::child::{Child, Relations, TaskChannel};
use crate::wait::own_descriptor;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, Weak};

/// A zygote and what its tasks will inherit.
#[derive(Debug)]
pub struct Zygote {
    /// Where clone sequences go.
    pub channel: Arc<Channel>,
    /// Its parent thread.
    pub spawner: Arc<Spawner>,
    /// Its pid.
    pub pid: i32,
    ambient: Ambient,
    kinship: i64,
}

static PRESENT: Mutex<Option<Arc<Zygote>>> = Mutex::new(None);

impl Zygote {
    /// The zygote that makes what a child of the calling thread would be now: the present one if it still matches.
    pub fn matching() -> Result<Arc<Zygote>> {
        let ambient = Ambient::now();
        let mut present = PRESENT.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some(zygote) = present.as_ref() {
            if zygote.ambient == ambient && zygote.kinship == kinship(zygote.pid) && !zygote.channel.is_hung_up() {
                return Ok(zygote.clone());
            }
        }
        let zygote = Arc::new(start(ambient)?);
        let before = present.replace(zygote.clone());
        drop(present);
        drop(before); // the end of its channel ends the old one
        Ok(zygote)
    }
}

/// The pid of the zygote that would be tried first; 0: none was started yet.
pub fn present_pid() -> i32 {
    PRESENT.lock().unwrap_or_else(|broken| broken.into_inner()).as_ref().map_or(0, |zygote| zygote.pid)
}

fn start(ambient: Ambient) -> Result<Zygote> {
    let (channel, end) = Channel::pair()?;
    let stub = stub::open()?.as_raw_fd();
    let (spawner, (pid, pidfd)) = Spawner::start(move || exec_stub(stub, end.as_raw_fd()))?;
    let spawner = Arc::new(spawner);
    let relations = Relations {
        channel: Some(Arc::downgrade(&channel) as Weak<dyn TaskChannel>),
        parent: None,
        keep_alive: Some(spawner.clone()),
    };
    Child::new(pid, pidfd, relations, Box::new(|_| {}))?;
    Ok(Zygote { channel, spawner, pid, kinship: kinship(pid), ambient })
}

/// kcmp(2) of the working directory, root and umask that the calling thread should share with a zygote: 0. An error is as
/// good as long as it stays the same. Another one comes, for instance, when the thread enters a Landlock domain, which
/// nothing else tells: the zygote is outside, and cannot be looked at any more.
fn kinship(zygote: i32) -> i64 {
    const KCMP_FS: i64 = 3;
    let thread = nix::unistd::gettid().as_raw();
    // SAFETY: takes numbers and gives one back.
    let same = unsafe { libc::syscall(libc::SYS_kcmp, thread, zygote, KCMP_FS, 0, 0) };
    if same < 0 {
        -i64::from(Errno::last_raw())
    } else {
        same
    }
}

/// What the child needs, prepared by its parent: between clone and exec it must not allocate.
struct Plan {
    stub: RawFd,
    channel: RawFd,
    errno: i32,
    step: &'static str,
}

/// Starts the stub as a child that shares this process's working directory, root and umask for ever (CLONE_FS), and its
/// memory until it execs. The calling thread waits for that.
fn exec_stub(stub: RawFd, channel: RawFd) -> Result<(i32, OwnedFd)> {
    let mut stack = vec![0u128; 4096];
    let mut plan = Plan { stub, channel, errno: 0, step: "" };
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FS | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the end of the stack, which nothing else uses and which outlives the child's use of it: this thread is
    // suspended until the child has exec'd or ended.
    let top = unsafe { stack.as_mut_ptr().add(stack.len()) };
    // SAFETY: `in_child` gets a plan that outlives it and makes only system calls; the kernel writes the pidfd.
    let pid = unsafe { libc::clone(in_child, top.cast(), flags, (&raw mut plan).cast(), &raw mut pidfd) };
    let pid = Errno::result(pid).during("clone")?;
    // SAFETY: the kernel has just made it, for us alone.
    let pidfd = own_descriptor::above_stdio(unsafe { OwnedFd::from_raw_fd(pidfd) })?;
    if plan.errno == 0 {
        return Ok((pid, pidfd));
    }
    // SAFETY: reaps the child that has just ended; no status is wanted.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
    Err(refused(plan.step, Errno::from_raw(plan.errno)))
}

/// Runs on the parent's memory while the parent waits: system calls only. All signals are blocked, and stay so in the
/// zygote: Ctrl-C at the terminal is for the program, not for it.
extern "C" fn in_child(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `exec_stub` keeps the plan alive until this child has exec'd or ended, and does not touch it meanwhile.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    let step = |name: &'static str, result: i64| if result < 0 { Err((name, Errno::last_raw())) } else { Ok(result) };
    let run = || -> std::result::Result<(), (&'static str, i32)> {
        // SAFETY: the kernel reads an all-zero sigaction (SIG_DFL) for each; the parent's table is its own. SIGKILL and
        // SIGSTOP refuse, and need nothing.
        let default: [u64; 8] = [0; 8];
        for signal in 1..=64 {
            // SAFETY: the kernel reads `default`, which is as long as its struct sigaction on both architectures.
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0, 8) };
        }
        // SAFETY: takes numbers.
        step("prctl", unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
        let all = libc::CLOSE_RANGE_CLOEXEC;
        // SAFETY: takes numbers; this child has a descriptor table of its own.
        step("close_range", unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, all) })?;
        // SAFETY: as above.
        let stub = step("fcntl", unsafe { libc::syscall(libc::SYS_fcntl, plan.stub, libc::F_DUPFD_CLOEXEC, 4) })?;
        // SAFETY: as above.
        let channel = step("fcntl", unsafe { libc::syscall(libc::SYS_fcntl, plan.channel, libc::F_DUPFD_CLOEXEC, 4) })?;
        // SAFETY: as above.
        step("dup3", unsafe { libc::syscall(libc::SYS_dup3, channel, 3, 0) })?;
        for stdio in 0..3 {
            // The stub's own file takes the places of stdio, so that no descriptor that comes with a message gets them.
            // SAFETY: as above.
            step("dup3", unsafe { libc::syscall(libc::SYS_dup3, stub, stdio, 0) })?;
        }
        let argv = [c"nearfar-zygote".as_ptr(), std::ptr::null()];
        let envp = [std::ptr::null::<libc::c_char>()];
        // SAFETY: the kernel reads the empty path and the two arrays, all alive until it has.
        step("execveat", unsafe {
            libc::syscall(libc::SYS_execveat, stub, c"".as_ptr(), argv.as_ptr(), envp.as_ptr(), libc::AT_EMPTY_PATH)
        })
        .map(drop)
    };
    if let Err((name, errno)) = run() {
        plan.step = name;
        plan.errno = errno;
    }
    // SAFETY: ends this child alone, without running anything of its parent's.
    unsafe { libc::_exit(127) }
}
