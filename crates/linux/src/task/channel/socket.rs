//! Messages on the socket of a channel.

use super::Channel;
use crate::error::{During, Failure, Result};
use crate::sequence::expected::Expected;
use crate::wait::foreign_descriptor::ForeignDescriptors;
use crate::wire;
use nix::errno::Errno;
use nix::sys::socket::sockopt::SndBuf;
use nix::sys::socket::{sendmsg, setsockopt, ControlMessage, MsgFlags};
use std::io::IoSlice;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

impl Channel {
    /// Sends a message with copies of `fds`.
    pub(super) fn send(&self, bytes: &[u8], fds: &[RawFd]) -> Result<()> {
        let rights = [ControlMessage::ScmRights(fds)];
        let control: &[ControlMessage] = if fds.is_empty() { &[] } else { &rights };
        if bytes.len() > wire::INLINE {
            // A socket holds 208 KiB unless it is told otherwise. The kernel doubles the number, and takes less without an error
            // where the host allows less; then sendmsg(2) fails with EMSGSIZE.
            setsockopt(&*self.socket, SndBuf, &wire::LONGEST).during("setsockopt")?;
        }
        loop {
            match sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)
            {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(Failure::Gone),
                Err(errno) => return Err(errno).during("sendmsg"),
            }
        }
    }

    /// Blocks until the reply to a sequence has come, and receives it as [`Channel::receive`] does.
    pub(super) fn receive_reply(&self, message: &mut Vec<u8>, expected: Expected) -> Result<Arrived> {
        let mut noticed = false;
        loop {
            // A blocking recvmsg(2) returns only with a message.
            if let Some(arrived) = self.receive_reply_or_notice(message, expected, MsgFlags::empty(), &mut noticed)? {
                return Ok(arrived);
            }
        }
    }

    /// Receives the reply to a sequence as [`Channel::receive`] does. A task that is going to execute a program sends one
    /// notice first, which sets `noticed`. Then the channel ends, [`Failure::Executed`], or the kernel has refused to execute
    /// it and the reply follows.
    pub(super) fn receive_reply_or_notice(
        &self,
        message: &mut Vec<u8>,
        expected: Expected,
        flags: MsgFlags,
        noticed: &mut bool,
    ) -> Result<Option<Arrived>> {
        loop {
            match self.receive(message, expected.length, flags) {
                Ok(Some(arrived)) if message.len() == wire::NOTICE && expected.notice && !*noticed => {
                    arrived.exactly(0)?;
                    *noticed = true;
                }
                Err(Failure::Gone) if *noticed => return Err(Failure::Executed),
                received => return received,
            }
        }
    }

    /// Receives a message of at most `length` bytes into `message`, and returns the descriptors that came with it. Returns
    /// `None` if `flags` say not to block, and no message has come.
    pub(super) fn receive(&self, message: &mut Vec<u8>, length: usize, flags: MsgFlags) -> Result<Option<Arrived>> {
        message.resize(length, 0);
        let mut control = Control { aligned: [0; CONTROL / 8] };
        let mut buffer = libc::iovec { iov_base: message.as_mut_ptr().cast(), iov_len: length };
        // SAFETY: `msghdr` is a C struct of numbers and pointers, for which zeros are valid.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = &raw mut buffer;
        header.msg_iovlen = 1;
        let received = loop {
            header.msg_control = (&raw mut control).cast();
            header.msg_controllen = CONTROL as _;
            let flags = flags.bits() | libc::MSG_CMSG_CLOEXEC;
            // SAFETY: the header points to `message` and to `control`, with their lengths, and both outlive the call.
            match Errno::result(unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut header, flags) }) {
                Ok(received) => break received as usize,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::ECONNRESET) => return Err(Failure::Gone),
                Err(errno) => return Err(errno).during("recvmsg"),
            }
        };
        let fds = ForeignDescriptors::new(control.descriptors(header.msg_controllen as usize));
        if received == 0 {
            return Err(Failure::Gone);
        }
        if header.msg_flags & libc::MSG_TRUNC != 0 {
            return Err(Failure::Broken(format!("a message is longer than the {length} bytes of the reply")));
        }
        message.truncate(received);
        Ok(Some(Arrived { fds, incomplete: header.msg_flags & libc::MSG_CTRUNC != 0 }))
    }

    /// Lets the task send descriptors, or has the kernel refuse them already when the task sends them (SO_PASSRIGHTS,
    /// Linux 6.16). Where the kernel has no such option, descriptors that nobody has asked for are received, and then
    /// closed on a thread of their own.
    pub(super) fn let_descriptors_come(&self, come: bool) {
        const SO_PASSRIGHTS: libc::c_int = 83;
        let value = libc::c_int::from(come);
        let (address, length) = ((&raw const value).cast(), size_of_val(&value) as libc::socklen_t);
        // SAFETY: the kernel reads the `int` at this address during the call. An older kernel refuses the option.
        unsafe { libc::setsockopt(self.socket.as_raw_fd(), libc::SOL_SOCKET, SO_PASSRIGHTS, address, length) };
    }

    /// True when a message waits that was not received. Its descriptors are closed when the channel is.
    pub(super) fn has_unread_message(&self) -> bool {
        let mut byte = [0u8];
        let mut buffer = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
        // SAFETY: `msghdr` is a C struct of numbers and pointers, for which zeros are valid.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = &raw mut buffer;
        header.msg_iovlen = 1;
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        // SAFETY: the header points to a buffer of one byte, which outlives the call. There is no room for descriptors.
        let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut header, flags) };
        length > 0 || length == 0 && header.msg_flags & libc::MSG_CTRUNC != 0
    }
}

