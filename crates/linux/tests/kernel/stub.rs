//! The stub itself, on a channel that the test has made.
//!
//! With `NEARFAR_TEST_STUB="qemu-aarch64 <file>"`, the tests run a stub for aarch64 in an emulator instead.

use crate::raw::{step, Answer, Raw};
use nearfar_linux::wire;
use nix::errno::Errno;
use nix::sys::signal::{kill, Signal};
use nix::sys::socket::{
    recvmsg, sendmsg, setsockopt, socketpair, sockopt, AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags,
    SockFlag, SockType,
};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{fork, ForkResult, Pid};
use std::ffi::CString;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Returns the command line of the emulator, if there is one.
pub fn emulator() -> Option<String> {
    std::env::var("NEARFAR_TEST_STUB").ok()
}

macro_rules! numbers { ($($name:ident $number:ident $aarch64:literal)*) => { $(
    /// Returns the number of the system call on the architecture of the stub.
    pub fn $name() -> u64 {
        if emulator().is_some() { $aarch64 } else { libc::$number as u64 }
    }
)* } }
numbers! {
    getppid SYS_getppid 173
    write SYS_write 64
    fcntl SYS_fcntl 25
    pipe2 SYS_pipe2 59
    close SYS_close 57
    dup3 SYS_dup3 24
    prlimit64 SYS_prlimit64 261
    exit_group SYS_exit_group 94
    kill_process SYS_kill 129
}

/// A stub that the test has started, or a task that such a stub has cloned.
#[derive(Debug)]
pub struct Stub {
    socket: Option<OwnedFd>,
    pub pid: Pid,
}

/// Makes a channel, and returns its two ends. A receive on the first end fails after 30 seconds, so that a stub that does
/// not reply fails the test.
pub fn channel() -> (OwnedFd, OwnedFd) {
    let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    setsockopt(&near, sockopt::SndBuf, &(2 * wire::LONGEST)).unwrap();
    setsockopt(&near, sockopt::ReceiveTimeout, &TimeVal::seconds(30)).unwrap();
    (near, far)
}

impl Stub {
    pub fn start() -> Self {
        let (near, far) = channel();
        Stub { pid: start_on(&far), socket: Some(near) }
    }

    /// Returns the child that a clone step has made, with the channel that the child got.
    pub fn cloned(pid: i64, socket: OwnedFd) -> Self {
        Stub { pid: Pid::from_raw(pid as i32), socket: Some(socket) }
    }

    fn socket(&self) -> RawFd {
        self.socket.as_ref().expect("the channel is open").as_raw_fd()
    }

    pub fn send(&self, bytes: &[u8], fds: &[RawFd]) {
        let rights = [ControlMessage::ScmRights(fds)];
        let control: &[ControlMessage] = if fds.is_empty() { &[] } else { &rights };
        let sent = sendmsg::<()>(self.socket(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None);
        assert_eq!(sent, Ok(bytes.len()));
    }

    /// Receives the next message and its descriptors. At the end of the channel the message has no bytes.
    pub fn receive_bytes(&self) -> (Vec<u8>, Vec<OwnedFd>) {
        let mut bytes = vec![0; wire::INLINE];
        let mut buffer = [IoSliceMut::new(&mut bytes)];
        let mut control = nix::cmsg_space!([RawFd; wire::DESCRIPTORS]);
        let came = loop {
            match recvmsg::<()>(self.socket(), &mut buffer, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
                Err(Errno::EINTR) => {} // the kernel restarts no call that has a timeout
                came => break came.expect("an answer, or the end of the channel"),
            }
        };
        let mut fds = Vec::new();
        for block in came.cmsgs().unwrap() {
            if let ControlMessageOwned::ScmRights(numbers) = block {
                // SAFETY: the kernel has just made these descriptors for this message. No one else owns them.
                fds.extend(numbers.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        let length = came.bytes;
        bytes.truncate(length);
        (bytes, fds)
    }

    pub fn receive(&self) -> Answer {
        let (bytes, fds) = self.receive_bytes();
        Answer::parse(&bytes, fds)
    }

    pub fn ask(&self, raw: &Raw, fds: &[RawFd]) -> Answer {
        self.send(&raw.bytes(), fds);
        self.receive()
    }

    /// Asserts that the stub still replies to a call.
    pub fn works(&self) {
        let answer = self.ask(&Raw::new(vec![step(getppid(), &[])], Vec::new(), Vec::new()), &[]);
        assert_eq!(answer.summary(), (0, 1, &[i64::from(std::process::id())][..]));
    }

    /// Asserts that the stub has unmapped the memfds of all sequences.
    pub fn assert_memfds_are_unmapped(&self) {
        self.works();
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap();
        assert!(maps.contains("[stack]") && !maps.contains("/memfd:sequence"), "{maps}");
    }

    /// Closes the channel and waits for the end of the process.
    pub fn end(mut self) -> WaitStatus {
        self.socket = None;
        waitpid(self.pid, None).expect("it is our child")
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        if self.socket.is_some() {
            // Both fail for a process that the test has waited for already.
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Starts the stub with `channel` as its descriptor 3, and returns its pid.
pub fn start_on(channel: &OwnedFd) -> Pid {
    let text = |text: &str| CString::new(text).unwrap();
    let argv: Vec<CString> = emulator().map_or(vec![text("stub")], |line| line.split(' ').map(text).collect());
    let stub =
        emulator().is_none().then(|| nearfar_linux::task::stub::open().expect("the stub can be executed").as_raw_fd());
    let argv: Vec<_> = argv.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    let envp = [std::ptr::null::<libc::c_char>()];
    // SAFETY: the child makes nothing but system calls until it executes the stub.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            // The copies are far from 3, where the channel goes.
            let stub = stub.map(|stub| call(libc::SYS_fcntl, [stub as u64, libc::F_DUPFD_CLOEXEC as u64, 100, 0, 0]));
            let channel = call(libc::SYS_fcntl, [channel.as_raw_fd() as u64, libc::F_DUPFD_CLOEXEC as u64, 100, 0, 0]);
            // Descriptors that the test program has inherited stay out of the stub.
            call(libc::SYS_close_range, [3, u32::MAX as u64, libc::CLOSE_RANGE_CLOEXEC as u64, 0, 0]);
            call(libc::SYS_dup3, [channel, 3, 0, 0, 0]);
            let (argv, envp) = (argv.as_ptr() as u64, envp.as_ptr() as u64);
            match stub {
                Some(stub) => {
                    let nothing = c"".as_ptr() as u64;
                    call(libc::SYS_execveat, [stub, nothing, argv, envp, libc::AT_EMPTY_PATH as u64])
                }
                // SAFETY: `argv` points at the first word of an array that has at least one word.
                None => unsafe { call(libc::SYS_execve, [*(argv as *const u64), argv, envp, 0, 0]) },
            };
            // SAFETY: _exit(2) ends this child, and runs no code of the test program.
            unsafe { libc::_exit(127) }
        }
    }
}

/// Makes a system call in the child, between fork(2) and execve(2).
fn call(nr: i64, [a, b, c, d, e]: [u64; 5]) -> u64 {
    // SAFETY: the arguments are numbers, and addresses of strings and arrays that live until the stub is executed.
    (unsafe { libc::syscall(nr, a, b, c, d, e) }) as u64
}
