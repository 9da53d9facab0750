//! The resources that a task makes for another one with which it shares memory or descriptors.

use crate::calls::memory;
use crate::sequence::list::Sequence;
use crate::task::channel::Channel;
use crate::task::transfer;
use crate::wire;
use std::sync::Arc;

/// Made by the cloner in memory and in the table that it shares with the new task.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// The address of the block of memory for the new task's stack and state; 0: the task has its own memory.
    pub base: u64,
    /// The number of the new task's channel.
    pub channel: i32,
}

impl Shared {
    /// Frees both in the cloner, when the new task does not use them or has ended.
    pub fn give_back(self, cloner: &Arc<Channel>) {
        if self.channel >= 0 {
            transfer::close_all(cloner, &[self.channel], || {});
        }
        if self.base != 0 {
            unmap(cloner, self.base);
        }
    }
}

/// Unmaps the block of a task that does not run on it any more, in `task`, which shares that memory. Does not block.
pub fn unmap(task: &Arc<Channel>, base: u64) {
    let mut sequence = Sequence::default();
    sequence.step(memory::munmap(base, wire::BLOCK));
    // A failure means that the task is gone, and its memory with it.
    task.submit(sequence, Vec::new(), Box::new(|_| {}));
}
