//! What a task needs of the one that clones it when they share memory or descriptors: a stack, and a number for its channel.

use crate::call::{Arg, Call};
use crate::channel::{Channel, Ran};
use crate::descriptor;
use crate::error::Result;
use crate::program::Program;
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

/// The program that makes it. The channel goes along with the message.
pub(crate) fn prepare(memory: bool) -> Program {
    let mut program = Program::default();
    program.step(descriptor::dup_passed_from(0, wire::CHANNEL_FD as i32));
    if memory {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let mmap = Call::new("mmap", libc::SYS_mmap).number(0).number(wire::BLOCK).number(protection).number(flags);
        let block = program.step(mmap.number(-1).number(0));
        let guard = Call::new("mprotect", libc::SYS_mprotect).arg(Arg::Result(block as u32)).number(wire::GUARD);
        program.step(guard.number(libc::PROT_NONE));
    }
    program
}

/// What became of that.
pub(crate) fn prepared(task: &Arc<Channel>, ran: &Ran) -> Result<Shared> {
    let result = |step| ran.reply.result(step).filter(|result| *result > 0);
    let shared = Shared { channel: result(0).unwrap_or(-1) as i32, base: result(1).unwrap_or(0) as u64 };
    match ran.program.failure(&ran.reply, 0) {
        None => Ok(shared),
        Some(failure) => {
            shared.give_back(task);
            Err(failure.without_step())
        }
    }
}

impl Shared {
    /// Nobody will use it.
    pub fn give_back(self, task: &Arc<Channel>) {
        if self.channel >= 0 {
            crate::task::close_all(task, &[self.channel], || {});
        }
        if self.base != 0 {
            unmap(task, self.base);
        }
    }
}

/// Gives the memory of a task that has left it back, in a task that shared it.
pub fn unmap(task: &Arc<Channel>, base: u64) {
    let mut program = Program::default();
    program.step(Call::new("munmap", libc::SYS_munmap).number(base).number(wire::BLOCK));
    // A task that is gone has no memory any more.
    task.submit(program, Vec::new(), Box::new(|_| {}));
}
