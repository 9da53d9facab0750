//! What a task needs of the one that clones it when they share memory or descriptors: a stack, and a number for its channel.

use crate::call::{Arg, Call};
use crate::calls::credentials;
use crate::calls::descriptor;
use crate::error::Result;
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::transfer;
use crate::wire;
use std::sync::Arc;

/// Made by the task that clones, for the new one.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// The block of memory for its stack and state; 0: its memory is a copy.
    pub base: u64,
    /// The number of its channel.
    pub channel: i32,
}

/// What the task that clones has made for the new one, and said of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prepared {
    pub shared: Option<Shared>,
    /// Its user and group, with which a child begins.
    pub ids: Option<(u32, u32)>,
}

/// What to make and to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Preparing {
    pub memory: bool,
    pub files: bool,
    pub ids: bool,
    /// The lowest number that the channel may have.
    pub number: u64,
}

impl Preparing {
    /// The sequence that does it, perhaps empty. The channel goes along with the message where anything is shared.
    pub fn sequence(self) -> Sequence {
        let mut sequence = Sequence::default();
        if self.shares() {
            sequence.step(descriptor::dup_passed_from(0, self.number as i32));
        }
        if self.memory {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let mmap = Call::new("mmap", libc::SYS_mmap).number(0).number(wire::BLOCK).number(protection).number(flags);
            let block = sequence.step(mmap.number(-1).number(0));
            let guard = Call::new("mprotect", libc::SYS_mprotect).arg(Arg::Result(block as u32)).number(wire::GUARD);
            sequence.step(guard.number(libc::PROT_NONE));
        }
        if self.ids {
            sequence.step(credentials::geteuid());
            sequence.step(credentials::getegid());
        }
        sequence
    }

    /// What became of that.
    pub fn prepared(self, task: &Arc<Channel>, ran: &Ran) -> Result<Prepared> {
        let result = |step: usize| ran.reply.result(step).filter(|result| *result >= 0);
        let base = if self.memory { result(1).unwrap_or(0) as u64 } else { 0 };
        let shared = self.shares().then(|| Shared { channel: result(0).unwrap_or(-1) as i32, base });
        if let Some(failure) = ran.sequence.failure(&ran.reply, 0) {
            if let Some(shared) = shared {
                shared.give_back(task);
            }
            return Err(failure.without_step());
        }
        let id = |before_end: usize| result(ran.sequence.len() - before_end).unwrap_or(0) as u32;
        Ok(Prepared { shared, ids: self.ids.then(|| (id(2), id(1))) })
    }

    /// Whether the task begins with anything that is its creator's.
    pub fn shares(self) -> bool {
        self.memory || self.files
    }
}

impl Shared {
    /// Nobody will use it.
    pub fn give_back(self, task: &Arc<Channel>) {
        if self.channel >= 0 {
            transfer::close_all(task, &[self.channel], || {});
        }
        if self.base != 0 {
            unmap(task, self.base);
        }
    }
}

/// Gives the memory of a task that has left it back, in a task that shared it.
pub fn unmap(task: &Arc<Channel>, base: u64) {
    let mut sequence = Sequence::default();
    sequence.step(Call::new("munmap", libc::SYS_munmap).number(base).number(wire::BLOCK));
    // A task that is gone has no memory any more.
    task.submit(sequence, Vec::new(), Box::new(|_| {}));
}