/// The descriptors that have come with a message.
#[derive(Debug)]
pub(super) struct Arrived {
    fds: ForeignDescriptors,
    /// True when the kernel has left some out, because this process has no free numbers for them.
    incomplete: bool,
}

impl Arrived {
    /// Returns the descriptors if these are the `count` ones that the task has attached. Those for which this process has no
    /// free numbers may be missing.
    pub(super) fn exactly(self, count: usize) -> Result<ForeignDescriptors> {
        let came = self.fds.len();
        if came == count || came < count && self.incomplete {
            Ok(self.fds)
        } else {
            Err(Failure::Broken(format!("{came} descriptors came with a reply instead of {count}")))
        }
    }
}

/// The largest number of descriptors that the kernel lets a message have: SCM_MAX_FD.
const MOST: usize = 253;
/// Length of a `struct cmsghdr` without its data.
const PREFIX: usize = size_of::<libc::cmsghdr>();
const CONTROL: usize = PREFIX + (4 * MOST).next_multiple_of(8);

/// Room for the control messages of one message: one with descriptors, for no other kind was asked for. All descriptors that
/// a process can send fit. The kernel would close those that do not fit on this thread, and that can block.
#[repr(C)]
union Control {
    aligned: [u64; CONTROL / 8],
    message: Descriptors,
}

/// A control message with descriptors. The order of the fields is the kernel's.
#[derive(Clone, Copy)]
#[repr(C)]
struct Descriptors {
    header: libc::cmsghdr,
    numbers: [RawFd; MOST],
}

impl Control {
    /// Takes over the descriptors of a control message of `length` bytes.
    fn descriptors(&self, length: usize) -> Vec<OwnedFd> {
        if length < PREFIX {
            return Vec::new();
        }
        // SAFETY: `receive` has zeroed the whole union, and all numbers are valid for both fields of the struct.
        let Descriptors { header, numbers } = unsafe { &self.message };
        if (header.cmsg_level, header.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            return Vec::new();
        }
        // `cmsg_len` is a `size_t` in glibc. In musl it is a `socklen_t` with padding, and so the cast is needed there.
        #[allow(clippy::unnecessary_cast)]
        let count = (header.cmsg_len as usize).saturating_sub(PREFIX) / 4;
        // SAFETY: recvmsg(2) has just made these descriptors in this process's table, and nothing else knows their numbers:
        // each is owned here alone.
        numbers.iter().take(count).map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) }).collect()
    }
}
