//! Measures the machine without Node and without nearfar, for `npm run bench`, and prints the nanoseconds for each operation.
//!
//! `raw getppid COUNT` and `raw capget COUNT` are the system call in a loop, `raw pingpong COUNT SIZE` a message of SIZE bytes each way between
//! two processes over a SOCK_SEQPACKET pair.

mod timing;

use nix::sys::socket::{recv, send, socketpair, AddressFamily, MsgFlags, SockFlag, SockType};
use nix::unistd::{fork, ForkResult};
use std::os::fd::{AsRawFd, OwnedFd};
use timing::each;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse().ok());
    let nanoseconds = match (args.first().map(String::as_str), number(1), number(2)) {
        (Some("getppid"), Some(count), _) => each(count, || {
            // SAFETY: takes nothing and gives a number back.
            std::hint::black_box(unsafe { libc::syscall(libc::SYS_getppid) });
        }),
        (Some("capget"), Some(count), _) => each(count, || {
            let (mut header, mut sets) = ([0x2008_0522_u32, 0], [0_u32; 6]);
            // SAFETY: both arrays outlive the call, and have the lengths that the version in the header has.
            let result = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
            std::hint::black_box((result, sets));
        }),
        (Some("pingpong"), Some(count), Some(size)) => pingpong(count, size),
        _ => {
            eprintln!("usage: raw getppid COUNT | raw capget COUNT | raw pingpong COUNT SIZE");
            std::process::exit(2);
        }
    };
    println!("{nanoseconds}");
}

fn pingpong(count: usize, size: usize) -> f64 {
    let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .expect("a socket pair can be made");
    let mut message = vec![0; size];
    // SAFETY: there is no other thread whose locks the child could miss.
    match unsafe { fork() }.expect("a process can be made") {
        ForkResult::Child => {
            drop(near);
            answer(&far, &mut message);
        }
        ForkResult::Parent { .. } => {
            drop(far);
            each(count, || {
                send(near.as_raw_fd(), &message, MsgFlags::empty()).expect("the other end is open");
                recv(near.as_raw_fd(), &mut message, MsgFlags::empty()).expect("the other end answers");
            })
        }
    }
}

fn answer(socket: &OwnedFd, message: &mut [u8]) -> ! {
    loop {
        let length = recv(socket.as_raw_fd(), message, MsgFlags::empty()).unwrap_or(0);
        if length == 0 {
            std::process::exit(0);
        }
        send(socket.as_raw_fd(), &message[..length], MsgFlags::empty()).expect("the other end is open");
    }
}
