//! Messages on the socket of a channel.

use super::Channel;
use crate::error::{During, Failure, Result};
use crate::sequence::expected::Expected;
use crate::wire;
use nix::errno::Errno;
use nix::sys::socket::{recvmsg, sendmsg, ControlMessage, ControlMessageOwned, MsgFlags};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

impl Channel {
    /// Sends a message with copies of `fds`.
    pub(super) fn send(&self, bytes: &[u8], fds: &[RawFd]) -> Result<()> {
        let rights = [ControlMessage::ScmRights(fds)];
        let control: &[ControlMessage] = if fds.is_empty() { &[] } else { &rights };
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
    pub(super) fn receive_reply(&self, message: &mut Vec<u8>, expected: Expected) -> Result<Vec<OwnedFd>> {
        let mut noticed = false;
        loop {
            // A blocking recvmsg(2) returns only with a message.
            if let Some(fds) = self.receive_reply_or_notice(message, expected, MsgFlags::empty(), &mut noticed)? {
                return Ok(fds);
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
    ) -> Result<Option<Vec<OwnedFd>>> {
        loop {
            match self.receive(message, expected.length, flags) {
                Ok(Some(_)) if message.len() == wire::NOTICE && expected.notice && !*noticed => *noticed = true,
                Err(Failure::Gone) if *noticed => return Err(Failure::Executed),
                received => return received,
            }
        }
    }

    /// Receives a message of at most `length` bytes into `message`, and returns the descriptors that came with it. The
    /// kernel leaves out those for which this process has no free descriptor. Returns `None` if `flags` say not to block, and
    /// no message has come.
    pub(super) fn receive(
        &self,
        message: &mut Vec<u8>,
        length: usize,
        flags: MsgFlags,
    ) -> Result<Option<Vec<OwnedFd>>> {
        message.resize(length, 0);
        let mut control = nix::cmsg_space!([RawFd; wire::DESCRIPTORS]);
        loop {
            let mut buffer = [IoSliceMut::new(message)];
            let received = match recvmsg::<()>(
                self.socket.as_raw_fd(),
                &mut buffer,
                Some(&mut control),
                flags | MsgFlags::MSG_CMSG_CLOEXEC,
            ) {
                Ok(received) => received,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::ECONNRESET) => return Err(Failure::Gone),
                Err(errno) => return Err(errno).during("recvmsg"),
            };
            let bytes = received.bytes;
            if bytes == 0 {
                return Err(Failure::Gone);
            }
            let mut fds = Vec::new();
            for block in received.cmsgs().into_iter().flatten() {
                if let ControlMessageOwned::ScmRights(numbers) = block {
                    // SAFETY: recvmsg(2) has just made these descriptors in this process's table, and nothing else
                    // knows their numbers: this vector alone owns them.
                    fds.extend(numbers.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                }
            }
            if received.flags.contains(MsgFlags::MSG_TRUNC) {
                return Err(Failure::Broken(format!("a message is longer than the {length} bytes of the reply")));
            }
            message.truncate(bytes);
            return Ok(Some(fds));
        }
    }
}
