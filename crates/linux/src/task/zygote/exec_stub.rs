//! Starting the zygote: a child that runs on this process's memory until it executes the stub.

use crate::call::{Answer, Arg, Call, Request};
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::signals;
use crate::error::{refused, During, Failure, Refusal, Result};
use crate::own_descriptor;
use nix::errno::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// The data of the child, prepared by the parent: between clone(2) and execveat(2) the child must not allocate, because
/// the allocator is the parent's.
struct Plan {
    stub: RawFd,
    /// The path of the stub, which is executed if the kernel refuses to execute the descriptor.
    file: Option<CString>,
    channel: RawFd,
    /// One rt_sigaction(2) for each signal, which reads memory.
    default_actions: Vec<Request>,
    /// Written by the child: the pid of its parent, or 0 where the child is in another pid namespace than this process.
    parent: i32,
    /// Written by the child when it could not execute the stub.
    failure: Option<Failure>,
}

/// The stub that was started.
pub(super) struct Started {
    pub pid: i32,
    pub pidfd: OwnedFd,
    /// The pid of this process, as the child knows it; 0: the child is in another pid namespace.
    pub parent: i32,
}

/// Starts the stub as a child. The child shares this process's working directory, root and umask for ever (CLONE_FS),
/// and its memory until it executes the stub. The calling thread is suspended until then (CLONE_VFORK). Another thread finds
/// the pidfd in `child` meanwhile.
pub(super) fn exec_stub(stub: RawFd, file: Option<CString>, channel: RawFd, child: &AtomicI32) -> Result<Started> {
    let mut stack = vec![0u128; 4096];
    let default_actions = signals::default_actions().map(|call| call.request).collect();
    let mut plan = Plan { stub, file, channel, default_actions, parent: 0, failure: None };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FS | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the pointer is one past the end of `stack`, which is as far as `add` may go.
    let top = unsafe { stack.as_mut_ptr().add(stack.len()) };
    // SAFETY: the child runs `in_child` on `stack` and writes to `plan`. Both live in this frame, which the suspended
    // thread neither touches nor leaves until the child has executed the stub or has ended. The kernel writes the pidfd to
    // `child`, which outlives the call.
    let pid = unsafe { libc::clone(in_child, top.cast(), flags, (&raw mut plan).cast(), child.as_ptr()) };
    let pid = Errno::result(pid).during("clone")?;
    // SAFETY: clone(2) has just made this descriptor in this process's table, and nothing else knows its number.
    let pidfd = own_descriptor::above_stdio(unsafe { OwnedFd::from_raw_fd(child.load(Relaxed)) })?;
    let Some(failure) = plan.failure else { return Ok(Started { pid, pidfd, parent: plan.parent }) };
    // SAFETY: waitpid(2) with a null status writes no memory. The child has ended, and its pid is not reused before
    // this.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
    Err(explained(failure))
}

/// Returns the failure of the child with the reason in words, where the kernel is too old.
fn explained(failure: Failure) -> Failure {
    match failure {
        // CLOSE_RANGE_CLOEXEC is the newest thing that the start of a zygote needs. Linux 5.9 and 5.10 do not know this flag.
        Failure::Refused(refusal)
            if refusal.syscall == "close_range" && matches!(refusal.errno, Errno::EINVAL | Errno::ENOSYS) =>
        {
            Failure::Refused(Refusal { words: Some("tasks need Linux 5.11 or later".into()), ..refusal })
        }
        other => other,
    }
}

/// Runs in the child, on the parent's memory: makes system calls and allocates nothing. All signals are blocked, and
/// the zygote keeps them blocked: Ctrl-C at the terminal is meant for the program, not for the zygote.
extern "C" fn in_child(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the pointer is that of the `Plan` in the frame of `exec_stub`, which lives until this child has executed
    // the stub or has ended, and which the suspended parent does not touch meanwhile.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    for action in &mut plan.default_actions {
        // The table of actions is the child's own (no CLONE_SIGHAND). Where a seccomp filter refuses the call,
        // execve(2) still resets the handled signals, and only ignored ones stay ignored.
        let _ = make(action);
    }
    // SAFETY: getppid(2) takes nothing, touches no memory and cannot fail.
    plan.parent = unsafe { libc::getppid() };
    plan.failure = become_stub(plan.stub, plan.file.as_deref(), plan.channel).err();
    // SAFETY: `_exit` ends this child, and runs no exit handler of the parent.
    unsafe { libc::_exit(127) }
}

/// Gives the child the descriptors of a zygote and executes the stub. Returns only when a call fails.
fn become_stub(stub: RawFd, file: Option<&CStr>, channel: RawFd) -> Result<()> {
    make_call(prctl::set_death_signal(libc::SIGKILL))?;
    let last = Arg::Number(u32::MAX as u64);
    make_call(descriptor::close_range(Arg::Number(0), last, libc::CLOSE_RANGE_CLOEXEC))?;
    // Descriptor 3 may be the stub's file or the channel now. Both move above it, so that the dup3 below closes
    // neither.
    let stub = make_call(descriptor::dup(stub, 4, true))?;
    let channel = make_call(descriptor::dup(channel, 4, true))?;
    make_call(descriptor::dup3(channel, 3, 0))?;
    for stdio in 0..3 {
        // The stub's own file fills the places of stdio, so that no descriptor that comes with a message gets them.
        make_call(descriptor::dup3(stub, stdio, 0))?;
    }
    let argv = [c"nearfar-zygote".as_ptr(), std::ptr::null()];
    let envp = [std::ptr::null::<libc::c_char>()];
    // SAFETY: the kernel reads the path, `argv`, the string in it, and `envp`, all of which live until the call
    // returns.
    unsafe { libc::syscall(libc::SYS_execveat, stub, c"".as_ptr(), argv.as_ptr(), envp.as_ptr(), libc::AT_EMPTY_PATH) };
    let failure = refused("execveat", Errno::last());
    // No probe tells whether a filter or a security module lets this child execute a memfd. A refused execveat(2) has done
    // nothing, and so this call is the probe itself.
    if let Some(file) = file {
        // SAFETY: as above; the path lives in the plan.
        unsafe { libc::execve(file.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    }
    Err(failure)
}

/// Makes a call that takes and gives nothing but numbers, and so allocates nothing.
fn make_call<T>(mut call: Call<T>) -> Result<T> {
    let result = make(&mut call.request)?;
    Ok((call.read)(&Answer { result, out: &[] }))
}

fn make(request: &mut Request) -> Result<i64> {
    // The child is a process of its own, with one thread.
    request.one_thread = false;
    request.make_near(&|_| None)
}
