//! How a sequence crosses a channel: as a message of its own, or in a memfd if it is too long for one.

use crate::error::{refused, During, Result};
use crate::own_descriptor;
use crate::sequence::expected::Expected;
use crate::sequence::file_limit;
use crate::sequence::reply;
use crate::wire;
use nix::errno::Errno;
use nix::sys::memfd::{memfd_create, MFdFlags};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

/// An encoded sequence on its way to a task.
#[derive(Debug)]
pub(crate) enum Message {
    /// The sequence has been sent already, and its reply is to come.
    Awaited { reply: Expected },
    /// The sequence is the message.
    Short { bytes: Vec<u8>, reply: Expected },
    /// The sequence lies in a memfd.
    Long(Long),
}

/// A sequence in a memfd. The header of the sequence is the message, and so the message with the reply is a header too.
#[derive(Debug)]
pub(crate) struct Long {
    pub header: Vec<u8>,
    pub memfd: File,
    pub reply: Expected,
}

impl Message {
    /// Gives the message its serial number, and returns that of the reply.
    pub(crate) fn set_serial(&mut self, serial: u64) -> u64 {
        match self {
            Message::Awaited { .. } => START_SERIAL,
            Message::Short { bytes: message, .. } | Message::Long(Long { header: message, .. }) => {
                set_serial(message, serial);
                serial
            }
        }
    }

    /// Returns what the message with the reply looks like.
    pub(crate) fn expected(&self) -> Expected {
        match self {
            Message::Short { reply, .. } | Message::Awaited { reply } => *reply,
            Message::Long(long) => long.expected(),
        }
    }

    /// Puts a sequence into a memfd if it is too long for a message.
    pub(crate) fn new(bytes: Vec<u8>, reply: Expected) -> Result<Self> {
        if is_long(&bytes, &reply) {
            Long::new(bytes, reply).map(Message::Long)
        } else {
            Ok(Message::Short { bytes, reply })
        }
    }
}

impl Long {
    /// Returns what the message with the reply looks like.
    pub(crate) fn expected(&self) -> Expected {
        Expected { length: self.header.len(), ..self.reply }
    }

    /// Puts a sequence into a memfd.
    pub(crate) fn new(bytes: Vec<u8>, reply: Expected) -> Result<Self> {
        let length = bytes.len() + reply.hole.map_or(0, |hole| hole.length);
        if !file_limit::allows(length) {
            return Err(refused("write", Errno::EFBIG));
        }
        let memfd =
            memfd_create("nearfar", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).during("memfd_create")?;
        let file = File::from(own_descriptor::above_stdio(memfd)?);
        let hole_at = reply.hole.map_or(bytes.len(), |hole| hole.at);
        let (before, after) = bytes.split_at_checked(hole_at).unwrap_or((&bytes, &[]));
        file.write_all_at(before, 0).during("write")?;
        if let Some(hole) = reply.hole {
            let end = (hole.at + hole.length) as u64;
            file.set_len(end + after.len() as u64).during("ftruncate")?;
            file.write_all_at(after, end).during("write")?;
        }
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
        // With these seals the task can map the file and rely on its size.
        // SAFETY: fcntl(2) takes numbers here, and touches no memory.
        Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).during("fcntl")?;
        let mut header = bytes;
        header.truncate(size_of::<wire::Header>());
        put(&mut header, std::mem::offset_of!(wire::Header, flags), wire::LARGE.to_ne_bytes());
        Ok(Long { header, memfd: file, reply })
    }
}

/// The serial number of the reply with which a new task begins.
pub(crate) const START_SERIAL: u64 = 0;

/// Gives an encoded sequence its serial number.
pub(crate) fn set_serial(message: &mut [u8], serial: u64) {
    put(message, std::mem::offset_of!(wire::Header, serial), serial.to_ne_bytes());
}

/// Writes a field of the header with which each encoded sequence begins.
fn put<const LENGTH: usize>(message: &mut [u8], at: usize, bytes: [u8; LENGTH]) {
    if let Some(place) = message.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = bytes;
    }
}

/// True when a sequence is too long for a message. A message of more than [`wire::INLINE`] bytes is slower than a memfd, and is
/// sent only if this process may not write a file of that length.
pub(crate) fn is_long(bytes: &[u8], reply: &Expected) -> bool {
    let length = bytes.len();
    let has_to_fit = || length <= wire::LONGEST && reply.length <= wire::INLINE && !file_limit::allows(length);
    reply.hole.is_some() || length > wire::INLINE && !has_to_fit()
}

/// Puts the reply to a long sequence together: the header, which `message` is, and everything else from the memfd. A message
/// that is no header of a sequence that has run stays as it is. The calls have been made by now, and so nothing here may need a
/// new descriptor.
pub(crate) fn read_long(message: &mut Vec<u8>, memfd: &File, reply: Expected) -> Result<()> {
    if !reply::has_run(message) {
        return Ok(());
    }
    let header = std::mem::take(message);
    let start = reply.hole.map_or(reply.length, |hole| hole.at);
    grow(message, start)?;
    memfd.read_exact_at(message, 0).during("pread64")?;
    message.iter_mut().zip(header).for_each(|(place, byte)| *place = byte);
    let Some(hole) = reply.hole else { return Ok(()) };
    let written = reply::written(message, hole);
    grow(message, start + written)?;
    memfd.read_exact_at(message.get_mut(start..).unwrap_or_default(), start as u64).during("pread64")
}

fn grow(message: &mut Vec<u8>, length: usize) -> Result<()> {
    message.try_reserve_exact(length - message.len()).map_err(|_| refused("pread64", Errno::ENOMEM))?;
    message.resize(length, 0);
    Ok(())
}
